"""Trains on two logical CPU devices and on one, compares, and prints `ok`.

python -m tests.replicas_process [all]: one loss of each kind, or all of them and DeconvNet.

A process of its own: TensorFlow cuts its CPU into logical devices once, before anything runs.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.layers import BatchNormalization
from tfdeconv.metrics import MeanIoU
from tfdeconv.models import DeconvNet
from tfdeconv.training import losses
from tfdeconv.training.caffe_sgd import CaffeSGD

CLASSES = 3
OF_EACH_KIND = ("cross_entropy", "dice", "lovasz_softmax")
LOSSES = {
    "cross_entropy": losses.CrossEntropy(),
    "cross_entropy, weighted mean": losses.CrossEntropy(reduction="mean_with_sample_weight"),
    "cross_entropy, sum": losses.CrossEntropy(reduction="sum"),
    "focal": losses.Focal(),
    "dice": losses.Dice(),
    "jaccard": losses.Jaccard(),
    "tversky": losses.Tversky(),
    "lovasz_softmax": losses.LovaszSoftmax(),
}


def data(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eight images; the labels of the second half, which one replica gets, are mostly void."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (8, side, side, 3)).astype("float32")
    labels = (images[..., 0] // 86).astype("uint8")
    labels[4:, 1:] = 255
    return images, labels, generator.uniform(0, 2, labels.shape).astype("float32")


def convolution() -> keras.Model:
    """Returns a network of one layer."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(CLASSES, 3, padding="same")(x))


def deconvnet() -> keras.Model:
    """Returns a small DeconvNet whose batch normalisation is frozen."""
    model = DeconvNet(CLASSES, (32, 32, 3), width=1 / 16)
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            layer.trainable = False
    return model


def trained(strategy, make, loss, optimizer, *arrays):
    """Returns what one step logs, and by how much it moves the weights."""
    with strategy.scope():
        keras.utils.set_random_seed(0)
        model = make()
        before = [np.array(weight) for weight in model.trainable_weights]
        metrics = [MeanIoU(CLASSES)]
        model.compile(optimizer(), loss=loss, weighted_metrics=metrics, jit_compile=False)
    dataset = tf.data.Dataset.from_tensor_slices(arrays).batch(8)
    logs = model.fit(dataset, shuffle=False, verbose=0).history
    measured = model.evaluate(dataset, verbose=0, return_dict=True)
    after = [np.array(weight) for weight in model.trainable_weights]
    moved = [new - old for new, old in zip(after, before, strict=True)]
    return {name: values[0] for name, values in logs.items()}, measured, moved


def compare(two_replicas, name, make, loss, optimizer, *arrays) -> None:
    """Asserts that a step on two replicas is that on one device."""
    one = trained(tf.distribute.get_strategy(), make, loss, optimizer, *arrays)
    two = trained(two_replicas, make, loss, optimizer, *arrays)
    for mine, theirs in zip(one[:2], two[:2], strict=True):
        for key in mine:
            np.testing.assert_allclose(theirs[key], mine[key], rtol=2e-5, err_msg=f"{name} {key}")
    flat = [np.concatenate([part.ravel() for part in moved]) for moved in (one[2], two[2])]
    ratio = np.linalg.norm(flat[1]) / np.linalg.norm(flat[0])
    error = np.linalg.norm(flat[1] - flat[0]) / np.linalg.norm(flat[0])
    print(f"{name}: ratio {ratio:.6f}, error {error:.1e}")
    assert abs(ratio - 1) < 1e-5 and error < 1e-5, name


def refuse(two_replicas) -> None:
    """Asserts that a network of ours refuses what Keras itself cannot do on several replicas."""
    images, labels, _ = data(32)
    for options in (
        {"optimizer": keras.optimizers.SGD(gradient_accumulation_steps=2)},
        {"optimizer": keras.optimizers.SGD(use_ema=True)},
        {"optimizer": "sgd", "steps_per_execution": 2},
        {"optimizer": "sgd", "jit_compile": True},
    ):
        with two_replicas.scope():
            model = deconvnet()
            model.compile(loss=losses.CrossEntropy(), **options)
        try:
            model.fit(images, labels)
        except ValueError as error:
            print(error)
            assert "must be left out on several replicas" in str(error), error
        else:
            raise AssertionError(options)


def main() -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # One for all: TensorFlow's collective operations of a second strategy clash with the first's.
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    images, labels, weights = data(8)
    thorough = sys.argv[1:] == ["all"]
    for name in LOSSES if thorough else OF_EACH_KIND:
        arrays = images, labels, weights
        compare(two, name, convolution, LOSSES[name], lambda: keras.optimizers.SGD(0.1), *arrays)
    refuse(two)
    if thorough:
        images, labels, _ = data(32)
        loss = losses.CrossEntropy()
        compare(two, "DeconvNet", deconvnet, loss, lambda: CaffeSGD(0.01), images, labels)
    print("ok")


if __name__ == "__main__":
    main()
