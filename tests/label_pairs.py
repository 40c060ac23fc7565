"""True and predicted label maps, for what is counted over them."""

import numpy as np

TRUTH = np.array([[0, 0, 1, 255], [2, 2, 1, 255]], np.uint8)
ANSWER = np.array([[0, 1, 1, 2], [2, 2, 0, 0]], np.uint8)


def random_maps(seed: int, shape: tuple[int, ...], classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes + 1, shape)
    truth[truth == classes] = 255
    return truth.astype(np.uint8), rng.integers(0, classes, shape).astype(np.uint8)
