"""Object proposals of one image: Edge Boxes on structured or gradient edges, ranked, then a grid.

Edges and boxes are searched for on a copy of the image whose longer side has 512 pixels (at most
four times the image's own), so that time and memory do not depend on the size of the image.
"""

import os
from typing import Literal

import numpy as np

from tfdeconv.boxes import Proposals, area, clip, iou
from tfdeconv.errors import UserError
from tfdeconv.proposals.edges import Edges, gradient_edges, structured_edges, ximgproc
from tfdeconv.proposals.grid import multi_scale_grid

_LONGER_SIDE = 512
_MOST_ENLARGED = 4
# Narrower copies have no room for a box with edges inside; OpenCV reads outside of its arrays.
_NARROWEST = 8
_SMALLEST_AREA = 64
# Noise has more edges than any photograph, and the time grows with the square of their number.
_MOST_EDGES = 0.12
# Always searched for, so that fewer boxes are the first of more.
_CANDIDATES = 2000
# About as many as a segmenter uses; each pick costs a tenth of a millisecond.
_PICKS = 100
_DECAY_POWER = 5
_AREA_POWER = 0.05

_NOTHING = Proposals(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

EdgeKind = Literal["auto", "structured", "gradient"]


def propose(
    image: np.ndarray,
    edges: EdgeKind = "auto",
    max_boxes: int = 2000,
    forest: str | os.PathLike[str] | None = None,
) -> Proposals:
    """Finds boxes that are likely to hold an object.

    Boxes of `edge_boxes` come first, in the order of `rank`. Where there are fewer than `max_boxes`
    (a blank, tiny or very narrow image has none), the full image and a `multi_scale_grid` follow
    with score 0.

    Measured with gradient edges on the 221 photographs of VOC 2012 val that came with instance
    masks (354 objects): 0.80 of the objects have a box of IoU 0.5 among the first 50 and 0.98 among
    2000 (0.49 and 0.91 at IoU 0.7), in 0.21 s an image on one core. In Edge Boxes' own order it is
    0.71 among the first 50 (0.50 at IoU 0.7).

    Args:
        image: `(height, width, 3)` uint8 RGB image of any size.
        edges: `"structured"` needs `forest`; `"gradient"` does without it; `"auto"` is structured
            when `forest` is given and gradient otherwise.
        max_boxes: The most boxes to return, at least 1.
        forest: File of a structured forest (OpenCV's `model.yml.gz`). Loaded once a process.

    Returns:
        `Proposals` inside the image, best first, with fractions of pixels. Up to 2000, fewer boxes
        are the first of more.

    Raises:
        UserError: when the forest is needed and missing or damaged.
        ValueError: for other misuse.

    Example:

    >>> blank = propose(np.full((60, 90, 3), 128, np.uint8), max_boxes=3)
    >>> blank.boxes.astype(int).tolist(), blank.scores.tolist()
    ([[0, 0, 60, 90], [0, 0, 45, 45], [0, 23, 45, 68]], [0.0, 0.0, 0.0])

    Reference:
        Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015,
        section 6.1: about 2000 proposals an image, the best 50 of which are used.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(
            "`image` must be a non-empty (height, width, 3) uint8 array. "
            f"Received: shape={image.shape}, dtype={image.dtype}"
        )
    if max_boxes < 1:
        raise ValueError(f"`max_boxes` must be at least 1. Received: max_boxes={max_boxes}")
    height, width = image.shape[:2]
    copy = _search_copy(image)
    chosen = choose_forest(edges, forest)
    found = _NOTHING
    if min(copy.shape[:2]) >= _NARROWEST:
        edge_map = gradient_edges(copy) if chosen is None else structured_edges(copy, chosen)
        found = edge_boxes(edge_map, max(max_boxes, _CANDIDATES))
        found = rank(found, edge_map.strength.size)
    boxes = found.boxes[:max_boxes]
    scale = np.array([height / copy.shape[0], width / copy.shape[1]] * 2, np.float32)
    grid = multi_scale_grid(height, width)[: max_boxes - len(boxes)]
    return Proposals(
        np.concatenate([clip(boxes * scale, height, width), grid]),
        np.concatenate([found.scores[:max_boxes], np.zeros(len(grid), np.float32)]),
    )


def edge_boxes(edges: Edges, max_boxes: int = 2000, min_area: float = 0.001) -> Proposals:
    """Scores boxes by the edges that are entirely inside them (Edge Boxes), with OpenCV.

    Parameters are the authors' (alpha 0.65, beta 0.75, eta 1, minScore 0.01) except for the area.

    Args:
        edges: The `Edges` of the image, at least 8 pixels high and wide. Of more than 12 % of edge
            pixels only the strongest are used.
        max_boxes: The most boxes to return.
        min_area: The smallest box over the area of the image. The authors' 1000 pixels (0.5 % of
            their 500x375 photographs) miss small objects and find large ones no better. Never
            less than 64 pixels.

    Returns:
        `Proposals` in the frame of `edges`, best first; boxes of equal score in the order of their
        coordinates. None without edges.

    Reference:
        Zitnick, Dollar: Edge Boxes: Locating Object Proposals from Edges, ECCV 2014.
    """
    searcher = ximgproc().createEdgeBoxes(
        alpha=0.65,
        beta=0.75,
        maxBoxes=max_boxes,
        minBoxArea=max(_SMALLEST_AREA, min_area * edges.strength.size),
    )
    boxes, scores = searcher.getBoundingBoxes(_strongest(edges.strength), edges.orientation)
    if len(boxes) == 0:
        # OpenCV gives tuples or None here, not arrays.
        return _NOTHING
    # OpenCV counts pixels from 1, and the outermost pixels of its boxes lie around the object.
    left, top, width, height = boxes.astype(np.float32).T
    found = np.stack([top, left, top + height - 1, left + width - 1], axis=1)
    scores = scores.astype(np.float32).ravel()
    order = np.lexsort([*found.T[::-1], -scores])
    return Proposals(found[order], scores[order])


def rank(found: Proposals, image_area: float) -> Proposals:
    """Puts boxes of different objects before more boxes of one object, and larger before smaller.

    Edge Boxes keeps boxes of up to IoU 0.75 with each other, so that a strong object fills the
    first fifty with near copies. Here scores are multiplied by the share of the box in the image to
    the power 0.05. Then the best box is picked, the score of every other box is multiplied by
    `1 - iou ** 5` of the two, and so on for 100 picks. A near copy falls far behind, and a box of
    IoU 0.5, which may be another object, keeps 0.97 of its score.

    Args:
        found: Boxes with scores that are not negative. Of equal scores the first is picked first.
        image_area: Area of the image in the unit of the boxes.

    Returns:
        The same boxes in their new order, with their lowered scores, which descend.

    Example:

    >>> boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
    >>> found = rank(Proposals(boxes, np.float32([0.9, 0.8, 0.5])), image_area=100)
    >>> found.boxes[:, 0].tolist(), np.round(found.scores.tolist(), 2).tolist()
    ([0.0, 50.0, 0.0], [0.9, 0.5, 0.33])

    Reference:
        Bodla, Singh, Chellappa, Davis: Soft-NMS, ICCV 2017, with a steeper decay than theirs.
    """
    scores = found.scores * (area(found.boxes) / image_area) ** _AREA_POWER
    waiting = np.ones(len(scores), bool)
    picks: list[int] = []
    for _ in range(min(_PICKS, len(scores))):
        pick = int(np.where(waiting, scores, -1).argmax())
        waiting[pick] = False
        picks.append(pick)
        overlap = iou(found.boxes[pick], found.boxes[waiting])[0]
        scores[waiting] *= 1 - overlap**_DECAY_POWER
    rest = np.flatnonzero(waiting)
    order = np.concatenate([picks, rest[np.argsort(-scores[rest], kind="stable")]]).astype(int)
    return Proposals(found.boxes[order], scores[order].astype(np.float32))


def choose_forest(
    edges: EdgeKind, forest: str | os.PathLike[str] | None
) -> str | os.PathLike[str] | None:
    """Returns the forest that `propose` uses, or None where it uses gradient edges."""
    if edges not in ("auto", "structured", "gradient"):
        raise ValueError(
            f"`edges` must be 'auto', 'structured' or 'gradient'. Received: edges={edges!r}"
        )
    if edges == "structured" and forest is None:
        raise UserError(
            "Structured edges need a forest. Received: forest=None. Give the file of a structured "
            "forest (OpenCV's model.yml.gz), or choose gradient edges."
        )
    return None if edges == "gradient" else forest


def _search_copy(image: np.ndarray) -> np.ndarray:
    import cv2

    height, width = image.shape[:2]
    factor = min(_LONGER_SIDE / max(height, width), _MOST_ENLARGED)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def _strongest(strength: np.ndarray) -> np.ndarray:
    most = int(_MOST_EDGES * strength.size)
    if np.count_nonzero(strength) <= most:
        return strength
    weakest = np.partition(strength, -most, axis=None)[-most]
    return np.where(strength >= weakest, strength, np.float32(0))
