"""The outline that colours give an object of which a box is roughly known.

Reference:
    Rother, Kolmogorov, Blake: GrabCut: Interactive Foreground Extraction using Iterated Graph
    Cuts, SIGGRAPH 2004. OpenCV's `grabCut` does it.
"""

import numpy as np

from tfdeconv.weak.maps import largest_part

# Chosen on drawn images of another seed than those of the results (`training/README.md`).
WINDOW, WINDOW_SIDE, ROUNDS = 2.2, 128, 3
# Pixels of the window's border that cannot be the object: colours of the ground come from there.
BORDER = 2
# Half a side: a smaller box has too few pixels to learn the colours of an object.
_SMALLEST = 6.0


def outlined(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Moves a box to the edges of what differs in colour from its surroundings.

    Of a window around the box, the pixels inside the box are begun with as the object and those
    outside as the ground, and both may change; the box of the largest part of what is the object
    in the end is returned.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        box: `(4,)` top, left, bottom, right in pixels, inside the image.

    Returns:
        `(4,)` int32 box inside the image; `box`, rounded, where all of the window or nothing of it
        would be the object, as in an image of one colour.

    Example:

    >>> image = np.random.default_rng(0).integers(0, 60, (40, 60, 3), np.uint8)
    >>> image[10:22, 20:38] += 150
    >>> outlined(image, np.array([8, 17, 23, 33])).tolist()
    [10, 20, 22, 38]
    """
    import cv2

    box = np.asarray(box, np.float64)
    top, left, bottom, right = _window(box, *image.shape[:2])
    scale = WINDOW_SIDE / max(bottom - top, right - left)
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    kind = cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA
    shown = cv2.resize(image[top:bottom, left:right], size, interpolation=kind)
    kinds = np.full(shown.shape[:2], cv2.GC_BGD, np.uint8)
    kinds[BORDER:-BORDER, BORDER:-BORDER] = cv2.GC_PR_BGD
    first = np.round((box - [top, left, top, left]) * scale).astype(int)
    kinds[first[0] : first[2], first[1] : first[3]] = cv2.GC_PR_FGD
    object_ = largest_part(_grab_cut(shown, kinds))
    if object_ is None:
        return np.round(box).astype(np.int32)
    found = np.round(object_ / scale).astype(int) + np.array([top, left, top, left])
    # Less than half a pixel of the image rounds to nothing.
    found[2:] = np.maximum(found[2:], found[:2] + 1)
    return np.clip(found, 0, [bottom - 1, right - 1, bottom, right]).astype(np.int32)


def _window(box: np.ndarray, height: int, width: int) -> tuple[int, int, int, int]:
    centre, half = (box[:2] + box[2:]) / 2, np.maximum((box[2:] - box[:2]) / 2, _SMALLEST)
    top, left = np.maximum(np.round(centre - WINDOW * half), 0).astype(int).tolist()
    last = np.minimum(np.round(centre + WINDOW * half), [height, width]).astype(int).tolist()
    return top, left, last[0], last[1]


def _grab_cut(shown: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Returns `(height, width)` uint8, 1 where the object is."""
    import cv2

    possible = (kinds == cv2.GC_PR_FGD) | (kinds == cv2.GC_FGD)
    if not possible.any() or possible.all():
        return np.zeros(kinds.shape, np.uint8)
    # The first colours are found from a random start: the same for every image.
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(shown[..., ::-1].copy(), kinds, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return ((kinds == cv2.GC_PR_FGD) | (kinds == cv2.GC_FGD)).astype(np.uint8)
