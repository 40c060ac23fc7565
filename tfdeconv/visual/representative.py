"""Which class a picture of activations is about, and which channel of a layer stands for it."""

from __future__ import annotations

import numpy as np


def main_class(scores: np.ndarray, inside: np.ndarray | None = None) -> int:
    """Returns the class that the most pixels are labelled, the background aside.

    Args:
        scores: `(rows, columns, classes)` float32 before softmax; class 0 is the background.
        inside: `(height, width)` bool of any size, the pixels that count; all by default.

    Returns:
        A class from 1 on; where all is background, the most probable one.

    Example:

    >>> main_class(np.array([[[9.0, 0.0, 1.0], [0.0, 9.0, 1.0]]]))
    1
    """
    rows, columns, classes = scores.shape
    weights = np.ones((rows, columns), np.float32)
    if inside is not None:
        weights = _averaged(inside.astype(np.float32), (rows, columns))
    counts = np.bincount(scores.argmax(-1).ravel(), weights.ravel(), minlength=classes)
    if not counts[1:].any():
        counts = (softmax(scores) * weights[..., None]).sum((0, 1))
    return 1 + int(counts[1:].argmax())


def class_probability(scores: np.ndarray, label: int) -> np.ndarray:
    """Returns the probability of a class: `(rows, columns, classes)` -> `(rows, columns)`."""
    return softmax(scores)[..., label]


def representative_channel(maps: np.ndarray, probability: np.ndarray) -> int:
    """Returns the channel that follows a probability map most closely.

    Args:
        maps: `(rows, columns, channels)` float32.
        probability: `(height, width)` float32 of any size; averaged down to the maps' size.

    Returns:
        The channel of the largest correlation; where none varies, as in maps of one pixel, the one
        of the largest mean.

    Example:

    >>> maps = np.array([[[0.0, 9.0, 1.0], [1.0, 9.0, 0.0]]], np.float32)
    >>> representative_channel(maps, np.array([[0.2, 0.8]], np.float32))
    0
    """
    rows, columns = maps.shape[:2]
    target = _averaged(probability, (rows, columns)).reshape(-1, 1).astype(np.float64)
    values = maps.reshape(rows * columns, -1).astype(np.float64)
    deviation = values.std(0) * target.std()
    varies = deviation > 1e-6 * np.abs(values).max() * np.abs(target).max()
    covariance = ((values - values.mean(0)) * (target - target.mean())).mean(0)
    correlation = np.divide(covariance, deviation, out=np.full_like(covariance, -2), where=varies)
    return int(np.argmax(correlation if varies.any() else values.mean(0)))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Returns the probabilities of scores, over the last axis."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def _averaged(map_: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    import cv2

    return cv2.resize(map_, size[::-1], interpolation=cv2.INTER_AREA)
