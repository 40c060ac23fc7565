"""Whether the layers of a file are those of SegNet, and of the same size as a network's."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras

from tfdeconv.errors import UserError
from tfdeconv.weights.keras_h5 import SavedLayer

CONVOLUTIONS = 26
_FULL_WIDTH = 64
_STATISTICS = {"moving_mean", "moving_variance"}
# Settings -> what they are in a SegNet, as Keras 2 or 3 writes it; without them it is the default.
_OF_CONVOLUTION: Mapping[str, tuple[Any, ...]] = {
    "strides": (1, [1, 1]),
    "dilation_rate": (1, [1, 1]),
    "data_format": ("channels_last", None),
}
_OF_NORM: Mapping[str, tuple[Any, ...]] = {"axis": (-1, 3, [-1], [3])}


class Pair(NamedTuple):
    """A convolution of the file with the normalisation behind it."""

    convolution: SavedLayer
    norm: SavedLayer | None

    def epsilon(self, default: float) -> float:
        """Returns the epsilon of the normalisation, the default where the file has no settings."""
        return default if self.norm is None else float(self.norm.settings.get("epsilon", default))


def paired(layers: Sequence[SavedLayer], path: str | os.PathLike[str]) -> list[Pair]:
    """Returns the 26 convolutions of SegNet, each with what normalises it.

    Args:
        layers: Those of a file, in the order of the network.
        path: The file, for messages.

    Raises:
        UserError: when they are not those of a SegNet.
    """
    pairs: list[Pair] = []
    problem = None
    for layer in layers:
        if "kernel" in layer.arrays:
            pairs.append(Pair(layer, None))
        elif layer.arrays.keys() >= _STATISTICS and pairs and pairs[-1].norm is None:
            pairs[-1] = pairs[-1]._replace(norm=layer)
        else:
            problem = problem or f"{layer.name} behind no convolution"
    if len(pairs) != CONVOLUTIONS:
        problem = f"{len(pairs)} convolutions"
    # The last one is judged, too, where it is normalised.
    judged = pairs if pairs and pairs[-1].norm is not None else pairs[:-1]
    problem = problem or next(filter(None, [*map(_doubt, judged), *map(_unlike, pairs)]), None)
    if problem is not None:
        raise UserError(
            f"`{path}` must hold a SegNet: {CONVOLUTIONS} convolutions, each but the last with "
            f"batch normalisation and then ReLU. Received: {problem}. No other can be loaded."
        )
    return pairs


def _doubt(pair: Pair) -> str | None:
    convolution, norm = pair
    if norm is None:
        return f"{convolution.name} without batch normalisation"
    if convolution.settings.get("activation", "linear") != "linear":
        return f"{convolution.name} with its activation before the normalisation"
    epsilon = norm.settings.get("epsilon", 1.0)
    if not isinstance(epsilon, int | float) or not epsilon > 0:
        return f"{norm.name} with an epsilon of {epsilon!r}"
    return None


def _unlike(pair: Pair) -> str | None:
    """A setting that leaves the arrays as they are and changes what is computed of them."""
    for layer, usual in ((pair.convolution, _OF_CONVOLUTION), (pair.norm, _OF_NORM)):
        if layer is None:
            continue
        for name, values in usual.items():
            value = layer.settings.get(name, values[0])
            if value not in values:
                return f"{layer.name} with {name} {value!r} in place of {values[0]!r}"
    return None


def check_fit(
    model: keras.Model, names: Sequence[str], pairs: Sequence[Pair], path: str | os.PathLike[str]
) -> None:
    """Checks that every array of a file has the shape it needs for a network.

    Args:
        model: A SegNet of this package.
        names: Its convolutions.
        pairs: Those of the file.
        path: The file, for messages.

    Raises:
        UserError: otherwise; it says which network would fit.
    """
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


def _remedy(pairs: Sequence[Pair]) -> str:
    first, last = (pairs[i].convolution.shape("kernel") or () for i in (0, -1))
    if len(first) != 4 or len(last) != 4:
        return "Choose a file of a SegNet"
    if last[-1] == 1:
        return "It scores a single class by a sigmoid, which SegNet does not"
    width = first[-1] / _FULL_WIDTH
    return f"Load it into SegNet(num_classes={last[-1]}, width={width:g})"
