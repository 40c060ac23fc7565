"""From an image of any size to a label map, with networks whose answers are known."""

import functools
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import run_python
from tests.reference import aggregation as reference
from tests.segmentation.networks import COLOURS, CountsTraces, colour_network, painted
from tfdeconv.data.crops import crop_images
from tfdeconv.errors import UserError
from tfdeconv.proposals import multi_scale_grid
from tfdeconv.segmentation.aggregate import MODES
from tfdeconv.segmentation.segmenter import Segmenter

BOXES = np.array([[2, 3, 14, 15], [-4, 8, 9, 25], [6, 0, 20, 11], [0, 0, 7, 7]], np.float32)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return colour_network()


@functools.cache
def segmenter_with(**options) -> Segmenter:
    return Segmenter(colour_network(), **options)


@pytest.mark.parametrize("aggregate", MODES)
@pytest.mark.parametrize("proposals", ["edges", "grid"])
def test_finds_the_blocks_of_a_painted_image(aggregate: str, proposals: str) -> None:
    image, labels = painted(60, 83)
    found = segmenter_with(aggregate=aggregate, proposals=proposals).segment(image)
    assert found.dtype == np.uint8 and found.shape == labels.shape
    # The network sees 83 pixels on 14: borders are uncertain, the rest is not.
    assert np.mean(found == labels) > 0.93
    assert set(np.unique(found)) == {0, 1, 2}


