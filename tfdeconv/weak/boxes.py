"""From class activation maps to a box: the best object proposal, moved to the edges in the image.

A map is accurate about where an object is and inaccurate about its extent; proposals end at edges.

Reference:
    Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative
    Localization, CVPR 2016, equation 2. A score is there the mean of the map of a class over the
    image; here it is the mean over a box. Rother, Kolmogorov, Blake: GrabCut: Interactive
    Foreground Extraction using Iterated Graph Cuts, SIGGRAPH 2004, as in OpenCV's `grabCut`.
"""

from collections.abc import Mapping

import numpy as np

from tfdeconv.weak.maps import largest_part, upsampled

# All chosen on drawn images of another seed than those of the results (`training/README.md`).
CANDIDATES = 200
# A resized image scores boxes of this side best, in pixels; deviation in octaves.
BEST_SIDE, OCTAVES = 40.0, 0.7
# The first proposals are right more often than the later ones.
RANK_OFFSET, RANK_POWER = 5, 0.5
# GrabCut: side of the window as a multiple of the box's, pixels it is resized to, and iterations.
WINDOW, WINDOW_SIDE, ROUNDS = 2.2, 128, 3
# Pixels of the window's border that are always background: its colours are learnt from them.
BORDER = 2
# Half a side in pixels: a smaller box has too few pixels to learn the colours of an object.
_SMALLEST = 6.0


def best_candidate(
    maps: Mapping[int, np.ndarray], candidates: np.ndarray, height: int, width: int
) -> np.ndarray:
    """Returns the candidate box with the highest score, weighted by its rank.

    Args:
        maps: Side of the square that the image was resized to -> `(rows, columns)` float32 map of
            one class over the full image.
        candidates: `(n, 4)` object proposals inside the image, best first, at least one.
        height, width: Size of the image in pixels.

    Returns:
        `(4,)` int32: top, left, bottom, right in pixels.

    Example:

    >>> left_half = {32: np.array([[2.0, 0.0]], np.float32)}
    >>> boxes = np.array([[0, 0, 8, 16], [0, 1, 8, 6], [0, 9, 8, 15]], np.float32)
    >>> best_candidate(left_half, boxes, 8, 16).tolist()
    [0, 1, 8, 6]
    """
    boxes = to_pixels(candidates, height, width)
    scores = np.maximum(box_scores(maps, boxes, height, width), 0)
    ranks = np.arange(len(boxes)) + RANK_OFFSET
    return boxes[(scores / ranks**RANK_POWER).argmax()]


def box_scores(
    maps: Mapping[int, np.ndarray], boxes: np.ndarray, height: int, width: int
) -> np.ndarray:
    """Returns the mean of the maps of a class inside each box.

    Small boxes are scored by the maps of large squares and large boxes by those of small squares:
    the weight of a square is a Gaussian in the octaves between `BEST_SIDE` and the side of the box,
    taken as a square of its area, in the resized image.

    Args:
        maps, height, width: See `best_candidate`.
        boxes: `(n, 4)` int, none without a pixel, inside the image.

    Returns:
        `(n,)` float64, in the unit of the maps.
    """
    import cv2

    top, left, bottom, right = boxes.T
    areas = (bottom - top) * (right - left)
    sides = np.sqrt(areas / (height * width))
    total, weights = np.zeros(len(boxes)), np.zeros(len(boxes))
    for square, map_ in maps.items():
        sums = cv2.integral(upsampled(map_, height, width).astype(np.float64))
        inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        octaves = np.log2(sides * square / BEST_SIDE)
        # Not zero for any box, however far it is from all squares.
        weight = np.exp(-0.5 * (octaves / OCTAVES) ** 2) + 1e-9
        total += weight * inside / areas
        weights += weight
    return total / weights


def to_pixels(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Rounds boxes to pixels of the image, at least one each: `(n, 4)` -> `(n, 4)` int32.

    Example:

    >>> to_pixels(np.array([[0.4, 1.6, 0.45, 9.0]]), height=5, width=5).tolist()
    [[0, 2, 1, 5]]
    """
    rounded = np.round(boxes).astype(np.int32)
    first = np.clip(rounded[:, :2], 0, [height - 1, width - 1])
    last = np.clip(rounded[:, 2:], first + 1, [height, width])
    return np.concatenate([first, last], axis=1).astype(np.int32)


def refine_box(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Moves a box to the edges of the object in it, by GrabCut in a window around the box.

    The pixels inside the box are the initial foreground and those outside the initial background;
    the result is the box of the largest connected part of the final foreground.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        box: `(4,)` top, left, bottom, right in pixels, inside the image.

    Returns:
        `(4,)` int32 box inside the image; `box`, rounded, where the window has no foreground or no
        background, as in an image of one colour.

    Example:

    >>> image = np.random.default_rng(0).integers(0, 60, (40, 60, 3), np.uint8)
    >>> image[10:22, 20:38] += 150
    >>> refine_box(image, np.array([8, 17, 23, 33])).tolist()
    [10, 20, 22, 38]
    """
    import cv2

    box = np.asarray(box, np.float64)
    top, left, bottom, right = _window(box, *image.shape[:2])
    scale = WINDOW_SIDE / max(bottom - top, right - left)
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    method = cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA
    window = cv2.resize(image[top:bottom, left:right], size, interpolation=method)
    mask = np.full(window.shape[:2], cv2.GC_BGD, np.uint8)
    mask[BORDER:-BORDER, BORDER:-BORDER] = cv2.GC_PR_BGD
    first = np.round((box - [top, left, top, left]) * scale).astype(int)
    mask[first[0] : first[2], first[1] : first[3]] = cv2.GC_PR_FGD
    part = largest_part(_foreground(window, mask))
    if part is None:
        return np.round(box).astype(np.int32)
    found = np.round(part / scale).astype(int) + np.array([top, left, top, left])
    # Less than half a pixel of the image rounds to nothing.
    found[2:] = np.maximum(found[2:], found[:2] + 1)
    return np.clip(found, 0, [bottom - 1, right - 1, bottom, right]).astype(np.int32)


def _window(box: np.ndarray, height: int, width: int) -> tuple[int, int, int, int]:
    centre, half = (box[:2] + box[2:]) / 2, np.maximum((box[2:] - box[:2]) / 2, _SMALLEST)
    top, left = np.maximum(np.round(centre - WINDOW * half), 0).astype(int).tolist()
    last = np.minimum(np.round(centre + WINDOW * half), [height, width]).astype(int).tolist()
    return top, left, last[0], last[1]


def _foreground(window: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns `(height, width)` bool, the foreground that GrabCut finds; empty if undefined."""
    import cv2

    possible = mask == cv2.GC_PR_FGD
    if not possible.any() or possible.all():
        return np.zeros(mask.shape, bool)
    # GrabCut starts from random colour clusters: the same ones for every image.
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(window[..., ::-1].copy(), mask, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (mask == cv2.GC_PR_FGD) | (mask == cv2.GC_FGD)
