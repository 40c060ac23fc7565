"""Where the boxes of an image come from."""

import numpy as np

from tfdeconv.proposals import multi_scale_grid, propose

PROPOSALS = ("edges", "grid")


def find_boxes(image: np.ndarray, proposals: str) -> np.ndarray:
    """Returns the boxes of an image, best first.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        proposals: `"edges"` searches for objects (`tfdeconv.propose`); `"grid"` is
            `tfdeconv.proposals.multi_scale_grid`, coarse to fine: some 9 with half the longer side
            of a square image, 49 with a quarter, 225 with an eighth.

    Returns:
        `(n, 4)` boxes in the image; n may be 0.

    Example:

    >>> find_boxes(np.zeros((50, 50, 3), np.uint8), "grid")[0].tolist()
    [0.0, 0.0, 50.0, 50.0]
    """
    if proposals == "edges":
        return propose(image).boxes
    return multi_scale_grid(*image.shape[:2])
