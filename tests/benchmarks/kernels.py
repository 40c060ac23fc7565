"""The same work with TensorFlow's oneDNN kernels on and off, each in processes of its own.

TensorFlow reads `TF_ENABLE_ONEDNN_OPTS` once, when it is imported: the two settings take turns in
new processes, and every figure is the median over the processes of one setting.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.figures import Figure, interleaved

ROUNDS = 3
_VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
_CHILD = """
import json
from tests.benchmarks.kernels import seconds
print("SECONDS " + json.dumps(seconds()))
"""


def measure() -> list[Figure]:
    """Returns seconds with oneDNN on, compared with seconds with it off."""
    found: dict[str, dict[str, list[float]]] = {"1": {}, "0": {}}
    for _ in range(ROUNDS):
        for setting, times in found.items():
            for name, value in _in_new_process(setting).items():
                times.setdefault(name, []).append(value)
    return [
        Figure(
            f"oneDNN on: {name}",
            statistics.median(on),
            statistics.median(found["0"][name]),
            "oneDNN off",
        )
        for name, on in found["1"].items()
    ]


def _in_new_process(setting: str) -> dict[str, float]:
    environment = {**os.environ, _VARIABLE: setting}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD], stdout=subprocess.PIPE, text=True, env=environment
    )
    done.check_returncode()
    line = next(line for line in done.stdout.splitlines() if line.startswith("SECONDS "))
    return json.loads(line.removeprefix("SECONDS "))


def seconds() -> dict[str, float]:
    """Returns the median seconds of every piece of work in this process."""
    # One after the other: what is measured is freed before the next is built.
    return {**_forward(), **_exported(), **_training(), **_crf(), **_windows()}


def _forward() -> dict[str, float]:
    import keras
    import numpy as np

    from tfdeconv.models import DeconvNet
    from tfdeconv.segmentation.network import Network

    keras.utils.set_random_seed(0)
    model = DeconvNet(width=0.5)
    crops = np.random.default_rng(0).integers(0, 256, (4, 224, 224, 3)).astype(np.float32)
    functions: dict[str, Callable[[], object]] = {}
    for precision in ("float32", "bfloat16"):
        run = Network(model, precision)
        functions[f"forward, width 0.5, batch 4, {precision}"] = lambda run=run: run(crops)
    return interleaved(functions, rounds=5)


def _exported() -> dict[str, float]:
    import keras
    import numpy as np
    import tensorflow as tf

    from tfdeconv.export import export_saved_model
    from tfdeconv.models import DeconvNet

    keras.utils.set_random_seed(0)
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    data = tf.constant([tf.io.encode_jpeg(image).numpy()])
    with tempfile.TemporaryDirectory() as folder:
        exported = export_saved_model(DeconvNet(width=0.25), folder)
        served = tf.saved_model.load(str(exported)).signatures["segment_bytes"]
        return interleaved(
            {"exported, `segment_bytes`, width 0.25": lambda: served(images_bytes=data)}, rounds=3
        )


def _training() -> dict[str, float]:
    import keras
    import numpy as np

    from tfdeconv.models import build
    from tfdeconv.training.losses import CrossEntropy

    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (8, 128, 128, 3)).astype(np.float32)
    labels = generator.integers(0, 9, (8, 128, 128)).astype(np.uint8)
    functions: dict[str, Callable[[], object]] = {}
    for name in ("deconvnet", "deeplab_largefov", "unet"):
        keras.utils.set_random_seed(0)
        model = build(name, num_classes=9, input_shape=(128, 128, 3), width=0.25)
        model.compile("sgd", loss=CrossEntropy())
        functions[f"training step, {name}, width 0.25, batch 8"] = lambda model=model: (
            model.train_on_batch(images, labels)
        )
    return interleaved(functions, rounds=5)


def _crf() -> dict[str, float]:
    from tests.benchmarks.crf import photograph, soft_maps
    from tfdeconv.crf import DenseCRF

    image, _ = photograph()
    probabilities, crf = soft_maps(), DenseCRF()
    return interleaved({"dense CRF, 500x375x21": lambda: crf(probabilities, image)}, rounds=3)


def _windows() -> dict[str, float]:
    from tfdeconv.data import pipeline, voc, windows
    from tfdeconv.data.drawn import draw_dataset

    with tempfile.TemporaryDirectory() as folder:
        split = voc.read_split(draw_dataset(Path(folder) / "drawn", images=50, val=0), "train")
        cut = windows.balance(windows.object_windows(split))

        def consume() -> None:
            for _ in pipeline.training_dataset(split, cut, batch_size=8, steps=100):
                pass

        return interleaved({"800 training windows of 224 pixels": consume}, rounds=3)


if __name__ == "__main__":
    for figure in measure():
        print(figure, figure.ratio)
