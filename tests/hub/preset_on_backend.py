"""Saves presets on the backend that KERAS_BACKEND names, or opens those of all of them.

python -m tests.hub.preset_on_backend save|open FOLDER; prints `<backend> ok`.
"""

import sys
from pathlib import Path

import keras
import keras_hub
import numpy as np

from tfdeconv import hub
from tfdeconv.models import build

BACKEND = keras.config.backend()
NAMES = ("ground", "tree", "sky")
NETWORKS = {
    "deconvnet": {"input_shape": (64, 64, 3)},
    "segnet": {"input_shape": (None, None, 3)},
    "fcn16s": {"input_shape": (None, None, 3)},
}
# SegNet has no layer that the others lack, and JAX takes a minute for each network.
ACROSS = ("deconvnet", "fcn16s")
PALETTE = [(0, 0, 0), (0, 128, 0), (135, 206, 235)]


def raw_images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 50, 45, 3)).astype("uint8")


def seen_images(task: keras.Model) -> np.ndarray:
    height, width = (side or 40 for side in task.input_shape[1:3])
    return np.random.default_rng(1).integers(0, 256, (2, height, width, 3)).astype("uint8")


def shaken_task(name: str) -> keras.Model:
    generator = np.random.default_rng(2)
    network = build(name, num_classes=3, width=1 / 32, class_names=NAMES, **NETWORKS[name])
    network.set_weights([w + 0.1 * generator.random(w.shape) for w in network.get_weights()])
    return hub.from_network(network, palette=PALETTE)


def scores(task: keras.Model) -> dict[str, np.ndarray]:
    # Not by `predict`, whose compilation takes most of the time; it is tested elsewhere.
    images = {"seen": seen_images(task), "raw": task.preprocessor(raw_images())}
    return {
        name: keras.ops.convert_to_numpy(task(batch, training=False))
        for name, batch in images.items()
    }


def save(folder: Path) -> None:
    for name in ACROSS:
        task = shaken_task(name)
        task.save_to_preset(str(folder / f"{BACKEND}-{name}"))
        np.savez(folder / f"{BACKEND}-{name}.npz", **scores(task))


def open_all(folder: Path) -> None:
    for preset in sorted(path for path in folder.iterdir() if path.is_dir()):
        task = keras_hub.models.ImageSegmenter.from_preset(str(preset))
        assert task.class_names == NAMES
        assert task.palette == tuple(map(tuple, PALETTE))
        with np.load(f"{preset}.npz") as expected:
            for name, got in scores(task).items():
                worst = np.abs(got - expected[name]).max() / np.abs(expected[name]).max()
                print(preset.name, name, "on", BACKEND, f"{worst:.1e}", file=sys.stderr)
                assert worst < 1e-5, f"{preset.name} on {BACKEND}: {worst}"


def main(action: str, folder: str) -> None:
    {"save": save, "open": open_all}[action](Path(folder))
    print(BACKEND, "ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
