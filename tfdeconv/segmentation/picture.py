"""What a segmenter is shown."""

from typing import Any, NamedTuple

import numpy as np


class Picture(NamedTuple):
    """An image, ready to be segmented: `Segmenter.picture` makes it.

    Attributes:
        image: `(height, width, 3)` uint8 RGB.
        boxes: `(n, 4)` float32 proposals, best first.
        beside: what is handed through with it, such as its true labels.
    """

    image: np.ndarray
    boxes: np.ndarray
    beside: Any = None
