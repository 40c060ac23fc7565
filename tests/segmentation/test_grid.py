"""The grid in the graph is that of `tfdeconv.proposals`, box for box."""

import numpy as np
import pytest

from tfdeconv.proposals import multi_scale_grid as expected
from tfdeconv.segmentation.regions import multi_scale_grid


def drawn_sizes(limit: int) -> list[tuple[int, int]]:
    sizes = np.random.default_rng(limit).integers(1, limit, (200, 2))
    return [(int(height), int(width)) for height, width in sizes]


SIZES = {
    "tiny": [(height, width) for height in range(1, 12) for width in range(1, 12)],
    "narrow": [(1, 2**k + d) for k in range(1, 26) for d in (-1, 0, 1)] + [(500, 1), (2**25, 1)],
    "small": drawn_sizes(60),
    "photographs": drawn_sizes(9000),
    "huge": [(46_340, 46_341), (8000, 10_000), (178_956_970, 1), (13_377, 13_377)],
}


@pytest.mark.parametrize("kind", SIZES)
def test_every_box_is_the_same(kind: str) -> None:
    for height, width in SIZES[kind]:
        boxes = multi_scale_grid(height, width).numpy()
        np.testing.assert_array_equal(boxes, expected(height, width), f"{height}x{width}")
        assert boxes.dtype == np.float32
