"""An encoder that stays as it is while the rest of the network learns."""

import keras

from tfdeconv.errors import UserError

# The last layer of an encoder is the first of these that a network has.
_LAST = (
    "relu7",  # VGG-16 with its fully connected layers: DeconvNet, FCN
    "relu5_3",  # VGG-16 without them
    "relu4_3",  # the ten convolutions of it in the Deep Contextual Network
    "res5c_relu",  # ResNet
    "conv5_3_relu",  # ResNet of PSPNet
    "relu_d4c",  # the bottom of U-Net
    "bridge_conv2_relu",  # and of FusionNet
)


def freeze_encoder(model: keras.Model, until: str | None = None) -> tuple[str, ...]:
    """Freezes the encoder of a network, the statistics of its batch normalisation included.

    Frozen layers have no weights to train; their batch normalisations run with the statistics they
    have, in `fit` too, and keep them. `model.save` saves which layers are frozen, and `recalibrate`
    leaves them out. Dropout between frozen layers goes on.

    Args:
        model: A functional model, of `tfdeconv.models` or any other. What it was compiled for is
            out of date: compile it (again) afterwards.
        until: Name of the last layer to freeze, with all that it takes its input from. By default
            the end of VGG-16 (`relu7`, or `relu5_3` without fully connected layers) or of ResNet,
            or the deepest map of U-Net and FusionNet.

    Returns:
        The names of the frozen layers that have weights, in the order of the model.

    Raises:
        UserError: when the model has no layer `until`, or none of the default ones.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> model = DeconvNet(3, (32, 32, 3), width=1 / 32)
    >>> freeze_encoder(model)[-2:]
    ('fc7', 'bnfc7')
    >>> model.trainable_weights[0].path
    'fc6-deconv/kernel'
    """
    names = {layer.name for layer in model.layers}
    wanted = _LAST if until is None else (until,)
    last = next((name for name in wanted if name in names), None)
    if last is None:
        raise UserError(
            f"The encoder of {model.name} must end in a layer {' or '.join(wanted)}. Received: a "
            "network without it. Name the last layer to freeze, `until=...`."
        )
    # The layers between the image and that one, in the order of a graph of their own.
    needed = {
        layer.name for layer in keras.Model(model.inputs, model.get_layer(last).output).layers
    }
    frozen = [layer for layer in model.layers if layer.name in needed]
    for layer in frozen:
        layer.trainable = False
    return tuple(layer.name for layer in frozen if layer.weights)
