"""The fully connected CRF again: exact Gaussian sums over all pairs of pixels, and the lattice
point by point with a dictionary of vertices, in float64."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np

Filter = Callable[[np.ndarray, np.ndarray], np.ndarray]


def exact_filter(features: np.ndarray, values: np.ndarray) -> np.ndarray:
    """sum over j of exp(-|f_i - f_j|^2 / 2) values_j, for every point i."""
    result = np.zeros_like(values, np.float64)
    for i, feature in enumerate(features):
        result[i] = np.exp(-np.sum((features - feature) ** 2, axis=1) / 2) @ values
    return result


def lattice_filter(features: np.ndarray, values: np.ndarray) -> np.ndarray:
    """What `tfdeconv.crf.permutohedral` computes for `(n, d)` features and `(n, c)` values."""
    d = features.shape[1]
    simplices = [simplex(feature) for feature in features.astype(np.float64)]
    at_vertex: dict[tuple[int, ...], np.ndarray] = defaultdict(lambda: np.zeros(values.shape[1]))
    for corners, value in zip(simplices, values.astype(np.float64), strict=True):
        for vertex, weight in corners:
            at_vertex[vertex] = at_vertex[vertex] + weight * value
    for axis in range(d + 1):
        step = np.ones(d + 1, int)
        step[axis] -= d + 1
        blurred = {}
        for vertex, value in at_vertex.items():
            blurred[vertex] = value.copy()
            for neighbour in (tuple(vertex + step), tuple(vertex - step)):
                if neighbour in at_vertex:
                    blurred[vertex] += at_vertex[neighbour] / 2
        at_vertex = blurred
    result = [sum(weight * at_vertex[vertex] for vertex, weight in c) for c in simplices]
    return np.array(result) / (1 + 2.0**-d)


def simplex(feature: np.ndarray) -> list[tuple[tuple[int, ...], float]]:
    """The d + 1 (vertex, barycentric coordinate) about one point."""
    d = len(feature)
    # The columns of the basis in section 3.1 of the paper: (1, .., 1, -i, 0, .., 0), normalised.
    elevated = np.zeros(d + 1)
    for i in range(1, d + 1):
        column = np.array([1.0] * i + [-i] + [0.0] * (d - i)) / np.sqrt(i * (i + 1))
        elevated += np.sqrt(2 / 3) * (d + 1) * feature[i - 1] * column
    origin = np.round(elevated / (d + 1)).astype(int) * (d + 1)
    while origin.sum() != 0:
        # Towards the plane by the coordinate that this takes the least from its place.
        direction = -np.sign(origin.sum())
        moved = int(np.argmax(direction * (elevated - origin)))
        origin[moved] += direction * (d + 1)
    falling = np.argsort(-(elevated - origin), kind="stable")
    above = ((elevated - origin) / (d + 1))[falling]
    vertex, corners = origin.copy(), []
    for k in range(d + 1):
        upper = 1 + above[d] if k == 0 else above[d - k]
        corners.append((tuple(vertex.tolist()), upper - above[0 if k == 0 else d - k + 1]))
        vertex = vertex + 1
        vertex[falling[d - k]] -= d + 1
    return corners


def features_of(image: np.ndarray, sxy: float, srgb: float | None) -> np.ndarray:
    """`(height * width, 2 or 5)`: places, and colours unless `srgb` is None."""
    rows = []
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            colour = [] if srgb is None else [level / srgb for level in image[y, x].tolist()]
            rows.append([x / sxy, y / sxy, *colour])
    return np.array(rows)


def mean_field(
    probabilities: np.ndarray,
    image: np.ndarray,
    kernels: list[tuple[float, float | None, float]],
    iterations: int,
    normalize: bool,
    filter_: Filter = exact_filter,
) -> np.ndarray:
    """What `tfdeconv.crf.mean_field.infer` computes, with any way to filter."""
    p = np.maximum(probabilities.reshape(-1, probabilities.shape[-1]).astype(np.float64), 1e-8)
    terms = []
    for sxy, srgb, weight in kernels:
        features = features_of(image, sxy, srgb)
        sums = filter_(features, np.ones((len(p), 1))) if normalize else np.ones((len(p), 1))
        terms.append((features, np.sqrt(sums), weight))
    q = p / p.sum(axis=1, keepdims=True)
    for _ in range(iterations):
        energies = np.log(p)
        for features, norm, weight in terms:
            energies += weight * filter_(features, q / norm) / norm
        q = np.exp(energies - energies.max(axis=1, keepdims=True))
        q /= q.sum(axis=1, keepdims=True)
    return q.reshape(probabilities.shape)
