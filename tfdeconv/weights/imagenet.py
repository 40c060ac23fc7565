"""VGG-16 or ResNet, trained to classify ImageNet, as the encoder that training starts from.

The paper starts stage 1 from VGG-16 (section 4.2). Its weights are those of `keras.applications`,
the original authors' (BGR minus the mean, as `tfdeconv.layers.Preprocess` computes it), or a
.caffemodel. ResNets of `keras.applications` take the same images and have strides in the same
places, the first 1x1 convolution of a stage; where Keras strides in the last two stages, networks
here are dilated, which changes no weight.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from tfdeconv.errors import UserError
from tfdeconv.weights.caffe import read_caffemodel
from tfdeconv.weights.classifiers import HDF5, STATE_DICTS, read_classifier
from tfdeconv.weights.mapping import Report, assign, find_problem

IMAGENET = "imagenet"
_CONVOLUTIONS = tuple(
    f"conv{stage}_{index}"
    for stage, count in enumerate((2, 2, 3, 3, 3), start=1)
    for index in range(1, count + 1)
)
_NORM = "bn1_1"
_FULLY_CONNECTED = {"fc6": "fc1", "fc7": "fc2"}
# Names of keras.applications.VGG16.
_KERAS_NAMES = {name: f"block{name[4]}_conv{name[6]}" for name in _CONVOLUTIONS} | _FULLY_CONNECTED
# Layers that only a ResNet has, and only one of 101 layers.
_RESNET, _RESNET101 = "res2a_branch2a", "res4b1_branch2a"
_RESNET_BRANCHES = {"1": 0, "2a": 1, "2b": 2, "2c": 3}
_RESNET_LAYER = re.compile(r"(res|bn)([2-5])(?:b(\d+)|([a-f]))_branch(1|2[abc])")
# fc1 of VGG-16 as the convolution `fc6`.
_FC1 = (7, 7, 512, 4096)
# Model of keras.applications -> its name, and its file in Keras's store.
_STORE = "https://storage.googleapis.com/tensorflow/keras-applications"
_WITH_TOP = "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
_FILES = {
    "VGG16": ("VGG-16", "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "ResNet50": ("ResNet-50", "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "ResNet101": ("ResNet-101", "resnet/resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5"),
}


def load_encoder(
    model: keras.Model, source: str | os.PathLike[str] | keras.Model = IMAGENET
) -> Report:
    """Loads VGG-16 into the encoder of a network: `conv1_1` to `conv5_3`, `fc6` and `fc7`.

    The fully connected layers are loaded where they fit: `fc6` is 7x7, as in a network for 224x224
    pixels. All other layers are kept. A network on the ResNet of He et al. gets a ResNet: all of
    its convolutions and normalisations.

    Args:
        model: A network of `tfdeconv.models` of width 1.
        source: `"imagenet"` for the weights of `keras.applications`, which are downloaded once
            (VGG-16: 58 MB, and 553 MB for a network with the `fc6` of the paper); a VGG-16 or
            ResNet of Keras, with or without its top; a file that `read_classifier` opens; or, for
            VGG-16, a .caffemodel file such as `VGG_ILSVRC_16_layers_conv.caffemodel` or
            `VGG_ILSVRC_16_layers.caffemodel`.

    Returns:
        The `Report`.

    Raises:
        UserError: when the weights cannot be downloaded, a layer is missing in them, or the network
            is of another width or depth; nothing has been loaded then.

    Example:

    ```python
    model = tfdeconv.models.DeconvNet(num_classes=9)
    print(load_encoder(model))
    ```

    Reference:
        Section 4.2 of the paper; `training/001_start_train.sh` of the release.
    """
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    if not isinstance(source, keras.Model) and Path(source).suffix in (*HDF5, *STATE_DICTS):
        source = read_classifier(source)
    if _RESNET in layers:
        return _load_resnet(layers, source)
    if source == IMAGENET:
        needs_top = "fc6" in layers and tuple(layers["fc6"].kernel.shape) == _FC1
        source = _download("VGG16", include_top=needs_top or _has_cached(_WITH_TOP))
    vgg = _KerasVgg16(source) if isinstance(source, keras.Model) else _CaffeVgg16(source)
    # The Deep Contextual Network ends with the fourth stage.
    convolutions = [name for name in _CONVOLUTIONS if name in layers or name == _CONVOLUTIONS[0]]
    for name in convolutions:
        _check_convolution(name, layers, vgg)
    fits = all(
        name in vgg.found and name in layers and vgg.problem(layers[name]) is None
        for name in _FULLY_CONNECTED
    )
    loaded = (*convolutions, *(_FULLY_CONNECTED if fits else ()))
    for name in loaded:
        vgg.load(layers[name])
    kept = tuple(name for name in layers if name not in loaded)
    return Report(loaded, kept, tuple(name for name in vgg.found if name not in loaded))


class _KerasVgg16:
    """A VGG-16 of Keras: its layers by our names."""

    def __init__(self, source: keras.Model) -> None:
        theirs = {layer.name: layer for layer in source.layers}
        self.origin = f"the model {source.name!r}"
        self.found: Mapping[str, Any] = {
            ours: theirs[name] for ours, name in _KERAS_NAMES.items() if name in theirs
        }

    def problem(self, layer: keras.Layer) -> str | None:
        """Returns what keeps a layer from being loaded."""
        kernel, bias = self.found[layer.name].kernel.shape, self.found[layer.name].bias.shape
        # A Dense layer takes the flattened map (row, column, channel), in the kernel's own order.
        product = (layer.kernel.shape[0] * layer.kernel.shape[1] * layer.kernel.shape[2], *bias)
        if bias == layer.bias.shape and kernel in (layer.kernel.shape, product):
            return None
        return f"{layer.name!r} has {tuple(layer.kernel.shape)} in place of {tuple(kernel)}"

    def load(self, layer: keras.Layer) -> None:
        """Loads a layer."""
        theirs = self.found[layer.name]
        layer.kernel.assign(keras.ops.reshape(theirs.kernel, layer.kernel.shape))
        layer.bias.assign(theirs.bias)


class _CaffeVgg16:
    """A VGG-16 in a .caffemodel: its blobs by the names of the release, which are ours."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.origin = f"`{path}`"
        self.found: Mapping[str, Any] = read_caffemodel(path)
        if _NORM in self.found:
            raise UserError(
                f"`{path}` must hold VGG-16. Received: a network with batch normalisation ({_NORM})"
                ", without which its convolutions are useless. Start deconvnet from it."
            )

    def problem(self, layer: keras.Layer) -> str | None:
        """Returns what keeps a layer from being loaded."""
        blobs = self.found[layer.name]
        if problem := find_problem(layer, blobs):
            return problem
        for blob in blobs:
            # Numbers that are not finite are an error before anything is loaded.
            blob.read()
        return None

    def load(self, layer: keras.Layer) -> None:
        """Loads a layer."""
        assign(layer, self.found[layer.name])


