"""Windows once more, as loops over pixels: the definition that the graph is held against."""

import math

import numpy as np


def enlarge_to_square(box: tuple[float, ...], factor: float = 1.2) -> list[int]:
    """The square of `factor` times the longer side about the centre of a box, to the pixel."""
    top, left, bottom, right = (float(side) for side in box)
    side = max(1, round(factor * max(bottom - top, right - left)))
    first = [math.floor((a + b) / 2 - side / 2 + 0.5) for a, b in ((top, bottom), (left, right))]
    return [*first, *(start + side for start in first)]


def crop_image(image: np.ndarray, window: tuple[int, int, int, int], size: int) -> np.ndarray:
    """Bilinear, half-pixel centres, the window's edge repeated, black outside the image."""
    top, left, bottom, right = (int(side) for side in window)
    height, width, channels = image.shape

    def pixel(row: int, column: int) -> np.ndarray:
        row = top + min(max(row, 0), bottom - top - 1)
        column = left + min(max(column, 0), right - left - 1)
        if 0 <= row < height and 0 <= column < width:
            return image[row, column].astype(np.float64)
        return np.zeros(channels)

    crop = np.zeros((size, size, channels))
    for i in range(size):
        y = (i + 0.5) * (bottom - top) / size - 0.5
        for j in range(size):
            x = (j + 0.5) * (right - left) / size - 0.5
            row, column = math.floor(y), math.floor(x)
            for next_row, row_weight in ((0, 1 - (y - row)), (1, y - row)):
                for next_column, column_weight in ((0, 1 - (x - column)), (1, x - column)):
                    value = pixel(row + next_row, column + next_column)
                    crop[i, j] += row_weight * column_weight * value
    return crop


def crop_labels(labels: np.ndarray, window: tuple[int, int, int, int], size: int) -> np.ndarray:
    """Nearest pixel, half-pixel centres, 255 outside the image."""
    top, left, bottom, right = (int(side) for side in window)
    height, width = labels.shape
    crop = np.full((size, size), 255, np.uint8)
    for i in range(size):
        row = top + (2 * i + 1) * (bottom - top) // (2 * size)
        for j in range(size):
            column = left + (2 * j + 1) * (right - left) // (2 * size)
            if 0 <= row < height and 0 <= column < width:
                crop[i, j] = labels[row, column]
    return crop


def isolate_object(labels: np.ndarray, objects: np.ndarray, object_id: int) -> np.ndarray:
    """The object's labels; other pixels background; void stays void."""
    isolated = np.zeros_like(labels)
    for place in np.ndindex(labels.shape):
        if objects[place] == object_id:
            isolated[place] = labels[place]
        elif labels[place] == 255 or objects[place] == 65535:
            isolated[place] = 255
    return isolated


def object_box(objects: np.ndarray, object_id: int) -> tuple[int, int, int, int]:
    """The tight box of one instance: top, left, bottom, right, half open."""
    places = [place for place in np.ndindex(objects.shape) if objects[place] == object_id]
    rows, columns = [row for row, _ in places], [column for _, column in places]
    return min(rows), min(columns), max(rows) + 1, max(columns) + 1
