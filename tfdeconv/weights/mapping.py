"""Caffe's weights in our networks: blobs to layers, by name and shape.

DeconvNet, FCN and VGG-16 bear the names of their releases, so that the mapping is the name. Images
need no care: the releases take BGR, and so does the first convolution behind `Preprocess`.
"""

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.progress import track
from tfdeconv.weights.blob import Blob
from tfdeconv.weights.caffe import read_caffemodel
from tfdeconv.weights.conversion import assign, expected_shape, find_problem

# fcn-8s-pascal.caffemodel, which the demo of DeconvNet takes, to the names of voc-fcn8s/net.py.
_OLD_NAMES = {
    "score-fr": "score_fr",
    "score2": "upscore2",
    "score-pool4": "score_pool4",
    "score4": "upscore_pool4",
    "score-pool3": "score_pool3",
    "upsample": "upscore8",
}
# The layers whose shape the number of classes decides: first scores, then what enlarges them.
_HEAD: tuple[str, ...] = ("seg-score-voc", "score_fr", "score_pool4", "score_pool3")
_HEAD += ("upscore", "upscore2", "upscore_pool4", "upscore8", "upscore16")
_MOST_NAMES = 40
_FIRST_NORM = "bn1_1"
# conv1_1 sees gray levels, not numbers of order one: behind it, folding divides by tens.
_FOLDED_SCALE = 0.3


@dataclass(frozen=True)
class Report:
    """What became of the layers of a file and of a network.

    Attributes:
        loaded: Layers of the network that got their weights from the file.
        kept: Layers of the network that keep those they had: a head for other classes.
        left_out: Layers of the file that the network does not have.
        notes: Sentences that a user should read.
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
    file for inference they are folded, so that `y = scale x + shift`; in those of training they are
    the factors behind normalisation by the statistics of the batch, and the network is of use only
    once statistics have been measured (`tfdeconv recalibrate`). A file does not say which of the
    two it is.

    All numbers are read once to check them, before any is loaded. Memory beyond the network is
    bounded by two copies of the largest blob.

    Args:
        model: DeconvNet, FCN or VGG-16 of `tfdeconv.models`, of any width.
        path: The file.
        folded: True for `DeconvNet_trainval_inference.caffemodel`, False for
            `stage_1_train_result.caffemodel` and `stage_2_train_result.caffemodel`; without meaning
            for networks without batch normalisation.
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
        # Its convolutions are worth nothing without the normalisation behind them.
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
