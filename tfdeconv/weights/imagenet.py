"""VGG-16 or ResNet, trained to classify ImageNet, as the encoder that training starts from.

The paper starts stage 1 from VGG-16 (section 4.2). It comes from `keras.applications`, which holds
the weights of its authors (BGR minus the mean, as `tfdeconv.layers.Preprocess` makes it), or from a
.caffemodel.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import keras

from tfdeconv.errors import UserError
from tfdeconv.weights.caffe import read_caffemodel
from tfdeconv.weights.conversion import assign, find_problem
from tfdeconv.weights.imagenet_resnet import is_resnet, load_resnet
from tfdeconv.weights.mapping import Report

IMAGENET = "imagenet"
_STAGES = (2, 2, 3, 3, 3)
_CONVOLUTIONS = tuple(
    f"conv{stage}_{index}"
    for stage, count in enumerate(_STAGES, start=1)
    for index in range(1, count + 1)
)
_NORM = "bn1_1"
_FULLY_CONNECTED = ("fc6", "fc7")
# Names of keras.applications.VGG16.
_KERAS_NAMES = {name: f"block{name[4]}_conv{name[6]}" for name in _CONVOLUTIONS} | {
    "fc6": "fc1",
    "fc7": "fc2",
}
_DOWNLOAD = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
    "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
)

# Says what keeps a layer from being loaded, and loads it.
_Find = Callable[[keras.Layer], str | None]
_Load = Callable[[keras.Layer], None]


def load_encoder(
    model: keras.Model, source: str | os.PathLike[str] | keras.Model = IMAGENET
) -> Report:
    """Loads VGG-16 into the encoder of a network: `conv1_1` to `conv5_3`, `fc6` and `fc7`.

    The fully connected layers are loaded where they fit: `fc6` sees 7x7 places, as in a network for
    224x224 pixels. All other layers stay as they are. A network on the ResNet of He et al. gets a
    ResNet (`tfdeconv.weights.imagenet_resnet`).

    Args:
        model: A network of `tfdeconv.models` of width 1.
        source: `"imagenet"` for the weights of `keras.applications`, which are downloaded once
            (553 MB); a VGG-16 of Keras, with or without its top; or a .caffemodel file such as
            `VGG_ILSVRC_16_layers_conv.caffemodel` or `VGG_ILSVRC_16_layers.caffemodel`. For ResNet
            `"imagenet"` or a model of Keras.

    Returns:
        The `Report`.

    Raises:
        UserError: when the weights cannot be had, a convolution is missing in them, or the
            network is of another width; nothing has been loaded then.

    Example:

    ```python
    model = tfdeconv.models.DeconvNet(num_classes=9)
    print(load_encoder(model))
    ```

    Reference:
        Section 4.2 of the paper; `training/001_start_train.sh` of the release.
    """
    if is_resnet(model):
        return _load_resnet(model, source)
    if source == IMAGENET:
        source = _keras_vgg16()
    if isinstance(source, keras.Model):
        found, find, load = _from_keras(source)
        origin = f"the model {source.name!r}"
    else:
        found, find, load = _from_caffe(source)
        origin = f"`{source}`"
    layers = {layer.name: layer for layer in model.layers}
    # The Deep Contextual Network ends with the fourth stage.
    convolutions = tuple(
        name for name in _CONVOLUTIONS if name in layers or name in _CONVOLUTIONS[:1]
    )
    _check_convolutions(convolutions, layers, found, find, origin)
    fits = all(
        name in found and name in layers and find(layers[name]) is None for name in _FULLY_CONNECTED
    )
    loaded = convolutions + (_FULLY_CONNECTED if fits else ())
    for name in loaded:
        load(layers[name])
    kept = [layer.name for layer in model.layers if layer.weights and layer.name not in loaded]
    return Report(loaded, tuple(kept), tuple(name for name in found if name not in loaded))


def _load_resnet(model: keras.Model, source: str | os.PathLike[str] | keras.Model) -> Report:
    if isinstance(source, keras.Model):
        return load_resnet(model, source)
    if source == IMAGENET:
        return load_resnet(model)
    raise UserError(
        f"A network on ResNet must start from {IMAGENET!r} or a model of keras.applications. "
        f"Received: `{source}`. Give --init {IMAGENET}."
    )


def _check_convolutions(
    convolutions: tuple[str, ...],
    layers: Mapping[str, keras.Layer],
    found: Mapping[str, object],
    find: _Find,
    origin: str,
) -> None:
    for name in convolutions:
        if name not in layers:
            raise UserError(
                f"A network must have the encoder of VGG-16 to start from its weights. Received: "
                f"one without a layer {name!r}. Choose deconvnet, segnet or an FCN."
            )
        if name not in found:
            raise UserError(
                f"{origin} must hold the convolutions of VGG-16. Received: none for {name!r}. "
                "Choose another source."
            )
        if problem := find(layers[name]):
            raise UserError(
                f"{origin} must fit the encoder of the network. Received: {problem}. The weights "
                "of VGG-16 fit width 1 alone: --width 1, or --recipe paper."
            )


def _keras_vgg16() -> keras.Model:
    try:
        return keras.applications.VGG16(weights="imagenet", include_top=True)
    except Exception as error:
        # Keras raises a bare Exception for a failed download.
        folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"The ImageNet weights of VGG-16 must be in `{folder}` or be downloaded. Received: "
            f"{reason}. Put {_DOWNLOAD} there."
        ) from error


def _from_keras(source: keras.Model) -> tuple[Mapping[str, keras.Layer], _Find, _Load]:
    theirs = {layer.name: layer for layer in source.layers}
    found = {ours: theirs[name] for ours, name in _KERAS_NAMES.items() if name in theirs}

    def find(layer: keras.Layer) -> str | None:
        kernel, bias = found[layer.name].kernel.shape, found[layer.name].bias.shape
        # A Dense layer takes the flattened map (row, column, channel), in the kernel's own order.
        product = (layer.kernel.shape[0] * layer.kernel.shape[1] * layer.kernel.shape[2], *bias)
        if bias == layer.bias.shape and kernel in (layer.kernel.shape, product):
            return None
        return f"{layer.name!r} has {tuple(layer.kernel.shape)} in place of {tuple(kernel)}"

    def load(layer: keras.Layer) -> None:
        kernel = keras.ops.reshape(found[layer.name].kernel, layer.kernel.shape)
        layer.kernel.assign(kernel)
        layer.bias.assign(found[layer.name].bias)

    return found, find, load


def _from_caffe(path: str | os.PathLike[str]) -> tuple[Mapping[str, object], _Find, _Load]:
    found = read_caffemodel(path)
    if _NORM in found:
        raise UserError(
            f"`{path}` must hold VGG-16. Received: a network with batch normalisation ({_NORM}), "
            "without which its convolutions are worth nothing. Start deconvnet from it."
        )

    def find(layer: keras.Layer) -> str | None:
        blobs = found[layer.name]
        if problem := find_problem(layer, blobs):
            return problem
        for blob in blobs:
            # For its errors: what is not a number is told before anything is loaded.
            blob.read()
        return None

    return found, find, lambda layer: assign(layer, found[layer.name])
