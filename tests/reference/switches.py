"""Second definition of `tfdeconv.visual.switches`: one window at a time, one pooling at a time."""

import numpy as np


def traced(poolings, channel):
    """Where the maxima of a channel of the last pooling stood in the first map.

    Args:
        poolings: (values, argmax, size of the map that was pooled), the first pooling first.
        channel: a channel of the last one.
    """
    rows, columns, _ = poolings[-1][0].shape
    found = np.zeros((rows, columns, 2), int)
    for row in range(rows):
        for column in range(columns):
            y, x, c = row, column, channel
            for depth in range(len(poolings) - 1, -1, -1):
                values, argmax, (_, width) = poolings[depth]
                if depth < len(poolings) - 1:
                    above = poolings[depth + 1][2]
                    y = int(y * values.shape[0] / above[0])
                    x = int(x * values.shape[1] / above[1])
                    c = max(range(values.shape[2]), key=lambda k: (values[y, x, k], -k))
                flat = int(argmax[y, x, c])
                channels = values.shape[2]
                y, x = flat // (width * channels), flat // channels % width
            found[row, column] = y, x
    return found


def place_in_window(values, pooled_map, row, column, channel, window, outside):
    """Which place of its window a maximum stood at, looked for in the map that was pooled."""
    top, left = row * window[0] - outside[0], column * window[1] - outside[1]
    for place in range(window[0] * window[1]):
        y, x = top + place // window[1], left + place % window[1]
        inside = 0 <= y < pooled_map.shape[0] and 0 <= x < pooled_map.shape[1]
        if inside and pooled_map[y, x, channel] == values[row, column, channel]:
            return place
    raise AssertionError("no place of the window holds its maximum")
