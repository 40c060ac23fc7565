"""Files of classifiers trained on ImageNet: VGG-16 and ResNet of Keras, VGG-16 of torchvision.

Nothing is unpickled but by `torch.load(weights_only=True)`. How many numbers a file holds is known
before memory is allocated for them.
"""

import os
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.layers.preprocess import MEAN

HDF5 = (".h5", ".hdf5")
STATE_DICTS = (".safetensors", ".pth", ".pt")

# VGG-16 with its top has 138 million.
_MOST_WEIGHTS = 150_000_000
_BY_CONVOLUTIONS = {13: "VGG16", 53: "ResNet50", 104: "ResNet101"}
# Layers of keras.applications that no network of this package has.
_FIRST_LAYERS = {"block1_conv1", "conv1_conv"}
# torchvision.models.vgg16: the places of its convolutions and fully connected layers.
_FEATURES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_CLASSIFIER = (0, 3, 6)
# Of RGB in [0, 1]: torchvision's `VGG16_Weights.IMAGENET1K_V1.transforms()`.
_TORCH_MEAN = np.array((0.485, 0.456, 0.406))
_TORCH_DEVIATION = np.array((0.229, 0.224, 0.225))
_DAMAGE = (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError)


def is_classifier(model: keras.Model) -> bool:
    """Returns whether a model is a VGG-16 or ResNet of `keras.applications`, by its first layers.

    Example:

    >>> is_classifier(keras.applications.VGG16(weights=None, include_top=False))
    True
    """
    return not _FIRST_LAYERS.isdisjoint(layer.name for layer in model.layers)


def read_classifier(path: str | os.PathLike[str]) -> keras.Model:
    """Opens the weights of a classifier as a model of `keras.applications`.

    Args:
        path: A `.weights.h5` or `.h5` file of VGG-16, ResNet-50 or ResNet-101 of
            `keras.applications`, with or without its top; or a state dict of torchvision's VGG-16:
            `.safetensors`, or `.pth` where PyTorch is installed.

    Returns:
        The model. The first convolution of torchvision's VGG-16 is converted from RGB in [0, 1],
        normalised, to BGR in [0, 255] minus the mean of `tfdeconv.layers.Preprocess`. Only pixels
        at the border of an image differ: it is padded with zeros, which are the one mean or the
        other (half a gray level).

    Raises:
        UserError: when the file is missing, damaged or holds another network, or the package that
            reads it is not installed.

    Example:

    ```python
    model = read_classifier("vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5")
    ```
    """
    file = Path(path)
    if not file.is_file():
        raise UserError(
            f"`{file}` must be a file of weights. Received: no such file. Check the path."
        )
    try:
        if file.suffix in HDF5:
            return _from_hdf5(file)
        return _from_torchvision(_state_dict(file), file)
    except _DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"`{file}` must be an intact file of weights. Received: {reason}. Download it again."
        ) from error


def _from_hdf5(file: Path) -> keras.Model:
    shapes: list[tuple[int, ...]] = []

    def note(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError("an array in another file")
            shapes.append(item.shape)

    with h5py.File(file) as content:
        content.visititems(note)
    convolutions = sum(len(shape) == 4 for shape in shapes)
    name = _BY_CONVOLUTIONS.get(convolutions)
    if name is None or sum(map(prod, shapes)) > _MOST_WEIGHTS:
        raise _another(file, f"{convolutions} convolutions, {sum(map(prod, shapes))} numbers")
    classes = [shape[1] for shape in shapes if len(shape) == 2]
    # The one matrix of a ResNet, the last one of VGG-16: the others have 4096 columns.
    classes = [count for count in classes if count != 4096] or classes
    model = getattr(keras.applications, name)(
        weights=None, include_top=bool(classes), classes=classes[0] if classes else 1000
    )
    try:
        model.load_weights(file)
    except _DAMAGE as error:
        raise _another(file, str(error).splitlines()[0]) from error
    return model


def _state_dict(file: Path) -> Mapping[str, np.ndarray]:
    load, package = _LOADERS.get(file.suffix, (_load_torch, "torch"))
    try:
        return load(file)
    except ImportError as error:
        raise UserError(
            f"To read `{file}`, the package {package} must be installed. Received: {error}. "
            f"Install it with `pip install {package}`."
        ) from error
    except Exception as error:  # What these packages raise for damaged files is not bounded.
        raise ValueError(str(error)) from error


def _load_safetensors(file: Path) -> Mapping[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(file)


def _load_torch(file: Path) -> Mapping[str, np.ndarray]:
    import torch

    state = torch.load(file, map_location="cpu", weights_only=True)
    return {name: value.numpy() for name, value in state.items()}


_LOADERS: dict[str, tuple[Callable[[Path], Mapping[str, np.ndarray]], str]] = {
    ".safetensors": (_load_safetensors, "safetensors"),
    ".pth": (_load_torch, "torch"),
    ".pt": (_load_torch, "torch"),
}


def _from_torchvision(state: Mapping[str, np.ndarray], file: Path) -> keras.Model:
    places = [f"features.{place}" for place in _FEATURES]
    has_top = f"classifier.{_CLASSIFIER[0]}.weight" in state
    if has_top:
        places += [f"classifier.{place}" for place in _CLASSIFIER]
    missing = [name for name in places if f"{name}.weight" not in state]
    if missing:
        raise _another(file, f"no `{missing[0]}.weight` among {len(state)} arrays")
    last = state[f"{places[-1]}.bias"]
    model = keras.applications.VGG16(
        weights=None, include_top=has_top, classes=len(last) if has_top else 1000
    )
    weights: list[np.ndarray] = []
    for place in places:
        weights += [state[f"{place}.weight"].T, state[f"{place}.bias"]]
    # Kernels of (out, in, rows, columns) were transposed to (columns, rows, in, out).
    weights = [one.swapaxes(0, 1) if one.ndim == 4 else one for one in weights]
    weights[:2] = _from_normalised_rgb(weights[0], weights[1])
    if has_top:
        # torchvision flattens (channel, row, column), Keras (row, column, channel).
        index = 2 * len(_FEATURES)
        flat = weights[index].reshape(512, 7, 7, -1)
        weights[index] = flat.transpose(1, 2, 0, 3).reshape(weights[index].shape)
    try:
        model.set_weights(weights)
    except ValueError as error:
        raise _another(file, str(error).splitlines()[0]) from error
    return model


def _from_normalised_rgb(kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the convolution of `BGR - MEAN` that equals one of `(RGB / 255 - mean) / deviation`.

    Args:
        kernel: `(3, 3, 3, filters)`.
        bias: `(filters,)`.

    Returns:
        Kernel and bias, float32.
    """
    scaled = kernel / (255 * _TORCH_DEVIATION)[:, np.newaxis]
    # What is added to every channel: its mean here less its mean there.
    shift = np.array(MEAN[::-1]) - 255 * _TORCH_MEAN
    shifted = bias + np.einsum("hwcf,c->f", scaled, shift)
    return scaled[:, :, ::-1].astype(np.float32), shifted.astype(np.float32)


def _another(file: Path, received: str) -> UserError:
    return UserError(
        f"`{file}` must hold VGG-16, ResNet-50 or ResNet-101 of keras.applications, or VGG-16 of "
        f"torchvision. Received: {received}. Give one of them, or `--init imagenet`."
    )
