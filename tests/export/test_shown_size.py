"""At what size the graph shows images, and which crops it takes as they are."""

import numpy as np
import pytest
import tensorflow as tf

from tests.export.networks import open_network
from tfdeconv.data.whole_images import seen_size
from tfdeconv.export.signatures import signatures
from tfdeconv.export.whole_image import shown_size
from tfdeconv.segmentation.any_size import SizeRule
from tfdeconv.segmentation.segmenter import Segmenter


@pytest.fixture(scope="module")
def regions():
    return signatures(Segmenter(open_network()), None, max_pixels=2000)["regions_uint8"][0]


@pytest.mark.parametrize("shape", [(20, 32), (24, 9), (8, 8), (0, 8), (64, 64)])
def test_crops_of_a_wrong_size_are_refused(regions, shape: tuple[int, int]) -> None:
    message = rf"`crops\[0\]` must have sides that are multiples of 8.*2000 pixels.*{shape[0]}"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        regions(np.zeros((1, *shape, 3), np.uint8))


def test_images_are_shown_as_segmenter_shows_them() -> None:
    shown = tf.function(
        lambda image: shown_size(image, SizeRule(12, (24, 12))),
        input_signature=[tf.TensorSpec((None, None, 1), tf.bool)],
    )
    # Halves, too: 500 / 1000 * 5 = 2.5.
    odd = [(1, 1), (5, 1000), (7, 1000), (500, 501), (1, 9000), (501, 1), (499, 500), (24, 12)]
    drawn = np.random.default_rng(0).integers(1, 1500, (60, 2)).tolist()
    for size in odd + drawn:
        seen = seen_size(*size)
        rows, columns = (12 * -(-side // 12) for side in seen)
        padded = max(rows, 24), columns
        reach = [
            round(all_ * side / part) for all_, side, part in zip(padded, size, seen, strict=True)
        ]
        found = [value.numpy().tolist() for value in shown(np.zeros((*size, 1), bool))]
        assert found == [list(seen), list(padded), reach], size
