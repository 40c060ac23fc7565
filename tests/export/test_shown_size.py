"""At what size the graph shows images, and which crops it takes as they are."""

import numpy as np
import pytest
import tensorflow as tf

from tests.export.networks import open_network
from tfdeconv.export.signatures import Signatures
from tfdeconv.segmentation.regions import SizeRule, WholeImage
from tfdeconv.segmentation.segmenter import Segmenter


@pytest.fixture(scope="module")
def regions():
    return Signatures(Segmenter(open_network()), max_pixels=2000).regions_uint8


@pytest.mark.parametrize("shape", [(20, 32), (24, 9), (8, 8), (0, 8), (64, 64)])
def test_crops_of_a_wrong_size_are_refused(regions, shape: tuple[int, int]) -> None:
    message = rf"`crops\[0\]` must have sides that are multiples of 8.*2000 pixels.*{shape[0]}"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        regions(np.zeros((1, *shape, 3), np.uint8))


def test_images_are_shown_as_segmenter_shows_them() -> None:
    view = WholeImage(SizeRule(12, (24, 12)))
    # Halves, too: 500 / 1000 * 5 = 2.5.
    odd = [(1, 1), (5, 1000), (7, 1000), (500, 501), (1, 9000), (501, 1), (499, 500), (24, 12)]
    drawn = np.random.default_rng(0).integers(1, 1500, (60, 2)).tolist()
    for size in odd + drawn:
        # By Python's own numbers, as plain as they can be.
        factor = min(1, 500 / max(size))
        seen = [max(1, round(factor * side)) for side in size]
        rows, columns = (12 * -(-side // 12) for side in seen)
        padded = max(rows, 24), columns
        reach = [
            round(all_ * side / part) for all_, side, part in zip(padded, size, seen, strict=True)
        ]
        assert view.regions(None, *size).numpy().tolist() == [[0, 0, *reach]], size
        shown = view.pictures(np.zeros((*size, 3), np.uint8), None)
        assert shown.shape[1:3] == padded and not np.any(shown[0, : seen[0], : seen[1]]), size
        assert np.all(shown[0, seen[0] :]) and np.all(shown[0, :, seen[1] :]), size
