"""Losses and metrics in `fit` on the backend that KERAS_BACKEND names: beside Keras's own classes.

Prints `<backend> ok`. Run as `python -m tests.fit_on_backend`. The model is a single convolution,
trained beside a twin that is compiled with Keras's own classes.
"""

import warnings

import keras
import numpy as np

from tfdeconv.metrics import MeanIoU
from tfdeconv.training.losses import CrossEntropy, Dice, LovaszSoftmax

CLASSES = 3


def data(count=6):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, 8, 8, 3)).astype("uint8")
    labels = (images[..., 0] // 86).astype("uint8")
    labels[generator.uniform(size=labels.shape) < 0.2] = 255
    return images, labels


def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(CLASSES, 3, padding="same")(x))


def ours(weighted=False):
    metrics = [MeanIoU(CLASSES, name="iou")]
    return {"loss": CrossEntropy(), "weighted_metrics" if weighted else "metrics": metrics}


def kerass(weighted=False):
    # In float32: of Keras's own int, weights lose what is behind the point.
    iou = keras.metrics.MeanIoU(
        CLASSES, ignore_class=255, sparse_y_pred=False, name="iou", dtype="float32"
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    return {"loss": loss, "weighted_metrics" if weighted else "metrics": [iou]}


def history(compiled, fit, **options):
    one = model()
    one.compile(keras.optimizers.SGD(0.5), **{"jit_compile": False, **compiled, **options})
    return one.fit(**{"epochs": 2, "shuffle": False, "verbose": 0, **fit}).history


def dataset(images, labels):
    """Returns the `tf.data` form, which every backend is fed with."""
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)


class Batches(keras.utils.PyDataset):
    def __init__(self, images, labels):
        super().__init__()
        self.images, self.labels = images, labels

    def __len__(self):
        return 3

    def __getitem__(self, index):
        part = slice(2 * index, 2 * index + 2)
        return self.images[part], self.labels[part]


def generated(images, labels):
    while True:
        for first in (0, 2, 4):
            yield images[first : first + 2], labels[first : first + 2]


X, Y = data()
WEIGHTS = np.random.default_rng(1).uniform(0, 2, Y.shape).astype("float32")
FEEDS = {
    "arrays": {"x": X, "y": Y, "batch_size": 4},
    "channel axis": {"x": X, "y": Y[..., None], "batch_size": 4},
    "batch of one, channel axis": {"x": X, "y": Y[..., None], "batch_size": 1},
    "a batch as large as the side": {
        "x": np.tile(X, (4, 1, 1, 1))[:8],
        "y": np.tile(Y, (4, 1, 1))[:8, ..., None],
        "batch_size": 8,
    },
    "weights of pixels": {"x": X, "y": Y, "sample_weight": WEIGHTS, "batch_size": 4},
    "weights of ones": {"x": X, "y": Y, "sample_weight": np.ones(Y.shape), "batch_size": 4},
    "validation": {"x": X, "y": Y, "validation_data": (X, Y), "batch_size": 4},
    "tf.data": {"x": dataset(X, Y)},
    "PyDataset": {"x": Batches(X, Y)},
    "a generator": {"x": generated(X, Y), "steps_per_epoch": 3},
}


def compare(feed, **options):
    """Asserts that our classes log in `fit` what Keras's own log."""
    fit = FEEDS[feed]
    plain = {**fit}
    if "channel" in feed or "side" in feed:
        plain["y"] = fit["y"][..., 0]
    if feed == "a generator":
        fit, plain = ({**fit, "x": generated(X, Y)} for _ in range(2))
    found, expected = history(ours(), fit, **options), history(kerass(), plain, **options)
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, err_msg=(feed, name))


def stepped(loss):
    """Returns the weights after one step of gradient descent in a loop of one's own."""
    one, backend = model(), keras.config.backend()
    optimizer = keras.optimizers.SGD(0.5)
    if backend == "jax":
        import jax

        def value(trainable, fixed):
            logits, fixed = one.stateless_call(trainable, fixed, X, training=True)
            return loss(Y, logits, WEIGHTS), fixed

        optimizer.build(one.trainable_variables)
        trainable = [variable.value for variable in one.trainable_variables]
        fixed = [variable.value for variable in one.non_trainable_variables]
        step = jax.jit(jax.value_and_grad(value, has_aux=True))
        _, gradients = step(trainable, fixed)
        variables = [variable.value for variable in optimizer.variables]
        return optimizer.stateless_apply(variables, gradients, trainable)[0]
    if backend == "torch":
        loss(Y, one(X, training=True), WEIGHTS).backward()
        gradients = [variable.value.grad for variable in one.trainable_variables]
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss(Y, one(X, training=True), WEIGHTS)
        gradients = tape.gradient(value, one.trainable_variables)
    optimizer.apply(gradients, one.trainable_variables)
    return one.trainable_variables


def compare_step(loss):
    """Asserts that a loop of one's own takes the step of `fit`."""
    fitted = model()
    fitted.compile(keras.optimizers.SGD(0.5), loss=loss)
    fitted.fit(X, Y, batch_size=6, sample_weight=WEIGHTS, verbose=0)
    for mine, theirs in zip(fitted.trainable_variables, stepped(loss), strict=True):
        mine, theirs = (keras.ops.convert_to_numpy(x) for x in (mine, theirs))
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6, err_msg=loss.name)


def main() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Keras 3.15 converts PyTorch tensors in a way that NumPy 2 deprecates.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        # Keras's own MeanIoU asks JAX for int64.
        warnings.filterwarnings("ignore", "Explicitly requested dtype int64", UserWarning)
        for feed in FEEDS:
            compare(feed)
        compare("tf.data", run_eagerly=True)
        for loss in (CrossEntropy(), Dice(), LovaszSoftmax()):
            compare_step(loss)
    print(keras.config.backend(), "ok")


if __name__ == "__main__":
    main()
