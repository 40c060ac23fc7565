"""The two backends of DenseCRF against each other, and pydensecrf's posteriors of long ago."""

import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tensorflow as tf

import tfdeconv
from tests.helpers import shared_data
from tfdeconv.crf import DenseCRF
from tfdeconv.errors import UserError

# The golden posteriors' parameters, on images read as BGR.
GOLDEN = DenseCRF(gaussian=(3, 3), bilateral=(80, 13, 10), iterations=5)


def from_labels(annotation: np.ndarray) -> np.ndarray:
    """Probabilities of 0.7 for a pixel's colour; black pixels, if any, are uncertain."""
    colours = annotation.astype(np.int64) @ [1, 2**8, 2**16]
    classes = [colour for colour in np.unique(colours) if colour]
    probabilities = np.full((*colours.shape, len(classes)), 0.3 / (len(classes) - 1))
    for index, colour in enumerate(classes):
        probabilities[colours == colour, index] = 0.7
    probabilities[colours == 0] = 1 / len(classes)
    return probabilities


@pytest.mark.parametrize(
    ("image", "annotation", "golden"),
    [("im1", "anno1", "1"), ("im1", "anno1-b", "1b"), ("im2", "anno2", "2")],
)
def test_golden_posteriors(image: str, annotation: str, golden: str) -> None:
    folder = shared_data("densecrf")
    probabilities = from_labels(cv2.imread(str(folder / f"{annotation}.png")))
    expected = np.load(folder / f"golden_Q_{golden}.npz")["Q"].T.reshape(probabilities.shape)
    result = GOLDEN(probabilities, cv2.imread(str(folder / f"{image}.png")))
    # Measured: labels of 99.95, 99.96 and 99.85 % of the pixels, differences of 0.0004, 0.0004 and
    # 0.0016. pydensecrf2 1.1 differs from the golden files by as much and not from us.
    assert np.mean(result.argmax(axis=-1) == expected.argmax(axis=-1)) >= 0.998
    assert np.abs(result - expected).mean() <= 0.002


@pytest.mark.parametrize(
    "crf",
    [GOLDEN, DenseCRF(), DenseCRF.release(), DenseCRF(None, (20, 9, 2)), DenseCRF((5, 1), None)],
)
@pytest.mark.parametrize(("height", "width", "classes"), [(40, 57, 5), (33, 20, 2), (1, 1, 3)])
def test_backends_agree(crf: DenseCRF, height: int, width: int, classes: int) -> None:
    pytest.importorskip("pydensecrf", reason="pydensecrf2 is not installed")
    rng = np.random.default_rng(width)
    image = cv2.resize(rng.integers(0, 256, (4, 5, 3)).astype(np.uint8), (width, height))
    probabilities = rng.dirichlet([0.5] * classes, (height, width))
    expected = replace(crf, backend="pydensecrf")(probabilities, image)
    result = crf(probabilities, image)
    assert expected.dtype == np.float32 and expected.flags.c_contiguous
    assert np.mean(result.argmax(axis=-1) == expected.argmax(axis=-1)) >= 0.995
    # Pixels on the fence fall by rounding, and others follow them.
    assert np.abs(result - expected).mean() < 1e-3


def test_pydensecrf_gives_tensors_for_tensors_and_stays_out_of_graphs() -> None:
    pytest.importorskip("pydensecrf", reason="pydensecrf2 is not installed")
    crf = DenseCRF(backend="pydensecrf", iterations=1)
    image, probabilities = tf.zeros((4, 5, 3), tf.uint8), tf.fill((4, 5, 2), 0.5)
    assert isinstance(crf(probabilities, image), tf.Tensor)
    with pytest.raises(ValueError, match='Use backend="tensorflow" in graphs'):
        tf.function(crf)(probabilities, image)


def test_pydensecrf_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    with pytest.raises(UserError, match=r"must find the package pydensecrf.*`pip install pydense"):
        tfdeconv.DenseCRF(backend="pydensecrf")