@pytest.mark.parametrize("aggregate", MODES)
@pytest.mark.parametrize("size", [(21, 26), (9, 40), (33, 5)])
def test_scores_are_regions_crops_network_and_plain_loops(
    network: keras.Model, aggregate: str, size: tuple[int, int]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    segmenter = segmenter_with(boxes=3, aggregate=aggregate, batch_size=2)
    regions = segmenter.regions(image, BOXES)
    assert len(regions) == 4
    crops = crop_images(tf.constant(image), tf.constant(regions), 16)
    scores = network.predict(crops, verbose=0)
    expected = reference.aggregate(scores, regions, *size, aggregate)
    result = segmenter.scores(image, BOXES)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(segmenter.segment(image, BOXES), result.argmax(axis=-1))


@pytest.mark.parametrize("size", [(1, 1), (1, 60), (60, 1), (2, 3), (300, 7), (31, 64)])
@pytest.mark.parametrize("proposals", ["edges", "grid"])
@pytest.mark.parametrize("aggregate", MODES)
def test_any_size(size: tuple[int, int], proposals: str, aggregate: str) -> None:
    segmenter = segmenter_with(aggregate=aggregate, proposals=proposals)
    image = np.broadcast_to(COLOURS[1], (*size, 3))
    labels = segmenter.segment(image)
    assert labels.shape == size and labels.dtype == np.uint8
    assert np.isfinite(segmenter.scores(image)).all()
    # Of so narrow an image regions see black, too, and call what is near it background. Of raw
    # scores that of the background is 0 in all of them, and red wins wherever one is sure of it.
    if aggregate == "raw_max":
        np.testing.assert_array_equal(labels, np.ones(size, np.uint8))


@pytest.mark.parametrize("proposals", ["edges", "grid"])
def test_a_blank_image_is_background(proposals: str) -> None:
    segmenter = segmenter_with(aggregate="max", proposals=proposals)
    assert not segmenter.segment(np.zeros((40, 50, 3), np.uint8)).any()
    assert len(segmenter.regions(np.zeros((40, 50, 3), np.uint8))) > 10


def test_given_boxes_take_the_place_of_found_ones() -> None:
    image, _ = painted(24, 30)
    edges, grid = (segmenter_with(aggregate="max", proposals=name) for name in ("edges", "grid"))
    found = grid.scores(image)
    np.testing.assert_array_equal(edges.scores(image, multi_scale_grid(24, 30)), found)
    alone = segmenter_with(boxes=0).scores(image)
    for nothing in (np.zeros((0, 4)), np.zeros((0, 4), np.int32)):
        np.testing.assert_array_equal(edges.scores(image, nothing), alone)


@pytest.mark.parametrize(
    ("boxes", "batch_size", "used"), [(50, 16, 13), (0, 16, 1), (3, 4, 4), (9, 1, 1)]
)
def test_batches_are_as_full_as_can_be(
    network: keras.Model, boxes: int, batch_size: int, used: int
) -> None:
    assert Segmenter(network, boxes=boxes, batch_size=batch_size).batch_size == used


def test_batches_do_not_change_the_result(network: keras.Model) -> None:
    image, _ = painted(50, 40)
    first, *others = (
        Segmenter(network, proposals="grid", batch_size=size).scores(image)
        for size in (1, 4, 7, 64)
    )
    for other in others:
        np.testing.assert_allclose(other, first, rtol=0, atol=1e-6)


def test_nothing_is_traced_again_for_another_image_or_number_of_boxes() -> None:
    inputs = keras.Input((16, 16, 3))
    network = keras.Model(inputs, CountsTraces()(keras.layers.Conv2D(3, 1)(inputs)))
    segmenter = Segmenter(network, boxes=5, batch_size=4)
    CountsTraces.traces.clear()
    for height, width, count in ((20, 30, 4), (31, 8, 0), (50, 50, 2), (1, 9, 3)):
        image = np.zeros((height, width, 3), np.uint8)
        segmenter.segment(image, BOXES[:count])
        segmenter.scores(image, BOXES[:count])
    assert CountsTraces.traces == [(None, 16, 16, 3)]
    functions = {**vars(segmenter), **vars(segmenter.pipeline)}
    counts = {
        name: function.experimental_get_tracing_count()
        for name, function in functions.items()
        if hasattr(function, "experimental_get_tracing_count")
    }
    assert len(counts) == 5 and set(counts.values()) <= {0, 1}, counts


def test_opens_saved_models(network: keras.Model, tmp_path: Path) -> None:
    network.save(tmp_path / "model.keras")
    image, _ = painted(20, 30)
    expected = Segmenter(network, proposals="grid").segment(image)
    for path in (tmp_path, str(tmp_path / "model.keras")):
        np.testing.assert_array_equal(Segmenter(path, proposals="grid").segment(image), expected)
    with pytest.raises(UserError, match=r"`.*nowhere` must be a .keras file or a run folder"):
        Segmenter(tmp_path / "nowhere")


def test_scores_may_be_coarser_than_the_input() -> None:
    inputs = keras.Input((16, 16, 3))
    outputs = keras.layers.AveragePooling2D(4)(colour_network()(inputs))
    image, labels = painted(60, 60)
    found = Segmenter(keras.Model(inputs, outputs), boxes=0).segment(image)
    assert np.mean(found == labels) > 0.8


def test_boxes_without_area_leave_the_whole_image() -> None:
    image, _ = painted(24, 30)
    segmenter = segmenter_with(boxes=3, aggregate="max", batch_size=2)
    flat = [[3, 3, 3, 9], [9, 9, 2, 2]]
    assert segmenter.regions(image, flat).tolist() == [[-6, -3, 30, 33]]


ON_JAX = """
import json, numpy as np
from tests.segmentation.networks import colour_network, painted
from tfdeconv.segmentation.segmenter import Segmenter
segmenter = Segmenter(colour_network(), proposals="grid")
print(json.dumps(segmenter.segment(painted(24, 30)[0]).tolist()))
"""


def test_networks_of_another_backend() -> None:
    pytest.importorskip("jax")
    process = run_python("-c", ON_JAX, KERAS_BACKEND="jax")
    assert process.returncode == 0, process.stderr
    expected = segmenter_with(aggregate="max", proposals="grid").segment(painted(24, 30)[0])
    np.testing.assert_array_equal(json.loads(process.stdout), expected)
