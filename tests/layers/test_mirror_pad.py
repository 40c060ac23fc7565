"""`MirrorPad` beside `numpy.pad`, for every size, known and unknown."""

import keras
import numpy as np
import pytest

from tfdeconv.layers import MirrorPad


def mirrored(x: np.ndarray, margin: int, multiple: int, remainder: int) -> np.ndarray:
    widths = [(0, 0)]
    for side in x.shape[1:3]:
        more = 0
        while (side + 2 * margin + more) % multiple != remainder:
            more += 1
        widths.append((margin, margin + more))
    return np.pad(x, [*widths, (0, 0)], "reflect")


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 4), (13, 1)])
@pytest.mark.parametrize(("margin", "multiple", "remainder"), [(0, 1, 0), (3, 1, 0), (5, 4, 3)])
def test_it_is_numpys_reflection(size, margin: int, multiple: int, remainder: int) -> None:
    x = np.random.default_rng(0).random((2, *size, 3)).astype("float32")
    layer = MirrorPad(margin, multiple, remainder)
    expected = mirrored(x, margin, multiple, remainder)
    np.testing.assert_array_equal(layer(x), expected)
    assert layer.compute_output_shape(x.shape) == expected.shape
    open_model = keras.Model(i := keras.Input((None, None, 3)), layer(i))
    assert open_model.output_shape == (None, None, None, 3)
    # A graph for sizes that are not known when it is traced.
    np.testing.assert_array_equal(traced(open_model)(x), expected)


def traced(model: keras.Model):
    import tensorflow as tf

    return tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 3))])


def test_by_hand() -> None:
    column = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    padded = MirrorPad(1, multiple=4)(column)[0, :, :, 0].numpy()
    assert padded[:, 0].tolist() == [2, 1, 2, 3, 2, 1, 2, 3] and padded.shape == (8, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1,), "`margin` must be an integer from 0 on"),
        ((1.5,), "`margin` must be an integer from 0 on"),
        ((1, 0), "`multiple` must be a positive integer"),
        ((1, 4, 4), "`remainder` at least 0 and below it"),
    ],
)
def test_arguments_that_cannot_be(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MirrorPad(*arguments)
