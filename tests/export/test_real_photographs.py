"""Real photographs get from the served graph the labels that they get here."""

import numpy as np
import pytest
import tensorflow as tf

from tests.export.networks import lively_network
from tests.helpers import shared_data
from tfdeconv import images
from tfdeconv.crf import DenseCRF
from tfdeconv.data.voc import read_split
from tfdeconv.export import export_saved_model
from tfdeconv.segmentation.segmenter import Segmenter


@pytest.mark.large
@pytest.mark.parametrize("crf", [None, DenseCRF()], ids=["alone", "crf"])
def test_labels_of_photographs_are_the_segmenters(crf, tmp_path) -> None:
    split = read_split(shared_data("voc2012"), "val")
    network = lively_network(size=64)
    folder = export_saved_model(network, tmp_path, boxes=9, crf=crf)
    served = tf.saved_model.load(str(folder)).signatures["segment_bytes"]
    segmenter = Segmenter(network, boxes=9, proposals="grid", crf=crf)
    for image_id in split.ids[: 20 if crf is None else 5]:
        data = split.image_path(image_id).read_bytes()
        (encoded,) = served(images_bytes=tf.constant([data]))["labels_png_bytes"].numpy()
        expected = segmenter.segment(images.decode_image(data))
        assert np.mean(images.decode_labels(encoded) == expected) >= 0.999, image_id
