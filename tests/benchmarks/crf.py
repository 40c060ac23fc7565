"""How long the dense CRF takes for a photograph of 500x375 pixels, beside pydensecrf."""

from collections.abc import Callable

import cv2
import numpy as np
import tensorflow as tf

from tests.benchmarks.figures import Figure, interleaved
from tests.helpers import SHARED_DATA
from tfdeconv import images
from tfdeconv.crf import DenseCRF
from tfdeconv.crf.dense_crf import BACKENDS
from tfdeconv.errors import UserError

SIZE = (375, 500)
CLASSES = 21


def photograph() -> tuple[np.ndarray, str]:
    """The first photograph of VOC 2012 of this size, or coloured clouds with a camera's noise."""
    for path in sorted((SHARED_DATA / "voc2012" / "JPEGImages").glob("*.jpg")):
        image = images.read_image(path)
        if image.shape[:2] == SIZE:
            return image, path.stem
    rng = np.random.default_rng(0)
    clouds = cv2.resize(rng.random((6, 8, 3)), SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    noisy = 255 * clouds + rng.normal(0, 4, clouds.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), "drawn"


def soft_maps() -> np.ndarray:
    """Probabilities as of a network that sees the photograph on a few dozen places a side."""
    rng = np.random.default_rng(1)
    coarse = 3 * rng.standard_normal((24, 32, CLASSES)).astype(np.float32)
    scores = np.stack([cv2.resize(part, SIZE[::-1]) for part in coarse.transpose(2, 0, 1)], axis=-1)
    return tf.nn.softmax(scores).numpy()


def measure() -> list[Figure]:
    """Returns the figures of the default CRF: 10 iterations, both kernels."""
    image, name = photograph()
    probabilities = soft_maps()
    arguments = tf.constant(probabilities), tf.constant(image)
    ours = DenseCRF()
    graph = tf.function(ours)
    functions: dict[str, Callable[[], object]] = {
        "eager": lambda: ours(probabilities, image),
        "graph": lambda: graph(*arguments).numpy(),
    }
    note = f"photograph: {name}"
    try:
        peer = DenseCRF(backend=BACKENDS[1])
    except UserError:
        peer = None
    else:
        functions["peer"] = lambda: peer(probabilities, image)
        same = ours(probabilities, image).argmax(axis=-1) == peer(probabilities, image).argmax(-1)
        note += f", equal labels {100 * same.mean():.3f} %"
    times = interleaved(functions, rounds=5, warm=1)
    title = "dense CRF, 500x375x21, 10 iterations"
    figures = [Figure(f"{title}, tf.function", times["graph"], goal="<= 2", note=note)]
    if peer is not None:
        peers = {"peer": times["peer"], "peer_name": "pydensecrf2", "goal": "<= 1.0", "note": note}
        figures.append(Figure(title, times["eager"], **peers))
        figures.append(
            Figure(
                "dense CRF, labels equal pydensecrf's", float(same.mean()), unit="", goal=">= 0.995"
            )
        )
    return figures


if __name__ == "__main__":
    for figure in measure():
        print(figure, figure.ratio, figure.reached)
