"""What a network trained from scratch has in place of the paper's VGG-16: a trained encoder.

The paper starts stage 1 from a VGG-16 that was trained to classify ImageNet (section 4.2). Without
one, the encoder first learns to classify the objects of the stage 1 windows: a decoder of 14 layers
gets going much sooner on features that already tell the classes apart.
"""

import math
import sys

import keras
import tensorflow as tf
from keras import layers

from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.models import SegmentationModel
from tfdeconv.training.inputs import StageData, training_batches
from tfdeconv.training.ready import make_ready
from tfdeconv.training.recipes import Recipe


def train_encoder(model: SegmentationModel, inputs: StageData, recipe: Recipe, seed: int) -> None:
    """Trains the layers of `model` up to `fc7` to classify the object of a stage 1 window.

    Args:
        model: The network; its encoder is trained in place.
        inputs: The data of stage 1.
        recipe: Gives batch size, learning rate and `encoder_steps`, the number of batches.
        seed: Decides the order of the windows.

    Raises:
        UserError: when the loss becomes NaN or infinite.
    """
    features = model.encoder_outputs[0]
    x = layers.GlobalAveragePooling2D(data_format="channels_last")(features)
    scores = layers.Dense(model.outputs[0].shape[-1], dtype="float32")(x)
    classifier = keras.Model(model.input, scores, name="encoder")
    steps = recipe.encoder_steps
    schedule = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps, alpha=0.05)
    classifier.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    make_ready(classifier)
    # Another seed than the training that follows: it need not see the same windows first.
    batches = training_batches(inputs, recipe, seed + 1, 0, steps)
    classifier.fit(
        batches.map(lambda images, labels: (images, object_class(labels))),
        steps_per_epoch=steps,
        callbacks=[_RequireFinite()],
        shuffle=False,
        verbose=1 if sys.stdout.isatty() else 2,
    )


class _RequireFinite(keras.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise UserError(
                f"The loss of the encoder must stay finite. Received: loss={loss} at step "
                f"{batch + 1} of it. Train with a lower learning rate or without mixed precision."
            )


def object_class(labels: tf.Tensor) -> tf.Tensor:
    """Returns the class of the one object of stage 1 label maps.

    Args:
        labels: `(batch, height, width)` uint8; background, one class and void.

    Returns:
        `(batch,)` int32; 0 where a crop lost its object.

    Example:

    >>> labels = tf.constant([[[0, 3], [255, 3]], [[0, 0], [255, 0]]], tf.uint8)
    >>> object_class(labels).numpy().tolist()
    [3, 0]
    """
    labels = tf.cast(labels, tf.int32)
    return tf.reduce_max(tf.where(labels == IGNORE_LABEL, 0, labels), axis=[1, 2])
