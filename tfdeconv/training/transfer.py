"""Weights from one network to another: what layers of the same name and shape have learnt."""

import keras

from tfdeconv.errors import UserError
from tfdeconv.layers import Preprocess
from tfdeconv.models import class_names
from tfdeconv.training.new_head import head_layers
from tfdeconv.weights.folding import fold_batch_norm

# What `fc7` knows is how to read `fc6`, whose kernel differs where inputs do.
_READS = {"fc7": "fc6"}


def copy_weights(source: keras.Model, target: keras.Model) -> tuple[str, ...]:
    """Copies the weights of every layer that both networks have by name and shape.

    So FCN-16s goes on from FCN-32s and FCN-8s from FCN-16s, as in the release, and each of them
    from a VGG-16. Batch normalisation that the target lacks is folded into the convolutions first:
    an FCN takes the encoder of a DeconvNet, too. The mean that images are centred by comes along.
    Layers that the source lacks keep their fresh weights; so do the score layers when the two
    networks are for other classes.

    Args:
        source: The trained network.
        target: The network to fill.

    Returns:
        The names of the layers that were filled, in the order of the target.

    Raises:
        UserError: when the networks have no layer in common.

    Example:

    >>> from tfdeconv.models import FCN16s, FCN32s
    >>> coarse, fine = FCN32s(3, width=1 / 64), FCN16s(3, width=1 / 64)
    >>> copy_weights(coarse, fine)[-3:]
    ('fc6', 'fc7', 'score_fr')
    """
    if _normalises(source) and not _normalises(target):
        source = fold_batch_norm(source)
    names = [class_names(network) for network in (source, target)]
    same_classes = names[0] is None or names[0] == names[1]
    anew = set() if same_classes else head_layers(target)
    sources = {layer.name: layer for layer in source.layers}
    filled: list[str] = []
    for layer in target.layers:
        weights = sources[layer.name].get_weights() if layer.name in sources else []
        shapes = [value.shape for value in layer.get_weights()]
        wanted = layer.name not in anew and _READS.get(layer.name, "") in ("", *filled)
        if shapes and wanted and shapes == [value.shape for value in weights]:
            layer.set_weights(weights)
            filled.append(layer.name)
        elif isinstance(layer, Preprocess) and isinstance(sources.get(layer.name), Preprocess):
            # No weight, but what the first convolution has learnt to expect.
            layer.mean = sources[layer.name].mean
    if not filled:
        raise UserError(
            f"What to start {target.name} from must have layers of its names and shapes. Received: "
            f"{source.name}, which shares none. Start from a model of this package, of one width."
        )
    return tuple(filled)


def _normalises(model: keras.Model) -> bool:
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)
