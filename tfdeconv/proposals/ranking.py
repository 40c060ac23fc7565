"""The order of proposals: best first, but not one object over and over."""

import numpy as np

from tfdeconv.boxes import Proposals, area, iou

# About as many as a segmenter looks at; each pick costs a tenth of a millisecond.
_PICKS = 100
_DECAY_POWER = 5
_AREA_POWER = 0.05


def rank(found: Proposals, image_area: float) -> Proposals:
    """Puts boxes of different objects before more boxes of one object, and larger before smaller.

    Scores are first multiplied by the share of the box in the image to the power 0.05. Then the
    best box is picked, the score of every other box is multiplied by `1 - iou ** 5` of the two, and
    so on for 100 picks; the remaining boxes keep the scores that they have then. A near copy falls
    far behind, and a box of IoU 0.5, which may be another object, keeps 0.97 of its score.

    Edge Boxes leaves boxes of up to IoU 0.75 beside each other, so that a strong object fills the
    first fifty with copies of itself.

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
