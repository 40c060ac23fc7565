"""Class activation maps to heatmaps, boxes and labels, in plain loops."""

import numpy as np


def heatmap(map_: np.ndarray, height: int, width: int) -> np.ndarray:
    """The enlarged map, its highest value 1, and nothing below 0."""
    out = np.maximum(enlarged(map_, height, width), 0)
    return out / out.max() if out.max() > 0 else out


def enlarged(map_: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear between the centres of the map's pixels, beyond the outermost constant."""
    rows, columns = map_.shape
    out = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            row = min(max((y + 0.5) * rows / height - 0.5, 0), rows - 1)
            column = min(max((x + 0.5) * columns / width - 0.5, 0), columns - 1)
            top, left = int(row), int(column)
            below, beside = min(top + 1, rows - 1), min(left + 1, columns - 1)
            a, b = row - top, column - left
            upper = (1 - b) * map_[top, left] + b * map_[top, beside]
            lower = (1 - b) * map_[below, left] + b * map_[below, beside]
            out[y, x] = (1 - a) * upper + a * lower
    return out


def box_of(heat: np.ndarray, share: float) -> list[int]:
    """The box of the largest part, found by spreading from one pixel to its eight neighbours."""
    height, width = heat.shape
    seen = np.zeros((height, width), bool)
    best: list[tuple[int, int]] = []
    for start in np.ndindex(height, width):
        if seen[start] or heat[start] <= share:
            continue
        seen[start] = True
        part, front = [], [start]
        while front:
            y, x = front.pop()
            part.append((y, x))
            for near in np.ndindex(3, 3):
                other = (y + near[0] - 1, x + near[1] - 1)
                inside = 0 <= other[0] < height and 0 <= other[1] < width
                if inside and not seen[other] and heat[other] > share:
                    seen[other] = True
                    front.append(other)
        if len(part) > len(best):
            best = part
    if not best:
        return [0, 0, height, width]
    ys, xs = zip(*best, strict=True)
    return [min(ys), min(xs), max(ys) + 1, max(xs) + 1]


def pseudo_labels(heats: dict[int, np.ndarray], low: float, high: float) -> np.ndarray:
    """Pixel by pixel: background, the class of the highest value, or in doubt."""
    out = np.zeros(next(iter(heats.values())).shape, np.uint8)
    for place in np.ndindex(out.shape):
        label = max(heats, key=lambda one: heats[one][place])
        value = heats[label][place]
        out[place] = label if value >= high else 0 if value <= low else 255
    return out


def box_scores(
    maps: dict[int, np.ndarray], boxes: np.ndarray, height: int, width: int, seen: float, sd: float
) -> list[float]:
    """Box by box, square by square: means over pixels, weighted by the size at which it is seen."""
    scores = []
    for top, left, bottom, right in boxes.tolist():
        side = ((bottom - top) * (right - left) / (height * width)) ** 0.5
        total = weights = 0.0
        for square, map_ in maps.items():
            inside = enlarged(map_, height, width)[top:bottom, left:right]
            octaves = np.log2(side * square) - np.log2(seen)
            weight = np.exp(-(octaves**2) / (2 * sd**2)) + 1e-9
            total += weight * inside.mean()
            weights += weight
        scores.append(total / weights)
    return scores
