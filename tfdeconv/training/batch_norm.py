"""Precise batch norm: statistics measured over training windows, the release's "make testable".

The release trains and validates with the statistics of the batch and keeps no averages. Afterwards
it measures them once for inference, over 501 batches of 28 windows of stage 2: mean and variance of
every layer are averaged over the batches, each of which is normalised by its own statistics. The
files of its training have none; models trained here have moving averages of the last few batches,
which are noisier. Networks that run on full images keep theirs: windows about objects are not what
they are used on, and a U-Net lost by it (mean IoU 0.61 to 0.58).
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdeconv import boxes
from tfdeconv.data import pipeline, voc, windows
from tfdeconv.errors import UserError
from tfdeconv.models.base import leaves
from tfdeconv.training.run_folder import RunFolder

# The release: 501 of 28. After 100, the statistics of a network of width 1/8 were within 0.013
# deviations (means) and about one per cent (variances) of those after 501.
BATCHES, BATCH_SIZE = 100, 28


def recalibrate(model: keras.Model, batches: Iterable[Any]) -> int:
    """Sets the statistics of all batch normalisations to averages over batches of images.

    Args:
        model: A model with `keras.layers.BatchNormalization` or ours; frozen ones keep theirs.
            Dropout is off meanwhile.
        batches: `(batch, height, width, 3)` RGB images in [0, 255], at least one batch. The
            variance is the biased one of each batch: use the batch size of training or a larger
            one.

    Returns:
        The number of layers measured.

    Raises:
        UserError: when there is no batch normalisation, or it was folded into the scales.

    Example:

    >>> x = keras.Input((1, 1, 1))
    >>> model = keras.Model(x, keras.layers.BatchNormalization()(x))
    >>> recalibrate(model, [np.array([0.0, 2.0]).reshape(2, 1, 1, 1), np.full((2, 1, 1, 1), 4.0)])
    1
    >>> [float(value[0]) for value in model.get_weights()[2:]]
    [2.5, 0.5]

    Reference:
        `BN_make_INFERENCE_script.py` and `DeconvNet_make_bn_layer_testable.prototxt` of the
        release.
    """
    norms = measurable(model)
    sums = [np.zeros((2, layer.moving_mean.shape[0])) for layer in norms]
    count = 0
    with _no_momentum(model, norms):
        forward = tf.function(lambda images: model(images, training=True))
        for images in batches:
            forward(tf.convert_to_tensor(images))
            count += 1
            for total, layer in zip(sums, norms, strict=True):
                total += np.stack([layer.moving_mean, layer.moving_variance])
    for total, layer in zip(sums, norms, strict=True):
        mean, variance = total / count
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(variance)
    return len(norms)


def measurable(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Returns the batch normalisations of a model whose statistics can be measured.

    Raises:
        UserError: when there are none, or they were folded into the scales.
    """
    norms = [
        layer
        for layer in leaves(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not norms:
        raise UserError(
            f"{model.name} has no batch normalisation, so that there is nothing to recalibrate. "
            "Use it as it is."
        )
    if all(_is_folded(layer) for layer in norms):
        raise UserError(
            f"The batch-norm statistics of {model.name} are folded into its scales and cannot be "
            "measured again. Use it as it is."
        )
    return norms


def window_images(
    model: keras.Model,
    data: str | os.PathLike[str],
    proposals: str | os.PathLike[str] | None,
    background: bool = False,
    batches: int = BATCHES,
    batch_size: int = BATCH_SIZE,
) -> tf.data.Dataset:
    """Returns batches of training windows, cropped and mirrored at random as in training.

    Args:
        model: Gives the size of the windows.
        data: Folder in PASCAL VOC layout; its split `train` is used.
        proposals: File written by `tfdeconv propose`, for windows of stage 2; None for stage 1.
        background: Whether stage 2 also has windows of the background.
        batches: How many.
        batch_size: Windows in each.

    Returns:
        A dataset of `(batch_size, size, size, 3)` uint8 images.

    Raises:
        UserError: for unusable data, or a model without a size of its own.
    """
    height, width = model.input_shape[1:3]
    if height is None or height != width:
        raise UserError(
            "Only networks with a square input of fixed size, such as DeconvNet, are recalibrated. "
            f"Received: {model.name} with the input {model.input_shape}. Use it as it is."
        )
    split = voc.read_split(data, "train")
    if proposals is None:
        cut = windows.object_windows(split)
    else:
        cut = windows.proposal_windows(split, boxes.load(proposals), background=background)
    dataset = pipeline.training_dataset(
        split, windows.balance(cut, 0), batch_size=batch_size, steps=batches, input_size=height
    )
    return dataset.map(lambda images, labels: images)


def trained_on(path: str | os.PathLike[str]) -> tuple[str | None, bool]:
    """Returns the windows that the run in a folder was trained on.

    Returns:
        The file of its proposals, None for stage 1 and for models that are no runs; and whether
        the windows included the background.

    Raises:
        UserError: when the settings of the run cannot be read.
    """
    run = RunFolder(path)
    if not run.exists:
        return None, False
    settings = run.settings()
    try:
        return settings["proposals"], settings["recipe"]["background"]
    except (KeyError, TypeError) as error:
        raise UserError(
            f"`{path}` must be a run of `tfdeconv train`. Received: run.json without {error}. Name "
            f"`{run.model_file}` itself."
        ) from error


@contextlib.contextmanager
def _no_momentum(
    model: keras.Model, norms: list[keras.layers.BatchNormalization]
) -> Iterator[None]:
    # Without momentum the moving averages are the statistics of the last batch.
    changed = [(layer, "momentum", layer.momentum) for layer in norms]
    changed += [(layer, "rate", layer.rate) for layer in leaves(model) if _drops(layer)]
    try:
        for layer, name, _ in changed:
            setattr(layer, name, 0.0)
        yield
    finally:
        for layer, name, value in changed:
            setattr(layer, name, value)


def _drops(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.Dropout | keras.layers.SpatialDropout2D)


def _is_folded(layer: keras.layers.BatchNormalization) -> bool:
    # What `load_caffemodel` writes for a scale and shift; no measured variance is 1 - epsilon.
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    return bool((mean == 0.0).all() and (variance == np.float32(1.0 - layer.epsilon)).all())
