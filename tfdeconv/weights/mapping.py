"""Caffe's weights in our networks: blobs to layers, by name and shape.

DeconvNet, FCN and VGG-16 have the layer names of their releases, so layers match by name. Images
need no conversion: the releases take BGR, as the first convolution after `Preprocess` does.

A Caffe blob is (output, input, height, width) for a convolution and (input, output, height, width)
for a deconvolution; a Keras kernel is (height, width, input, output) and (height, width, output,
input). One permutation serves both, without a flip: both libraries use the transpose of the
correlation for the deconvolution.
"""

import math
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.progress import track
from tfdeconv.weights.caffe import Blob, read_caffemodel

# fcn-8s-pascal.caffemodel, which the demo of DeconvNet takes, to the names of voc-fcn8s/net.py.
_OLD_NAMES = {
    "score-fr": "score_fr",
    "score2": "upscore2",
    "score-pool4": "score_pool4",
    "score4": "upscore_pool4",
    "score-pool3": "score_pool3",
    "upsample": "upscore8",
}
# The layers whose shape depends on the number of classes: first scores, then their upsampling.
_HEAD: tuple[str, ...] = ("seg-score-voc", "score_fr", "score_pool4", "score_pool3")
_HEAD += ("upscore", "upscore2", "upscore_pool4", "upscore8", "upscore16")
_MOST_NAMES = 40
_FIRST_NORM = "bn1_1"
# conv1_1 takes gray levels, not numbers of order one: folded scales after it are divided by tens.
_FOLDED_SCALE = 0.3
# Weights of 2014 have a bias here, later ones none (voc-fcn8s/net.py: bias_term false).
_BIAS_MAY_LACK = ("upscore2",)
_KINDS = (
    keras.layers.BatchNormalization,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
)
_LARGE = 2**27
_TO_KERAS = (2, 3, 1, 0)


@dataclass(frozen=True)
class Report:
    """Which layers of a network were loaded from a file.

    Attributes:
        loaded: Layers of the network that got their weights from the file.
        kept: Layers of the network that keep those they had: a head for other classes.
        left_out: Layers of the file that the network does not have.
        notes: Warnings for the user.
    """

    loaded: tuple[str, ...]
    kept: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{len(self.loaded)} layers loaded"
        if self.kept:
            text += f"; not loaded, as they were: {_listed(self.kept)}"
        if self.left_out:
            text += f"; in the file alone: {_listed(self.left_out)}"
        return text


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f", and {more} more" if more > 0 else "")


def load_caffemodel(
    model: keras.Model,
    path: str | os.PathLike[str],
    folded: bool = True,
    new_head: bool = False,
) -> Report:
    """Loads all weights of a network from a .caffemodel.

    Batch normalisation of the DeconvNet release has a scale and a shift and no statistics. In the
    file for inference the statistics are folded in, so that `y = scale x + shift`. In those of
    training they follow normalisation by the statistics of the batch, and the network is usable
    only after statistics have been measured (`tfdeconv recalibrate`). A file does not say which of
    the two it is.

    All numbers are checked before any is loaded. Memory beyond the network is bounded by two copies
    of the largest blob.

    Args:
        model: DeconvNet, FCN or VGG-16 of `tfdeconv.models`, of any width.
        path: The file.
        folded: True for `DeconvNet_trainval_inference.caffemodel`, False for
            `stage_1_train_result.caffemodel` and `stage_2_train_result.caffemodel`; ignored for
            networks without batch normalisation.
        new_head: Whether the layers that depend on the number of classes may stay as they are when
            the file has them for another number.

    Returns:
        The `Report`.

    Raises:
        UserError: when the file cannot be read, or a layer is missing in it, of another shape or
            not of finite numbers; nothing has been loaded then.

    Example:

    ```python
    model = tfdeconv.models.DeconvNet()
    print(load_caffemodel(model, "DeconvNet_trainval_inference.caffemodel"))
    ```

    Reference:
        `BN_make_INFERENCE_script.py` of the DeconvNet release; section 4.1 of the paper.
    """
    found = renamed(read_caffemodel(path))
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    kept = _head_to_keep(layers, found, path, new_head)
    _check(layers, found, path, kept)
    loaded = [name for name in layers if name not in kept]
    for blob in track([blob for name in loaded for blob in found[name]], "Checking"):
        blob.read()
    for name in track(loaded, "Loading"):
        assign(layers[name], found[name], folded)
    left_out = tuple(name for name in found if name not in layers)
    return Report(tuple(loaded), kept, left_out, tuple(_doubts(layers, found, folded)))


