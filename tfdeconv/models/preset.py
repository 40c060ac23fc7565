"""Presets of KerasHub, read without KerasHub: the directories that `tfdeconv.hub` saves.

A preset holds the task in `task.json` (the network and its arguments, class names, palette and
preprocessing), the weights of the backbone in `model.weights.h5` and those of the head in
`task.weights.h5`, both as Keras saves a functional model.
"""

import json
import math
import os
import warnings
from pathlib import Path
from typing import Any

import keras

from tfdeconv.labels import palette as voc_palette
from tfdeconv.models import fcn
from tfdeconv.models.base import SegmentationModel
from tfdeconv.models.deconvnet import DeconvNet
from tfdeconv.models.segnet import SegNet

CONFIG_FILE = "config.json"
TASK_FILE = "task.json"
WEIGHTS_FILE = "model.weights.h5"
TASK_WEIGHTS_FILE = "task.weights.h5"
_MAX_JSON = 2**24
# Registered name of a task -> its network, and which of its arguments the backbone keeps.
_TASKS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "tfdeconv>DeconvNetImageSegmenter": (DeconvNet, ("fc6_kernel",)),
    "tfdeconv>SegNetImageSegmenter": (SegNet, ()),
    # Or another of `fcn.BY_STRIDE`.
    "tfdeconv>FCNImageSegmenter": (fcn.FCN8s, ("dropout", "batch_norm")),
}


def is_preset(path: str | os.PathLike[str]) -> bool:
    """Returns whether a directory looks like a preset of KerasHub."""
    return (Path(path) / CONFIG_FILE).is_file() and (Path(path) / WEIGHTS_FILE).is_file()


def load_preset(path: str | os.PathLike[str], draw: bool = True) -> keras.Model:
    """Opens a preset of a DeconvNet, SegNet or FCN as the plain network of `tfdeconv.models`.

    Args:
        path: The directory.
        draw: Whether to keep the initializers of the weights; False makes all of them zeros.

    Returns:
        The network with its weights and class names, not compiled, without the preprocessing.

    Raises:
        ValueError: when it is no preset of these, or the weights are not those of the network.
        OSError: when a file is missing.
        KeyError: when the description is incomplete.

    Example:

    ```python
    network = load_preset("deconvnet_preset")
    ```
    """
    task = _description(Path(path) / TASK_FILE)
    kind, config = task["registered_name"], task["config"]
    if kind not in _TASKS:
        raise ValueError(f"a preset of {kind}, which is none of {', '.join(_TASKS)}")
    backbone = config["backbone"]["config"]
    if backbone["dtype"]["class_name"] != "DTypePolicy":
        raise ValueError("a quantised preset, which KerasHub alone opens")
    network_class, kept = _TASKS[kind]
    if "stride" in config:
        network_class = fcn.BY_STRIDE[config["stride"]]
    _check_size(network_class, backbone, Path(path) / WEIGHTS_FILE)
    names, options = config["class_names"], {argument: backbone[argument] for argument in kept}
    if not draw:
        options["kernel_initializer"] = "zeros"
        if network_class is DeconvNet:
            options["deconv_initializer"] = "zeros"
    network = network_class(
        num_classes=config["num_classes"],
        class_names=None if names is None else tuple(names),
        input_shape=tuple(backbone["image_shape"]),
        width=backbone["width"],
        **options,
    )
    _load_weights(network, Path(path))
    colours = config.get("palette")
    if colours is not None and colours != voc_palette()[: len(colours)].tolist():
        network.get_layer("scores").palette = tuple(map(tuple, colours))
    return network


def _check_size(network: type, backbone: dict[str, Any], file: Path) -> None:
    """Refuses sizes that would fill the memory before the weights are found not to fit."""
    fc6 = {DeconvNet: math.prod(backbone.get("fc6_kernel", ())), SegNet: 0}.get(network, 7 * 7)
    # conv5_1 and fc6, a byte a weight: no file of the network is smaller.
    fewest = (3 * 3 * 512 * 512 + fc6 * 512 * 4096) * backbone["width"] ** 2
    if fewest > file.stat().st_size:
        raise ValueError(f"{file.name} with too few bytes for a network of such a size")


def _load_weights(network: SegmentationModel, folder: Path) -> None:
    backbone = keras.Model(network.input, network.decoder_outputs)
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that a file lacks, and leaves them as they are.
            warnings.simplefilter("error", UserWarning)
            backbone.load_weights(folder / WEIGHTS_FILE)
            file = folder / TASK_WEIGHTS_FILE
            keras.saving.load_weights(network, file, objects_to_skip=backbone.layers)
    except UserWarning as warning:
        raise ValueError(str(warning)) from warning


def _description(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ValueError(f"no {file.name}: the preset of a backbone alone has no scores")
    if file.stat().st_size > _MAX_JSON:
        raise ValueError(f"a description of more than {_MAX_JSON} bytes")
    return json.loads(file.read_text("utf-8"))
