"""What a segmenter computes in: as told, or what the machine multiplies fastest."""

import numpy as np
import pytest

from tests.inference.networks import colour_network, painted
from tfdeconv.inference import precision
from tfdeconv.inference.precision import chosen_precision
from tfdeconv.inference.segmenter import Segmenter


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [
        ("flags : fpu avx512f avx512_bf16 vaes", "bfloat16"),
        ("flags : amx_bf16 amx_tile", "bfloat16"),
        ("Features : fp asimd bf16 i8mm", "bfloat16"),
        ("flags : fpu avx2 avx512f", "float32"),
        ("flags : notbf16x", "float32"),
    ],
)
def test_auto_reads_what_the_processor_can(flags, chosen, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(flags)
    monkeypatch.setattr(precision, "Path", lambda _: tmp_path / "cpuinfo")
    assert chosen_precision("auto") == chosen


def test_auto_without_that_file(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "Path", lambda _: tmp_path / "nowhere")
    assert chosen_precision("auto") == "float32"


def test_names():
    assert [chosen_precision(name) for name in precision.PRECISIONS] == list(precision.PRECISIONS)
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
