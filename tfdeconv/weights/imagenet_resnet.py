"""ResNet, trained to classify ImageNet, as an encoder: from `keras.applications`.

The images are the same, BGR minus a mean, and so is the place of every stride, the first 1x1
convolution of a stage. What Keras strides by in the last two stages is dilation here, which changes
no weight.
"""

import re

import keras

from tfdeconv.errors import UserError
from tfdeconv.weights.mapping import Report

# What tells a ResNet of this package, and one of 101 layers.
_FIRST, _DEEP = "res2a_branch2a", "res4b1_branch2a"
_BRANCHES = {"1": 0, "2a": 1, "2b": 2, "2c": 3}
_NAME = re.compile(r"(res|bn)([2-5])(?:b(\d+)|([a-f]))_branch(1|2[abc])")


def is_resnet(model: keras.Model) -> bool:
    """Whether the encoder of a network is the ResNet of He et al."""
    return any(layer.name == _FIRST for layer in model.layers)


def keras_name(layer_name: str) -> str | None:
    """Returns what `keras.applications` calls a layer of ResNet, None for other layers.

    Example:

    >>> keras_name("res4b22_branch2a"), keras_name("bn2a_branch1"), keras_name("fc1_voc12_c0")
    ('conv4_block23_1_conv', 'conv2_block1_0_bn', None)
    """
    if layer_name in ("conv1", "bn_conv1"):
        return "conv1_conv" if layer_name == "conv1" else "conv1_bn"
    match = _NAME.fullmatch(layer_name)
    if match is None:
        return None
    kind, stage, number, letter, branch = match.groups()
    unit = int(number) + 1 if number else ord(letter) - ord("a") + 1
    return f"conv{stage}_block{unit}_{_BRANCHES[branch]}_{'conv' if kind == 'res' else 'bn'}"


def load_resnet(model: keras.Model, source: keras.Model | None = None) -> Report:
    """Loads all convolutions and normalisations of a ResNet.

    Keras's convolutions have a bias, which the normalisation behind them takes back; here it is
    part of the mean that is subtracted.

    Args:
        model: A network of `tfdeconv.models` on ResNet-50 or ResNet-101, of width 1.
        source: A `keras.applications.ResNet50` or `ResNet101`, with or without its top; None for
            the one of the same depth with the weights of ImageNet, downloaded once.

    Returns:
        The `Report`.

    Raises:
        UserError: when the weights cannot be had, or are of another depth or width; nothing has
            been loaded then.
    """
    if source is None:
        source = _keras_resnet(deep=any(layer.name == _DEEP for layer in model.layers))
    theirs = {layer.name: layer for layer in source.layers if layer.weights}
    pairs = {
        layer.name: (layer, name)
        for layer in model.layers
        if (name := keras_name(layer.name)) is not None
    }
    for layer, name in pairs.values():
        if name not in theirs or theirs[name].weights[0].shape != layer.weights[0].shape:
            found = tuple(theirs[name].weights[0].shape) if name in theirs else "none"
            raise UserError(
                f"The model {source.name!r} must fit the ResNet of the network. Received: {found} "
                f"for {layer.name!r} of {tuple(layer.weights[0].shape)}. The weights of ImageNet "
                "fit width 1 and the same depth alone."
            )
    for layer, name in pairs.values():
        weights = theirs[name].get_weights()
        if name.endswith("_bn"):
            gamma, beta, mean, variance = weights
            _, *bias = theirs[name.removesuffix("bn") + "conv"].get_weights()
            layer.set_weights([gamma, beta, mean - sum(bias), variance])
        else:
            layer.set_weights(weights[:1])
    kept = [layer.name for layer in model.layers if layer.weights and layer.name not in pairs]
    used = {name for _, name in pairs.values()}
    return Report(tuple(pairs), tuple(kept), tuple(name for name in theirs if name not in used))


def _keras_resnet(deep: bool) -> keras.Model:
    kind = keras.applications.ResNet101 if deep else keras.applications.ResNet50
    try:
        return kind(weights="imagenet", include_top=False)
    except Exception as error:
        # Keras raises a bare Exception for a failed download.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"The ImageNet weights of {'ResNet-101' if deep else 'ResNet-50'} must be downloaded "
            f"by keras.applications, or be in its folder. Received: {reason}. Load them once where "
            "there is a network, and copy `~/.keras/models`."
        ) from error
