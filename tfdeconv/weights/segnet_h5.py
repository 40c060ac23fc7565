"""SegNet as it is copied from project to project in Keras: its `.h5` files in our `SegNet`.

The common one has the layers of SegNet with the names that Keras gives (`conv2d`,
`batch_normalization`, `conv2d_1`, ...), a last convolution of 1x1 in place of 3x3, often normalised
itself, then softmax. It leaves it to the caller to bring images into the range it was trained with.
"""

import os
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from tfdeconv.layers import Preprocess
from tfdeconv.weights.keras_h5 import SavedLayer, saved_layers
from tfdeconv.weights.mapping import Report
from tfdeconv.weights.segnet_layers import CONVOLUTIONS, Pair, check_fit, paired

KERAS_EPSILON = 1e-3
LAST = "conv1_1_D"
_COMPILED = ("train_function", "test_function", "predict_function")


def load_segnet_h5(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    scale: float | Sequence[float],
    mean: float | Sequence[float] = 0.0,
    order: str = "rgb",
    epsilon: float = KERAS_EPSILON,
) -> Report:
    """Loads a SegNet that was built and trained elsewhere in Keras: all 26 convolutions.

    The scores are then those of the other network before its softmax. What it did differently is
    worked into the weights: the range of its images (the `mean` of the layer `preprocess` becomes
    its own), the order of colours, the epsilon of its normalisations, a last convolution of 1x1,
    which becomes the middle of ours, and a normalisation behind it. A file tells nothing of images:
    `scale`, `mean` and `order` must be given as they were. A file of weights alone does not tell
    either whether ReLU comes behind the normalisation, as here, or before it.

    Both layouts of Keras's HDF5 are read: `.h5` and `.weights.h5`. Memory beyond the network is
    bounded by one copy of its weights.

    Args:
        model: `SegNet` of `tfdeconv.models`, of the width and the number of classes of the file.
        path: The file.
        scale: The other network was shown `(image - mean) * scale`, of images in [0, 255]: a
            number such as 1 or 1 / 255, or three, for R, G and B.
        mean: A number, or three, for R, G and B.
        order: `"rgb"`, or `"bgr"` where it was shown images as OpenCV reads them.
        epsilon: That of its normalisations, where the file has no settings (weights alone);
            otherwise those of the file are taken. Above 0.

    Returns:
        The `Report`; its notes tell what was worked in.

    Raises:
        ValueError: when `model` is no SegNet, or an argument is out of its range.
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
        pairs = paired(layers, path)
        check_fit(model, names, pairs, path)
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
    if len(names) != CONVOLUTIONS or names[-1] != LAST or Preprocess not in kinds:
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
    model: keras.Model, name: str, pair: Pair, epsilon: float
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Names of layers of the network and their weights."""
    kernel = pair.convolution.read("kernel")
    bias = _read(pair.convolution, "bias", np.zeros(kernel.shape[-1], np.float32))
    if pair.norm is not None:
        gamma, beta, mean, variance = _statistics(pair.norm)
        theirs = variance + pair.epsilon(epsilon)
        if name == LAST:
            factor = gamma / np.sqrt(theirs)
            kernel, bias = kernel * factor, (bias - mean) * factor + beta
        else:
            norm = model.get_layer(f"{name}_bn")
            # In training, too, this is what theirs did where batches are like the whole data.
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
    """Lets `preprocess` subtract the other mean, and the first kernel do the rest.

    So zeros beyond the border mean in both networks the same colour.
    """
    preprocess = next(layer for layer in model.layers if isinstance(layer, Preprocess))
    preprocess.mean = tuple(mean[::-1].tolist())
    kernel, bias = model.get_layer(first).get_weights()
    kernel = kernel if order == "bgr" else kernel[:, :, ::-1]
    model.get_layer(first).set_weights([kernel * scale[::-1, None], bias])
    # What Keras has traced holds the mean from before.
    for function in _COMPILED:
        setattr(model, function, None)