def renamed(found: Mapping[str, tuple[Blob, ...]]) -> dict[str, tuple[Blob, ...]]:
    """Returns layers under the names that the current releases give them."""
    return {_OLD_NAMES.get(name, name): blobs for name, blobs in found.items()}


def head_classes(found: Mapping[str, tuple[Blob, ...]]) -> int | None:
    """Returns the number of classes that a file has scores for, None where it has no scores."""
    shapes = [blobs[0].shape for name, blobs in renamed(found).items() if name in _HEAD]
    return next((shape[0] for shape in shapes if shape), None)


def _head_to_keep(
    layers: Mapping[str, keras.Layer],
    found: Mapping[str, tuple[Blob, ...]],
    path: str | os.PathLike[str],
    new_head: bool,
) -> tuple[str, ...]:
    head = tuple(name for name in _HEAD if name in layers and name in found)
    theirs = head_classes(found)
    ours = expected_shape(layers[head[0]])[0] if head else theirs
    if theirs == ours or any(find_problem(layers[name], found[name], theirs) for name in head):
        return ()
    if new_head:
        return head
    offer = f"--num-classes {theirs} to load them, or " * (theirs in range(2, IGNORE_LABEL + 1))
    raise UserError(
        f"`{path}` must be for the {ours} classes of the network. Received: weights for {theirs} "
        f"({', '.join(head)}). Give {offer}--num-classes {ours} to load the rest and train these "
        "layers anew."
    )


def _check(
    layers: Mapping[str, keras.Layer],
    found: Mapping[str, tuple[Blob, ...]],
    path: str | os.PathLike[str],
    kept: Sequence[str],
) -> None:
    problems = [f"{name!r} is missing" for name in layers if name not in found]
    if _FIRST_NORM in found and _FIRST_NORM not in layers:
        # Its convolutions are useless without the normalisation after them.
        problems.insert(0, f"{_FIRST_NORM!r} has no place in it")
    problems += [
        problem
        for name, layer in layers.items()
        if name in found and name not in kept and (problem := find_problem(layer, found[name]))
    ]
    if problems:
        raise UserError(
            f"`{path}` must hold the weights of this network. Received: layer {_listed(problems)}. "
            "Choose the network, the width and the input size that the file was trained for."
        )


def _doubts(
    layers: Mapping[str, keras.Layer], found: Mapping[str, tuple[Blob, ...]], folded: bool
) -> list[str]:
    if _FIRST_NORM not in layers:
        return []
    scale = statistics.median(np.abs(found[_FIRST_NORM][0].read()).ravel().tolist())
    if folded and scale > _FOLDED_SCALE:
        return [
            f"the scales of {_FIRST_NORM} ({scale:.2g} in the median) look as if the statistics "
            "were not folded in; if this is a file of training, load it as unfolded"
        ]
    if not folded and scale <= _FOLDED_SCALE:
        return [
            f"the scales of {_FIRST_NORM} ({scale:.2g} in the median) look as if the statistics "
            "were folded in; if this is the file for inference, load it as folded (`tfdeconv "
            "import-caffe --folded`), and train from a file of training"
        ]
    return []


def expected_shape(layer: keras.Layer, classes: int | None = None) -> tuple[int, ...]:
    """Returns the shape that Caffe gives to the kernel of a (transposed) convolution.

    Args:
        layer: A built layer.
        classes: Of a layer of the head: as if the network had this number of classes.
    """
    high, wide, inner, outer = layer.kernel.shape
    if classes is not None:
        outer = classes
        inner = classes if isinstance(layer, keras.layers.Conv2DTranspose) else inner
    return outer, inner, high, wide


