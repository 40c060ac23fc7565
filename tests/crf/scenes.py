"""Pictures with probabilities that a CRF can improve, and a CRF that is quick."""

import numpy as np

from tfdeconv.crf import DenseCRF

RAW = DenseCRF((2, 0.3), (9, 20, 0.5), iterations=2, normalization="none")


def scene(height: int, width: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A picture of two halves under some noise, and coarse probabilities that hint at them."""
    rng = np.random.default_rng(height)
    image = rng.integers(0, 30, (height, width, 3)) + 60
    image[:, width // 2 :] += 90
    scores = rng.standard_normal((height, width, classes))
    scores[:, : width // 2, 0] += 1
    scores[:, width // 2 :, -1] += 1
    probabilities = np.exp(scores)
    return probabilities / probabilities.sum(axis=-1, keepdims=True), image.astype(np.uint8)


def soft_scene() -> tuple[np.ndarray, np.ndarray]:
    """An ellipse on a slope of colours, under noise of 4 levels; probabilities that say little."""
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:24, :24]
    inside = ((y - 12) / 8) ** 2 + ((x - 12) / 6) ** 2 < 1
    image = np.stack([100 + 30 * inside + x, 120 - 30 * inside + y / 2, 90 + 0 * x], axis=-1)
    image += rng.normal(0, 4, image.shape)
    scores = 0.5 * rng.standard_normal((24, 24, 3))
    scores[..., 0] += 0.5 * inside
    scores[..., 2] += 0.5 * ~inside
    probabilities = np.exp(scores)
    return probabilities / probabilities.sum(axis=-1, keepdims=True), image.astype(np.uint8)
