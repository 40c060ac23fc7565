"""Thinning of edge maps as plain loops: pixel by pixel, step by step along its normal."""

import math

import numpy as np


def thin(strength: np.ndarray, orientation: np.ndarray, radius: int) -> np.ndarray:
    """Keeps what nothing along its normal exceeds, nor equals on the side it points to."""
    height, width = strength.shape
    thinned = np.zeros_like(strength)
    for row in range(height):
        for column in range(width):
            angle = float(orientation[row, column])
            here = float(strength[row, column])
            stays = here > 0
            for distance in range(1, radius + 1):
                down, right = distance * math.sin(angle), distance * math.cos(angle)
                stays = stays and here > bilinear(strength, row + down, column + right)
                stays = stays and here >= bilinear(strength, row - down, column - right)
            if stays:
                thinned[row, column] = here
    return thinned


def bilinear(values: np.ndarray, row: float, column: float) -> float:
    """Reads `values` between its pixels; places outside are moved to the border."""
    height, width = values.shape
    row, column = min(max(row, 0.0), height - 1.0), min(max(column, 0.0), width - 1.0)
    top, left = min(int(row), height - 2), min(int(column), width - 2)
    down, right = row - top, column - left
    total = 0.0
    for below, share in ((0, 1 - down), (1, down)):
        for beside, part in ((0, 1 - right), (1, right)):
            total += share * part * float(values[top + below, left + beside])
    return total