def find_problem(
    layer: keras.Layer, blobs: Sequence[Blob], classes: int | None = None
) -> str | None:
    """Returns why blobs cannot be the weights of a layer, None where they can.

    Args:
        layer: A built layer of the network.
        blobs: Those of the file under the same name.
        classes: As in `expected_shape`.
    """
    shapes = [blob.shape for blob in blobs]
    if not isinstance(layer, _KINDS):
        return f"{layer.name!r} is a {type(layer).__name__}, which has no counterpart in the file"
    if isinstance(layer, keras.layers.BatchNormalization):
        count = layer.gamma.shape[0]
        wanted: list[tuple[int, ...]] = [(1, count, 1, 1)] * 2
        fit = len(shapes) == 2 and all(_is_vector(shape, count) for shape in shapes)
    else:
        kernel = expected_shape(layer, classes)
        count = layer.kernel.shape[-2 if _transposed(layer) else -1] if classes is None else classes
        wanted = [kernel, (1, 1, 1, count)][: 1 + layer.use_bias]
        fit = bool(shapes) and (shapes[0] == kernel or _is_product(layer, shapes[0], kernel))
        fit = fit and all(_is_vector(shape, count) for shape in shapes[1:])
        lacks_bias = len(shapes) == 1 and layer.name in _BIAS_MAY_LACK
        fit = fit and (len(shapes) == len(wanted) or lacks_bias)
    if fit:
        return None
    return f"{layer.name!r} has blobs of {_shapes(shapes)} in place of {_shapes(wanted)}"


def assign(layer: keras.Layer, blobs: Sequence[Blob], folded: bool = True) -> None:
    """Gives a layer its weights, one array in memory at a time.

    Args:
        layer: A built layer for which `find_problem` found none.
        blobs: Its blobs.
        folded: Whether batch normalisations are plain affine maps, their statistics folded in.
    """
    for variable, array in zip(_variables(layer), _arrays(layer, blobs, folded), strict=True):
        if keras.backend.backend() == "tensorflow" and array.nbytes > _LARGE:
            # TensorFlow makes two copies of an array on its way into a variable: in pieces, two
            # copies of a piece.
            for place in np.ndindex(array.shape[:2]):
                variable.value.scatter_nd_update([place], array[place][None])
        else:
            variable.assign(array)


def _variables(layer: keras.Layer) -> list[keras.Variable]:
    if isinstance(layer, keras.layers.BatchNormalization):
        return [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
    return [layer.kernel, layer.bias] if layer.use_bias else [layer.kernel]


def _arrays(layer: keras.Layer, blobs: Sequence[Blob], folded: bool) -> Iterator[np.ndarray]:
    if isinstance(layer, keras.layers.BatchNormalization):
        count = layer.gamma.shape[0]
        yield from (blob.read((count,)) for blob in blobs)
        yield np.zeros(count, np.float32)
        yield np.full(count, 1.0 - layer.epsilon if folded else 1.0, np.float32)
        return
    yield blobs[0].read(expected_shape(layer), _TO_KERAS)
    yield from (blob.read(tuple(layer.bias.shape)) for blob in blobs[1:])
    if layer.use_bias and len(blobs) == 1:
        yield np.zeros(layer.bias.shape, np.float32)


def _transposed(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.Conv2DTranspose)


def _is_product(layer: keras.Layer, shape: tuple[int, ...], kernel: tuple[int, ...]) -> bool:
    # The classifier's fc6 is an inner product over the flattened map: (channel, row, column).
    product = (kernel[0], math.prod(kernel[1:]))
    return not _transposed(layer) and shape in (product, (1, 1, *product))


def _is_vector(shape: tuple[int, ...], count: int) -> bool:
    return math.prod(shape) == count == max(shape, default=0)


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    return " and ".join(str(shape) for shape in shapes) or "no shape"
