"""Confusion matrices and what follows from them, in NumPy."""

import numpy as np
import pytest

from tests.label_pairs import ANSWER, TRUTH, random_maps
from tfdeconv.metrics import confusion_matrix, iou_per_class, mean_iou, pixel_accuracy


def test_truth_is_in_rows_and_255_counts_nowhere() -> None:
    assert confusion_matrix(TRUTH, ANSWER, 4).tolist() == [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 2, 0],
        [0, 0, 0, 0],
    ]


def test_predictions_may_be_anything_where_the_truth_is_255() -> None:
    assert confusion_matrix(np.array([255, 1]), np.array([255, 1]), 2).tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 5), (0,), (0, 4)])
def test_equals_counting_one_by_one(shape: tuple[int, ...]) -> None:
    truth, answer = random_maps(1, shape, 3)
    expected = np.zeros((3, 3), np.int64)
    for t, a in zip(truth.ravel().tolist(), answer.ravel().tolist(), strict=True):
        if t != 255:
            expected[t, a] += 1
    result = confusion_matrix(truth, answer, 3)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("truth", "answer", "message"),
    [
        ([0, 1], [0, 2], r"`predictions` must be in \[0, 2\)\. Received: 0 to 2"),
        ([0, 1], [0, -1], r"`predictions` must be in \[0, 2\)\. Received: -1 to 0"),
        ([0, 5], [0, 1], r"`labels` must be in \[0, 2\)\. Received: 0 to 5"),
        ([0, 1], [[0, 1]], r"must have one shape\. Received: \(2,\) and \(1, 2\)"),
    ],
)
def test_what_cannot_be_counted_is_refused(truth: list, answer: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(np.array(truth), np.array(answer), 2)


def test_rates_of_a_small_matrix() -> None:
    confusion = confusion_matrix(TRUTH, ANSWER, 4)
    np.testing.assert_allclose(iou_per_class(confusion), [1 / 3, 1 / 3, 1, np.nan])
    assert mean_iou(confusion) == pytest.approx(5 / 9)
    assert pixel_accuracy(confusion) == pytest.approx(4 / 6)


def test_a_class_that_is_only_predicted_counts_as_zero() -> None:
    assert iou_per_class(np.array([[2, 1], [0, 0]])).tolist() == [2 / 3, 0]


def test_nothing_judged_gives_nan_without_a_warning() -> None:
    nothing = np.zeros((3, 3), np.int64)
    assert np.isnan([mean_iou(nothing), pixel_accuracy(nothing), *iou_per_class(nothing)]).all()


def test_rates_of_more_pixels_than_an_int32_holds() -> None:
    confusion = np.array([[2**40, 2**40], [0, 2**40]], np.int64)
    assert iou_per_class(confusion).tolist() == [0.5, 0.5]
    assert pixel_accuracy(confusion) == pytest.approx(2 / 3)
