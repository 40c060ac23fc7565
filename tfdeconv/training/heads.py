"""Auxiliary heads: deep supervision of networks that unpool.

From scratch, the gradient that reaches the first of fourteen deconvolutions is weak. A 1x1
convolution on the map before every unpooling scores the classes at the resolution of that map; its
loss is added to that of the network. The heads exist only in training: the model that a run folder
keeps for inference does not have them.

Reference:
    Lee, Xie, Gallagher, Zhang, Tu: Deeply-Supervised Nets, AISTATS 2015. The paper of DeconvNet,
    which starts from a trained VGG-16, has no heads, and neither have its recipes here.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfdeconv.layers import Unpool
from tfdeconv.metrics import MeanIoU
from tfdeconv.models import SegmentationModel
from tfdeconv.training.losses import CrossEntropy
from tfdeconv.training.recipes import Recipe


def with_heads(model: keras.Model, size: int) -> keras.Model:
    """Returns `model` with a head on every map that is unpooled.

    Args:
        model: A network; its layers are shared, not copied. One without unpooling is returned as it
            is; PSPNet and the Deep Contextual Network have auxiliary classifiers of their own.
        size: side of the images of the training. A map whose pixels do not correspond to a whole
            number of the image's, as in a SegNet at 50 pixels, gets no head.

    Returns:
        A model of the same name whose outputs are the scores of `model` and, coarse to fine, those
        of the heads, `(batch, rows, columns, classes)` float32.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> deep = with_heads(DeconvNet(3, (64, 64, 3), width=1 / 32), size=64)
    >>> [output.shape[1] for output in deep.outputs]
    [64, 2, 4, 8, 16, 32]
    """
    coarse_to_fine = [layer.input[0] for layer in model.layers if isinstance(layer, Unpool)]
    steps = range(len(coarse_to_fine), 0, -1)
    unpooled = [x for x, step in zip(coarse_to_fine, steps, strict=True) if size % 2**step == 0]
    if not unpooled:
        return model
    heads = [
        layers.Conv2D(
            model.output.shape[-1],
            1,
            dtype="float32",
            data_format="channels_last",
            name=f"head-{x._keras_history.operation.name}",
        )(x)
        for x in unpooled
    ]
    outputs = [model.output, *heads]
    if isinstance(model, SegmentationModel):
        return model.with_outputs(outputs)
    return keras.Model(model.input, outputs, name=model.name)


def objectives(model: keras.Model, recipe: Recipe) -> dict[str, Any]:
    """Returns losses and metrics for `model.compile`.

    Args:
        model: A network, with heads or without.
        recipe: Gives the weight of the heads' losses.

    Returns:
        The keyword arguments `loss`, `loss_weights` and `metrics`; mean IoU is that of the scores.
    """
    heads = len(model.outputs) - 1
    loss = CrossEntropy(reduction=recipe.loss_reduction)
    metrics = [MeanIoU(num_classes=model.outputs[0].shape[-1])]
    if not heads:
        return {"loss": loss, "metrics": metrics}
    return {
        "loss": [loss, *(CrossEntropy() for _ in range(heads))],
        "loss_weights": [1.0, *[recipe.head_weight] * heads],
        "metrics": [metrics, *[[]] * heads],
    }


def repeat_labels(batches: tf.data.Dataset, model: keras.Model) -> tf.data.Dataset:
    """Returns batches with the labels once for every output of `model`, as Keras expects them."""
    count = len(model.outputs)
    if count == 1:
        return batches
    return batches.map(lambda images, labels: (images, (labels,) * count))


def without_heads(logs: dict[str, Any], model: keras.Model) -> dict[str, Any]:
    """Returns the logs of the scores alone, named as without heads.

    Args:
        logs: Names and values, as a callback receives them.
        model: The model that is trained.

    Returns:
        `logs` itself without heads; otherwise `loss`, `mean_iou`, `val_loss`, ... of the scores.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> deep = with_heads(DeconvNet(3, (32, 32, 3), width=1 / 32), size=32)
    >>> logs = {"loss": 3.0, "scores_loss": 1.0, "val_scores_mean_iou": 0.5}
    >>> without_heads({**logs, "head-derelu5_3_loss": 2.0}, deep)
    {'loss': 1.0, 'val_mean_iou': 0.5}
    """
    if len(model.outputs) == 1:
        return logs
    main = f"{model.output_names[0]}_"
    return {name.replace(main, "", 1): value for name, value in logs.items() if main in name}
