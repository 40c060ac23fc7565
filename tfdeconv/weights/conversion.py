"""The blobs of one Caffe layer as the weights of one Keras layer: shapes first, arrays later.

A Caffe blob is (output, input, height, width) for a convolution and (input, output, height, width)
for a deconvolution; a Keras kernel is (height, width, input, output) and (height, width, output,
input). So one permutation serves both, without a flip: both libraries take the transpose of the
correlation for the deconvolution.
"""

import math
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from tfdeconv.weights.blob import Blob

# Weights of 2014 have a bias here, later ones none (voc-fcn8s/net.py: bias_term false).
_BIAS_MAY_LACK = ("upscore2",)
_KINDS = (
    keras.layers.BatchNormalization,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
)
_LARGE = 2**27
_TO_KERAS = (2, 3, 1, 0)


def expected_shape(layer: keras.Layer, classes: int | None = None) -> tuple[int, ...]:
    """Returns the shape that Caffe gives to the kernel of a (transposed) convolution.

    Args:
        layer: A built layer.
        classes: Of a layer of the head: as if the network had this number of classes.
    """
    high, wide, inner, outer = layer.kernel.shape
    if classes is not None:
        outer = classes
        inner = classes if isinstance(layer, keras.layers.Conv2DTranspose) else inner
    return outer, inner, high, wide


def find_problem(
    layer: keras.Layer, blobs: Sequence[Blob], classes: int | None = None
) -> str | None:
    """Says why blobs cannot be the weights of a layer, or returns None where they can.

    Args:
        layer: A built layer of the network.
        blobs: Those of the file under the same name.
        classes: As in `expected_shape`.
    """
    shapes = [blob.shape for blob in blobs]
    if not isinstance(layer, _KINDS):
        return f"{layer.name!r} is a {type(layer).__name__}, which has no counterpart in the file"
    if isinstance(layer, keras.layers.BatchNormalization):
        count = layer.gamma.shape[0]
        wanted: list[tuple[int, ...]] = [(1, count, 1, 1)] * 2
        fit = len(shapes) == 2 and all(_is_vector(shape, count) for shape in shapes)
    else:
        kernel = expected_shape(layer, classes)
        count = layer.kernel.shape[-2 if _transposed(layer) else -1] if classes is None else classes
        wanted = [kernel, (1, 1, 1, count)][: 1 + layer.use_bias]
        fit = bool(shapes) and (shapes[0] == kernel or _is_product(layer, shapes[0], kernel))
        fit = fit and all(_is_vector(shape, count) for shape in shapes[1:])
        lacks_bias = len(shapes) == 1 and layer.name in _BIAS_MAY_LACK
        fit = fit and (len(shapes) == len(wanted) or lacks_bias)
    if fit:
        return None
    return f"{layer.name!r} has blobs of {_listed(shapes)} in place of {_listed(wanted)}"


def assign(layer: keras.Layer, blobs: Sequence[Blob], folded: bool = True) -> None:
    """Gives a layer its weights, one array in memory at a time.

    Args:
        layer: A built layer for which `find_problem` found none.
        blobs: Its blobs.
        folded: Whether batch normalisations are plain affine maps, their statistics folded in.
    """
    for variable, array in zip(_variables(layer), _arrays(layer, blobs, folded), strict=True):
        if keras.backend.backend() == "tensorflow" and array.nbytes > _LARGE:
            # TensorFlow makes two copies of an array on its way into a variable: in pieces, two
            # copies of a piece.
            for place in np.ndindex(array.shape[:2]):
                variable.value.scatter_nd_update([place], array[place][None])
        else:
            variable.assign(array)


def _variables(layer: keras.Layer) -> list[keras.Variable]:
    if isinstance(layer, keras.layers.BatchNormalization):
        return [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
    return [layer.kernel, layer.bias] if layer.use_bias else [layer.kernel]


def _arrays(layer: keras.Layer, blobs: Sequence[Blob], folded: bool) -> Iterator[np.ndarray]:
    if isinstance(layer, keras.layers.BatchNormalization):
        count = layer.gamma.shape[0]
        yield from (blob.read((count,)) for blob in blobs)
        yield np.zeros(count, np.float32)
        yield np.full(count, 1.0 - layer.epsilon if folded else 1.0, np.float32)
        return
    yield blobs[0].read(expected_shape(layer), _TO_KERAS)
    yield from (blob.read(tuple(layer.bias.shape)) for blob in blobs[1:])
    if layer.use_bias and len(blobs) == 1:
        yield np.zeros(layer.bias.shape, np.float32)


def _transposed(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.Conv2DTranspose)


def _is_product(layer: keras.Layer, shape: tuple[int, ...], kernel: tuple[int, ...]) -> bool:
    # The classifier's fc6 is an inner product over the flattened map: (channel, row, column).
    product = (kernel[0], math.prod(kernel[1:]))
    return not _transposed(layer) and shape in (product, (1, 1, *product))


def _is_vector(shape: tuple[int, ...], count: int) -> bool:
    return math.prod(shape) == count == max(shape, default=0)


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return " and ".join(str(shape) for shape in shapes) or "no shape"