def _check_convolution(
    name: str, layers: Mapping[str, keras.Layer], vgg: _KerasVgg16 | _CaffeVgg16
) -> None:
    if name not in layers:
        raise UserError(
            f"A network must have the encoder of VGG-16 to start from its weights. Received: "
            f"one without a layer {name!r}. Choose deconvnet, segnet or an FCN."
        )
    if name not in vgg.found:
        raise UserError(
            f"{vgg.origin} must hold the convolutions of VGG-16. Received: none for {name!r}. "
            "Choose another source."
        )
    if problem := vgg.problem(layers[name]):
        raise UserError(
            f"{vgg.origin} must fit the encoder of the network. Received: {problem}. The weights "
            "of VGG-16 fit width 1 alone: --width 1, or --recipe paper."
        )


def keras_name(layer_name: str) -> str | None:
    """Returns the name of a layer of ResNet in `keras.applications`, None for other layers.

    Example:

    >>> keras_name("res4b22_branch2a"), keras_name("bn2a_branch1"), keras_name("fc1_voc12_c0")
    ('conv4_block23_1_conv', 'conv2_block1_0_bn', None)
    """
    if layer_name in ("conv1", "bn_conv1"):
        return "conv1_conv" if layer_name == "conv1" else "conv1_bn"
    match = _RESNET_LAYER.fullmatch(layer_name)
    if match is None:
        return None
    kind, stage, number, letter, branch = match.groups()
    unit = int(number) + 1 if number else ord(letter) - ord("a") + 1
    return f"conv{stage}_block{unit}_{_RESNET_BRANCHES[branch]}_{'conv' if kind == 'res' else 'bn'}"


def _load_resnet(
    layers: Mapping[str, keras.Layer], source: str | os.PathLike[str] | keras.Model
) -> Report:
    if not isinstance(source, keras.Model):
        if source != IMAGENET:
            raise UserError(
                f"A network on ResNet must start from {IMAGENET!r} or a model of "
                f"keras.applications. Received: `{source}`. Give --init {IMAGENET}, or such a file."
            )
        depth = "ResNet101" if _RESNET101 in layers else "ResNet50"
        source = _download(depth, include_top=False)
    theirs = {layer.name: layer for layer in source.layers if layer.weights}
    pairs = {name: theirs_name for name in layers if (theirs_name := keras_name(name)) is not None}
    for name, theirs_name in pairs.items():
        wanted = tuple(layers[name].weights[0].shape)
        found = tuple(theirs[theirs_name].weights[0].shape) if theirs_name in theirs else "none"
        if found != wanted:
            raise UserError(
                f"The model {source.name!r} must fit the ResNet of the network. Received: {found} "
                f"for {name!r} of {wanted}. The weights of ImageNet fit width 1 and the same depth "
                "alone."
            )
    for name, theirs_name in pairs.items():
        weights = theirs[theirs_name].get_weights()
        if theirs_name.endswith("_bn"):
            # Keras's convolutions have a bias, which is part of the mean here.
            gamma, beta, mean, variance = weights
            _, *bias = theirs[theirs_name.removesuffix("bn") + "conv"].get_weights()
            layers[name].set_weights([gamma, beta, mean - sum(bias), variance])
        else:
            layers[name].set_weights(weights[:1])
    kept = tuple(name for name in layers if name not in pairs)
    left_out = tuple(name for name in theirs if name not in pairs.values())
    return Report(tuple(pairs), kept, left_out)


def _models_folder() -> Path:
    return Path(os.environ.get("KERAS_HOME", "~/.keras"), "models").expanduser()


def _has_cached(file: str) -> bool:
    return (_models_folder() / file).is_file()


def _download(name: str, include_top: bool) -> keras.Model:
    try:
        return getattr(keras.applications, name)(weights="imagenet", include_top=include_top)
    except Exception as error:
        # Keras raises a bare Exception for a failed download.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        title, file = _FILES[name]
        if name == "VGG16" and include_top:
            file = f"vgg16/{_WITH_TOP}"
        raise UserError(
            f"The ImageNet weights of {title} must be downloaded by keras.applications or be in "
            f"`{_models_folder()}`. Received: {reason}. Put {_STORE}/{file} there, or give the "
            "file by --init FILE."
        ) from error
