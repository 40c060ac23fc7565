"""The SegNet of many Keras projects: its `.h5` files in our `SegNet`.

The common one has the layers of SegNet with the names that Keras gives (`conv2d`,
`batch_normalization`, `conv2d_1`, ...), a last convolution of 1x1 in place of 3x3, often normalised
itself, then softmax. Its images are scaled by the caller.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.layers import Preprocess
from tfdeconv.weights.keras_h5 import SavedLayer, saved_layers
from tfdeconv.weights.mapping import Report

KERAS_EPSILON = 1e-3
_CONVOLUTIONS = 26
_LAST = "conv1_1_D"
_FULL_WIDTH = 64
_STATISTICS = {"moving_mean", "moving_variance"}
# Settings -> what they are in a SegNet, as Keras 2 or 3 writes it; the default without them.
_OF_CONVOLUTION: Mapping[str, tuple[Any, ...]] = {
    "strides": (1, [1, 1]),
    "dilation_rate": (1, [1, 1]),
    "data_format": ("channels_last", None),
}
_OF_NORM: Mapping[str, tuple[Any, ...]] = {"axis": (-1, 3, [-1], [3])}
_COMPILED = ("train_function", "test_function", "predict_function")


class _Pair(NamedTuple):
    """A convolution of the file with the normalisation after it."""

    convolution: SavedLayer
    norm: SavedLayer | None


def load_segnet_h5(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    scale: float | Sequence[float],
    mean: float | Sequence[float] = 0.0,
    order: str = "rgb",
    epsilon: float = KERAS_EPSILON,
) -> Report:
    """Loads a SegNet that was built and trained by another Keras project: all 26 convolutions.

    The scores are then those of the other network before its softmax. Its differences become part
    of the weights: the range of its images (the layer `preprocess` gets its mean), the order of
    colours, the epsilon of its normalisations, a last convolution of 1x1, which becomes the centre
    of ours, and a normalisation after it. A file does not say how images were scaled: `scale`,
    `mean` and `order` must be given. Nor does a file of weights alone say whether ReLU follows the
    normalisation, as here, or precedes it.

    Both layouts of Keras's HDF5 are read: `.h5` and `.weights.h5`. Memory beyond the network is
    bounded by one copy of its weights.

    Args:
        model: `SegNet` of `tfdeconv.models`, of the width and the number of classes of the file.
        path: The file.
        scale: The other network takes `(image - mean) * scale`, of images in [0, 255]: a number
            such as 1 or 1 / 255, or three, for R, G and B.
        mean: A number, or three, for R, G and B.
        order: `"rgb"`, or `"bgr"` where it takes images as OpenCV reads them.
        epsilon: That of its normalisations, for a file of weights alone; otherwise the file has it.
            Above 0.

    Returns:
        The `Report`; its notes list the differences.

    Raises:
        ValueError: when `model` is not a SegNet, or an argument is out of range.
        UserError: when the file cannot be read, holds another network, or one of another size;
            nothing has been loaded then.

    Example:

    ```python
    model = tfdeconv.models.SegNet(num_classes=12)
    print(load_segnet_h5(model, "segnet.h5", scale=1 / 255))
    ```
    """
    names = _names(model)
    means, scales = _of_channels("mean", mean), _of_channels("scale", scale)
    if order not in ("rgb", "bgr"):
        raise ValueError(f'`order` must be "rgb" or "bgr". Received: order={order!r}')
    if not epsilon > 0:
        raise ValueError(f"`epsilon` must be above 0. Received: epsilon={epsilon}")
    with saved_layers(path) as layers:
        pairs = _paired(layers, path)
        _check_fit(model, names, pairs, path)
        weights = [
            named
            for name, pair in zip(names, pairs, strict=True)
            for named in _converted(model, name, pair, epsilon)
        ]
    for name, arrays in weights:
        model.get_layer(name).set_weights(arrays)
    _take_over_images(model, names[0], means, scales, order)
    notes = [f"images are taken as ({order.upper()} - {means.tolist()}) * {scales.tolist()}"]
    if pairs[-1].norm is not None:
        notes.append(f"{pairs[-1].norm.name} is part of {names[-1]}")
    return Report(tuple(name for name, _ in weights), notes=tuple(notes))


def _names(model: keras.Model) -> list[str]:
    names = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    kinds = {type(layer) for layer in model.layers}
    if len(names) != _CONVOLUTIONS or names[-1] != _LAST or Preprocess not in kinds:
        raise ValueError(
            f"`model` must be a SegNet of tfdeconv.models. Received: {model.name!r} with "
            f"{len(names)} convolutions"
        )
    return names


def _of_channels(name: str, value: float | Sequence[float]) -> np.ndarray:
    values = np.asarray(value, np.float64)
    if values.shape not in ((), (3,)) or not np.isfinite(values).all():
        raise ValueError(
            f"`{name}` must be a number or three, for R, G and B. Received: {name}={value}"
        )
    return np.broadcast_to(values, (3,))


def _converted(
    model: keras.Model, name: str, pair: _Pair, epsilon: float
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Names of layers of the network and their weights."""
    kernel = pair.convolution.read("kernel")
    bias = _read(pair.convolution, "bias", np.zeros(kernel.shape[-1], np.float32))
    if pair.norm is not None:
        gamma, beta, mean, variance = _statistics(pair.norm)
        theirs = variance + float(pair.norm.settings.get("epsilon", epsilon))
        if name == _LAST:
            factor = gamma / np.sqrt(theirs)
            kernel, bias = kernel * factor, (bias - mean) * factor + beta
        else:
            norm = model.get_layer(f"{name}_bn")
            # In training, too, where batches are like all of the data.
            gamma = gamma * np.sqrt((variance + norm.epsilon) / theirs)
            yield norm.name, [gamma, beta, mean, variance]
    if kernel.shape[:2] == (1, 1):
        kernel = np.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0)))
    yield name, [kernel, bias]


