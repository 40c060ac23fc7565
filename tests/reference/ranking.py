"""The order of proposals as plain loops: pick the best, lower the others, box by box."""


def rank(
    boxes: list[list[float]],
    scores: list[float],
    image_area: float,
    picks: int,
    decay_power: int,
    area_power: float,
) -> tuple[list[int], list[float]]:
    """Returns the indices of the boxes in their new order, and their lowered scores."""
    scores = [
        score * (area(box) / image_area) ** area_power
        for box, score in zip(boxes, scores, strict=True)
    ]
    waiting = list(range(len(boxes)))
    order = []
    for _ in range(min(picks, len(boxes))):
        best = waiting[0]
        for index in waiting:
            if scores[index] > scores[best]:
                best = index
        waiting.remove(best)
        order.append(best)
        for index in waiting:
            scores[index] *= 1 - iou(boxes[best], boxes[index]) ** decay_power
    order += sorted(waiting, key=lambda index: -scores[index])
    return order, [scores[index] for index in order]


def iou(a: list[float], b: list[float]) -> float:
    """Returns the shared area of two boxes over the area that they cover together."""
    sides = [max(0.0, min(a[end], b[end]) - max(a[end - 2], b[end - 2])) for end in (2, 3)]
    shared = sides[0] * sides[1]
    together = area(a) + area(b) - shared
    return shared / together if together > 0 else 0.0


def area(box: list[float]) -> float:
    """Returns the area of a box."""
    return (box[2] - box[0]) * (box[3] - box[1])
