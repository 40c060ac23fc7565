"""The encoder of a network: trained on its own where there is no VGG-16, or frozen.

The paper starts stage 1 from a VGG-16 that was trained to classify ImageNet (section 4.2). Without
one, the encoder first learns to classify the objects of the windows of stage 1: a decoder of 14
layers learns much faster on features that separate the classes.
"""

import keras
import tensorflow as tf
from keras import layers

from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.models import SegmentationModel
from tfdeconv.training.callbacks import Progress, RequireFinite
from tfdeconv.training.init import make_ready
from tfdeconv.training.inputs import TrainingData, training_batches
from tfdeconv.training.recipes import Recipe


def train_encoder(model: SegmentationModel, data: TrainingData, recipe: Recipe, seed: int) -> None:
    """Trains the encoder of `model`, in place, to classify the object of a stage 1 window.

    Args:
        model: The network.
        data: The data of stage 1.
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
    # The training that follows has the windows in another order.
    batches = training_batches(data, recipe, seed + 1, 0, steps)
    classifier.fit(
        batches.map(lambda images, labels: (images, _object_class(labels))),
        steps_per_epoch=steps,
        callbacks=[RequireFinite("encoder"), Progress(steps, what="encoder")],
        shuffle=False,
        verbose=0,
    )


def _object_class(labels: tf.Tensor) -> tf.Tensor:
    # Label maps of stage 1 have one class; a crop that lost its object is background.
    labels = tf.cast(labels, tf.int32)
    return tf.reduce_max(tf.where(labels == IGNORE_LABEL, 0, labels), axis=[1, 2])


def freeze_encoder(model: keras.Model, until: str | None = None) -> tuple[str, ...]:
    """Freezes the encoder of a network, the statistics of its batch normalisation included.

    Frozen layers have no trainable weights; their batch normalisations use the statistics they have
    and do not update them, in `fit` too. `model.save` saves which layers are frozen, and
    `recalibrate` leaves them out. Dropout between frozen layers stays active.

    Args:
        model: A functional model, of `tfdeconv.models` or any other. Compile it (again) afterwards.
        until: Name of the last layer to freeze, with all layers that it takes its input from. By
            default the encoder of a network of `tfdeconv.models`.

    Returns:
        The names of the frozen layers that have weights, in the order of the model.

    Raises:
        UserError: when the model has no layer `until`, or is not of `tfdeconv.models` and `until`
            is not given.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> model = DeconvNet(3, (32, 32, 3), width=1 / 32)
    >>> freeze_encoder(model)[-2:]
    ('fc7', 'bnfc7')
    >>> model.trainable_weights[0].path
    'fc6-deconv/kernel'
    """
    if until is None and isinstance(model, SegmentationModel):
        encoder = model.encoder()
    elif until in [layer.name for layer in model.layers]:
        encoder = keras.Model(model.inputs, model.get_layer(until).output)
    else:
        raise UserError(
            f"The encoder of {model.name} must end in a layer {until or 'of a known name'}. "
            "Received: a network without it. Name the last layer to freeze, `until=...`."
        )
    frozen = [layer for layer in model.layers if layer in encoder.layers]
    for layer in frozen:
        layer.trainable = False
    return tuple(layer.name for layer in frozen if layer.weights)
