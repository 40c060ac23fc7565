"""Presets of KerasHub, read without KerasHub: the directories that `tfdeconv.hub` saves.

A preset holds the task in `task.json` (the network and its numbers, class names, palette and
preprocessing), the weights up to the scores in `model.weights.h5` and those of the scores in
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
from tfdeconv.models.registry import build

CONFIG_FILE = "config.json"
TASK_FILE = "task.json"
WEIGHTS_FILE = "model.weights.h5"
TASK_WEIGHTS_FILE = "task.weights.h5"
_MAX_JSON = 2**24
# The layer that gives the scores; what comes before it is the backbone.
_HEADS = {"deconvnet": "seg-score-voc", "segnet": "conv1_1_D"}
_FCN_FEATURES = {"pool3": "pool3", "pool4": "pool4", "fc7": "drop7"}
# What the registered name of a task says of the arguments of its network.
_ARGUMENTS = {
    "tfdeconv>DeconvNetImageSegmenter": ("fc6_kernel",),
    "tfdeconv>SegNetImageSegmenter": (),
    "tfdeconv>FCNImageSegmenter": ("dropout", "batch_norm"),
}


def features(name: str, network: keras.Model) -> Any:
    """Returns where the backbone of a network ends.

    Args:
        name: Its name in the registry.
        network: The network.

    Returns:
        The tensor that the last layer scores; for an FCN a dictionary of the three tensors.

    Example:

    >>> features("segnet", build("segnet", num_classes=2, width=1 / 32)).shape
    (None, None, None, 2)
    """
    if name in _HEADS:
        return network.get_layer(_HEADS[name]).input
    return {feature: network.get_layer(layer).output for feature, layer in _FCN_FEATURES.items()}


def is_preset(path: str | os.PathLike[str]) -> bool:
    """Returns whether a directory looks like a preset of KerasHub."""
    return (Path(path) / CONFIG_FILE).is_file() and (Path(path) / WEIGHTS_FILE).is_file()


def load_preset(path: str | os.PathLike[str], draw: bool = True) -> keras.Model:
    """Opens a preset of a DeconvNet, SegNet or FCN as the plain network of `tfdeconv.models`.

    Args:
        path: The directory.
        draw: False leaves zeros in place of the initialisers of the weights.

    Returns:
        The network with its weights and class names, not compiled. The preset's preprocessing is
        left out: the network takes images of its own size.

    Raises:
        ValueError: when it is no preset of these, or the weights are not those of the network.
        OSError: when a file is missing.
        KeyError: when the description is not whole.

    Example:

    ```python
    network = load_preset("deconvnet_preset")
    ```
    """
    task = _description(Path(path) / TASK_FILE)
    kind, config = task["registered_name"], task["config"]
    if kind not in _ARGUMENTS:
        raise ValueError(f"a preset of {kind}, which is none of {', '.join(_ARGUMENTS)}")
    backbone = config["backbone"]["config"]
    if backbone["dtype"]["class_name"] != "DTypePolicy":
        raise ValueError("a quantised preset, which KerasHub alone opens")
    name = _network(kind, config)
    _check_size(name, backbone, Path(path) / WEIGHTS_FILE)
    network = build(name, **_arguments(kind, config, backbone), **_zeros(name, draw))
    _load_weights(network, keras.Model(network.input, features(name, network)), Path(path))
    colours = config.get("palette")
    if colours is not None and colours != voc_palette()[: len(colours)].tolist():
        network.get_layer("scores").palette = tuple(map(tuple, colours))
    return network


def _check_size(name: str, backbone: dict[str, Any], file: Path) -> None:
    """Refuses numbers that would fill the memory before the weights are found not to fit."""
    fc6 = {"deconvnet": math.prod(backbone.get("fc6_kernel", ())), "segnet": 0}.get(name, 7 * 7)
    # conv5_1 and fc6, a byte a weight: no file of the network is smaller.
    fewest = (3 * 3 * 512 * 512 + fc6 * 512 * 4096) * backbone["width"] ** 2
    if fewest > file.stat().st_size:
        raise ValueError(f"{file.name} with too few bytes for a network of such a size")


def _load_weights(network: keras.Model, below: keras.Model, folder: Path) -> None:
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that a file lacks, and leaves them as they are.
            warnings.simplefilter("error", UserWarning)
            below.load_weights(folder / WEIGHTS_FILE)
            keras.saving.load_weights(
                network, folder / TASK_WEIGHTS_FILE, objects_to_skip=below.layers
            )
    except UserWarning as warning:
        raise ValueError(str(warning)) from warning


def _description(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ValueError(f"no {file.name}: the preset of a backbone alone has no scores")
    if file.stat().st_size > _MAX_JSON:
        raise ValueError(f"a description of more than {_MAX_JSON} bytes")
    return json.loads(file.read_text("utf-8"))


def _network(kind: str, config: dict[str, Any]) -> str:
    if kind == "tfdeconv>FCNImageSegmenter":
        return f"fcn{config['stride']}s"
    return "deconvnet" if "DeconvNet" in kind else "segnet"


def _arguments(kind: str, config: dict[str, Any], backbone: dict[str, Any]) -> dict[str, Any]:
    names = config["class_names"]
    own = {argument: backbone[argument] for argument in _ARGUMENTS[kind]}
    if "fc6_kernel" in own:
        own["fc6_kernel"] = tuple(own["fc6_kernel"])
    return {
        "num_classes": config["num_classes"],
        "class_names": None if names is None else tuple(names),
        "input_shape": tuple(backbone["image_shape"]),
        "width": backbone["width"],
        **own,
    }


def _zeros(name: str, draw: bool) -> dict[str, Any]:
    if draw:
        return {}
    # Bilinear kernels are drawn, too.
    deconv = {"deconv_initializer": "zeros"} if name == "deconvnet" else {}
    return {"kernel_initializer": "zeros", **deconv}
