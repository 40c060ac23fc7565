"""A network as other runtimes take it: folded, in float32, for crops of one size."""

import os
from pathlib import Path

import keras
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.segmentation.network import inference_network, sizes

CROPS, SCORES = "crops", "scores"


def portable_network(model: keras.Model, input_size: int | None) -> tuple[keras.Model, int]:
    """Returns a folded copy of the network in float32, and the side of the crops to trace it for.

    It is to be traced in `tfdeconv.layers.choice.portable_ops`.

    Args:
        model: Any Keras model from RGB in [0, 255] to scores.
        input_size: side of the crops in pixels; None for that of the model's input.

    Raises:
        UserError: when the model is no such network, or `input_size` is not what it takes.
    """
    if keras.config.backend() != "tensorflow":
        raise UserError(
            "A network must be exported under Keras's TensorFlow backend. Received: "
            f"{keras.config.backend()}. Set KERAS_BACKEND=tensorflow."
        )
    side = _side(model, input_size)
    network = inference_network(model, "float32")
    if network.input_shape[1] is None:
        _try(network, side)
    return network, side


def require_suffix(path: str | os.PathLike[str], suffix: str) -> Path:
    """Returns `path`, by whose ending `tfdeconv verify` knows what is in it.

    Raises:
        UserError: when it ends otherwise.
    """
    if Path(path).suffix != suffix:
        raise UserError(
            f"The file to write must end in {suffix}. Received: `{path}`. Choose another name."
        )
    return Path(path)


def _side(model: keras.Model, input_size: int | None) -> int:
    size, _ = sizes(model)
    side = input_size if size is None else size
    if side is None:
        raise UserError(
            "A network for images of every size must be exported for crops of one. Received: no "
            "size. Give one, such as `--input-size 224`."
        )
    if input_size not in (None, side) or side < 1:
        raise UserError(
            f"The side of the crops must be {size or 'at least 1'}. Received: {input_size}. "
            "Leave out `--input-size`."
        )
    return side


def _try(network: keras.Model, side: int) -> None:
    try:
        network(tf.zeros((1, side, side, 3)), training=False)
    except ValueError as error:
        # Keras puts the reason below a line that names the layer.
        reason = " ".join(str(error).split()).removesuffix(".")
        raise UserError(
            "The side of the crops must be one that the network takes. Received: "
            f"{side}: {reason}. Choose another `--input-size`."
        ) from error
