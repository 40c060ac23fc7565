"""The ceiling: how good label maps get when the network is replaced by the truth.

What is lost then is lost by regions, resizing and aggregation alone; a shift by a pixel shows.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.data.small import crop_labels
from tests.helpers import shared_data
from tfdeconv import images
from tfdeconv.data.drawn import draw_dataset
from tfdeconv.data.voc import Split, read_split
from tfdeconv.metrics import confusion_matrix, mean_iou
from tfdeconv.proposals import propose_files
from tfdeconv.segmentation.segmenter import Segmenter

SIZE = 224


class TruthSegmenter(Segmenter):
    """Answers for each region with its true label map at 224x224, one-hot.

    Where the truth is void or outside the image, a network that knows the truth has nothing to say:
    either 0 for every class, or, stricter, background, which then grows into the objects from the
    void around them by up to half a pixel of the network.
    """

    truth: np.ndarray

    def __init__(self, classes: int, void_is_background: bool, aggregate: str) -> None:
        inputs = keras.Input((SIZE, SIZE, 3))
        super().__init__(
            keras.Model(inputs, keras.layers.Conv2D(classes, 1)(inputs)), 50, aggregate
        )

        def true_map(truth: tf.Tensor, region: tf.Tensor) -> tf.Tensor:
            crop = tf.cast(crop_labels(truth, region, SIZE), tf.int32)
            return tf.one_hot(tf.where(crop == 255, 0 if void_is_background else -1, crop), classes)

        spec = [tf.TensorSpec((None, None), tf.uint8), tf.TensorSpec((4,), tf.int32)]
        self.true_map = tf.function(true_map, input_signature=spec)
        self.pipeline.region_scores = self.true_scores

    def true_scores(self, image: tf.Tensor, regions: np.ndarray) -> np.ndarray:
        return np.stack([self.true_map(self.truth, region) for region in regions])


def ceilings(split: Split, found: dict, void_is_background: bool) -> dict[str, float]:
    """Mean IoU of the truth itself, aggregated by maximum and by mean."""
    classes, result = len(split.class_names), {}
    for aggregate in ("max", "mean"):
        segmenter = TruthSegmenter(classes, void_is_background, aggregate)
        confusion = np.zeros((classes, classes), np.int64)
        for image_id in split.ids:
            segmenter.truth = images.read_labels(split.label_path(image_id))
            # The photograph is not looked at: only its size matters.
            image = np.zeros((*segmenter.truth.shape, 3), np.uint8)
            labels = segmenter.segment(image, found[image_id].boxes)
            confusion += confusion_matrix(segmenter.truth, labels, classes)
        result[aggregate] = mean_iou(confusion)
    return result


@pytest.mark.parametrize("void_is_background", [False, True])
def test_ceiling_on_drawn_pictures(tmp_path: Path, void_is_background: bool) -> None:
    split = read_split(draw_dataset(tmp_path / "drawn", images=6, val=0), "train")
    found = propose_files([split.image_path(i) for i in split.ids], jobs=1)
    result = ceilings(split, found, void_is_background)
    assert result["max"] >= 0.98, result
    assert result["mean"] >= 0.99, result


@pytest.mark.large
def test_ceiling_on_voc() -> None:
    split = read_split(shared_data("voc2012"), "val")
    found = propose_files([split.image_path(i) for i in split.ids])
    result = ceilings(split, found, void_is_background=True)
    assert result["max"] >= 0.98, result
    assert result["mean"] >= 0.99, result
