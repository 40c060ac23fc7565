"""What a segmenter computes in: as told, or what the machine multiplies fastest."""

import numpy as np
import pytest

from tests.segmentation.networks import colour_network, painted
from tfdeconv import processor
from tfdeconv.segmentation.network import PRECISIONS, chosen_precision
from tfdeconv.segmentation.segmenter import Segmenter


@pytest.mark.parametrize(("multiplies", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_auto_asks_the_processor(multiplies, chosen, monkeypatch):
    monkeypatch.setattr(processor, "multiplies_bfloat16", lambda: multiplies)
    assert chosen_precision("auto") == chosen


def test_names():
    assert [chosen_precision(name) for name in PRECISIONS] == list(PRECISIONS)
    with pytest.raises(ValueError, match=r"`precision` must be one of .*auto.*precision='half'"):
        chosen_precision("half")


def test_a_segmenter_computes_in_it_and_labels_stay():
    image, _ = painted(40, 50)
    plain = Segmenter(colour_network(), proposals="grid")
    half = Segmenter(colour_network(), proposals="grid", precision="bfloat16")
    assert plain.model.layers[1].compute_dtype == "float32"
    assert half.model.layers[1].compute_dtype == "bfloat16"
    labels = half.segment(image)
    assert np.mean(labels == plain.segment(image)) > 0.98
    assert half.scores(image).dtype == np.float32
    with pytest.raises(ValueError, match="`precision` must be one of"):
        Segmenter(colour_network(), precision="float8")
