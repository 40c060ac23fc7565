"""An encoder that stays as it is while the rest of the network learns."""

import keras

from tfdeconv.errors import UserError
from tfdeconv.models import SegmentationModel


def freeze_encoder(model: keras.Model, until: str | None = None) -> tuple[str, ...]:
    """Freezes the encoder of a network, the statistics of its batch normalisation included.

    Frozen layers have no weights to train; their batch normalisations run with the statistics they
    have, in `fit` too, and keep them. `model.save` saves which layers are frozen, and `recalibrate`
    leaves them out. Dropout between frozen layers goes on.

    Args:
        model: A functional model, of `tfdeconv.models` or any other. What it was compiled for is
            out of date: compile it (again) afterwards.
        until: Name of the last layer to freeze, with all that it takes its input from. By default
            the encoder of a network of `tfdeconv.models`.

    Returns:
        The names of the frozen layers that have weights, in the order of the model.

    Raises:
        UserError: when the model has no layer `until`, or is none of `tfdeconv.models` and `until`
            is not given.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> model = DeconvNet(3, (32, 32, 3), width=1 / 32)
    >>> freeze_encoder(model)[-2:]
    ('fc7', 'bnfc7')
    >>> model.trainable_weights[0].path
    'fc6-deconv/kernel'
    """
    if until is None and isinstance(model, SegmentationModel):
        encoder = model.encoder()
    elif until in [layer.name for layer in model.layers]:
        encoder = keras.Model(model.inputs, model.get_layer(until).output)
    else:
        raise UserError(
            f"The encoder of {model.name} must end in a layer {until or 'of a known name'}. "
            "Received: a network without it. Name the last layer to freeze, `until=...`."
        )
    needed = {layer.name for layer in encoder.layers}
    frozen = [layer for layer in model.layers if layer.name in needed]
    for layer in frozen:
        layer.trainable = False
    return tuple(layer.name for layer in frozen if layer.weights)