def _statistics(norm: SavedLayer) -> tuple[np.ndarray, ...]:
    mean, variance = norm.read("moving_mean"), norm.read("moving_variance")
    ones = np.ones_like(mean)
    return _read(norm, "gamma", ones), _read(norm, "beta", 0 * ones), mean, variance


def _read(layer: SavedLayer, array: str, default: np.ndarray) -> np.ndarray:
    return layer.read(array) if array in layer.arrays else default


def _take_over_images(
    model: keras.Model, first: str, mean: np.ndarray, scale: np.ndarray, order: str
) -> None:
    """Moves the mean into `preprocess`, and scale and order of colours into the first kernel."""
    # So the zeros beyond the border are the same colour in both networks.
    preprocess = next(layer for layer in model.layers if isinstance(layer, Preprocess))
    preprocess.mean = tuple(mean[::-1].tolist())
    kernel, bias = model.get_layer(first).get_weights()
    kernel = kernel if order == "bgr" else kernel[:, :, ::-1]
    model.get_layer(first).set_weights([kernel * scale[::-1, None], bias])
    # What Keras has traced holds the mean from before.
    for function in _COMPILED:
        setattr(model, function, None)


def _paired(layers: Sequence[SavedLayer], path: str | os.PathLike[str]) -> list[_Pair]:
    """Returns the 26 convolutions of SegNet, each with its normalisation."""
    pairs: list[_Pair] = []
    problem = None
    for layer in layers:
        if "kernel" in layer.arrays:
            pairs.append(_Pair(layer, None))
        elif layer.arrays.keys() >= _STATISTICS and pairs and pairs[-1].norm is None:
            pairs[-1] = pairs[-1]._replace(norm=layer)
        else:
            problem = problem or f"{layer.name} behind no convolution"
    if len(pairs) != _CONVOLUTIONS:
        problem = f"{len(pairs)} convolutions"
    # The last one must be as the others where it is normalised.
    checked = pairs if pairs and pairs[-1].norm is not None else pairs[:-1]
    problem = problem or next(filter(None, [*map(_doubt, checked), *map(_unlike, pairs)]), None)
    if problem is not None:
        raise UserError(
            f"`{path}` must hold a SegNet: {_CONVOLUTIONS} convolutions, each but the last with "
            f"batch normalisation and then ReLU. Received: {problem}. No other can be loaded."
        )
    return pairs


def _doubt(pair: _Pair) -> str | None:
    convolution, norm = pair
    if norm is None:
        return f"{convolution.name} without batch normalisation"
    if convolution.settings.get("activation", "linear") != "linear":
        return f"{convolution.name} with its activation before the normalisation"
    epsilon = norm.settings.get("epsilon", 1.0)
    if not isinstance(epsilon, int | float) or not epsilon > 0:
        return f"{norm.name} with an epsilon of {epsilon!r}"
    return None


def _unlike(pair: _Pair) -> str | None:
    """Returns a setting that changes what is computed of the arrays."""
    for layer, usual in ((pair.convolution, _OF_CONVOLUTION), (pair.norm, _OF_NORM)):
        if layer is None:
            continue
        for name, values in usual.items():
            value = layer.settings.get(name, values[0])
            if value not in values:
                return f"{layer.name} with {name} {value!r} in place of {values[0]!r}"
    return None


def _check_fit(
    model: keras.Model, names: Sequence[str], pairs: Sequence[_Pair], path: str | os.PathLike[str]
) -> None:
    """Checks that every array of the file has the shape of the network's."""
    problems = []
    for name, (convolution, norm) in zip(names, pairs, strict=True):
        kernel = tuple(model.get_layer(name).kernel.shape)
        wanted = {"kernel": kernel, "bias": kernel[-1:]}
        if name == names[-1] and convolution.shape("kernel") == (1, 1, *kernel[2:]):
            wanted["kernel"] = (1, 1, *kernel[2:])
        arrays = [(convolution, key, wanted.get(key)) for key in convolution.arrays]
        arrays += [(norm, key, kernel[-1:]) for key in norm.arrays] if norm else []
        problems += [
            f"{layer.name} has {layer.shape(key)} in place of {shape}"
            for layer, key, shape in arrays
            if layer.shape(key) != shape
        ]
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise UserError(
            f"`{path}` must fit the network. Received: {problems[0]}{more}. {_remedy(pairs)}."
        )


def _remedy(pairs: Sequence[_Pair]) -> str:
    first, last = (pairs[i].convolution.shape("kernel") or () for i in (0, -1))
    if len(first) != 4 or len(last) != 4:
        return "Choose a file of a SegNet"
    if last[-1] == 1:
        return "It scores a single class by a sigmoid, which SegNet does not"
    width = first[-1] / _FULL_WIDTH
    return f"Load it into SegNet(num_classes={last[-1]}, width={width:g})"
