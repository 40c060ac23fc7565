"""The fused layer against Keras's own: outputs, gradients, statistics, the saved model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdeconv.layers import BatchNormalization


def both(shape, dtype="float32"):
    x = np.random.default_rng(0).normal(3.0, 2.0, shape).astype("float32")
    results = []
    for layer in (BatchNormalization(dtype=dtype), keras.layers.BatchNormalization(dtype=dtype)):
        layer.build(shape)
        channels = shape[-1]
        layer.set_weights(
            [
                np.linspace(0.5, 2, channels),
                np.linspace(-1, 1, channels),
                np.full(channels, 0.25),
                np.full(channels, 4.0),
            ]
        )
        inputs = tf.Variable(x)
        with tf.GradientTape() as tape:
            outputs = layer(inputs, training=True)
            total = tf.reduce_sum(tf.cast(outputs, tf.float32) * tf.cast(tf.sin(x), tf.float32))
        gradients = tape.gradient(total, [inputs, layer.gamma, layer.beta])
        results.append((outputs, *gradients, layer.moving_mean, layer.moving_variance))
    return results


@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (8, 1, 1, 3), (1, 7, 2, 1)])
def test_equals_keras_in_training(shape):
    ours, kerass = both(shape)
    for mine, theirs in zip(ours, kerass, strict=True):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(mine),
            keras.ops.convert_to_numpy(theirs),
            rtol=2e-4,
            atol=2e-4,
        )


def test_equals_keras_in_half_precision():
    ours, kerass = both((4, 6, 6, 3), "mixed_bfloat16")
    for mine, theirs in zip(ours, kerass, strict=True):
        mine, theirs = (
            keras.ops.convert_to_numpy(mine).astype("float32"),
            keras.ops.convert_to_numpy(theirs).astype("float32"),
        )
        np.testing.assert_allclose(mine, theirs, rtol=0.05, atol=0.05)


def test_a_single_value_is_normalised_to_the_shift():
    layer = BatchNormalization()
    outputs = layer(np.full((1, 1, 1, 2), 7.0, "float32"), training=True)
    assert keras.ops.convert_to_numpy(outputs).tolist() == [[[[0.0, 0.0]]]]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer.moving_variance), [0.99, 0.99])


def test_trains_under_xla():
    inputs = keras.Input((4, 4, 2))
    model = keras.Model(inputs, BatchNormalization()(inputs))
    model.compile("sgd", "mse", jit_compile=True)
    x = np.ones((6, 4, 4, 2), "float32")
    model.fit(tf.data.Dataset.from_tensor_slices((x, x)).batch(4), shuffle=False, verbose=0)
    assert model.layers[1].moving_mean.numpy()[0] > 0


def test_frozen_layer_uses_and_keeps_its_statistics():
    layer = BatchNormalization(trainable=False)
    x = np.random.default_rng(1).normal(size=(2, 3, 3, 2)).astype("float32")
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(layer(x, training=True)), x / np.sqrt(1.001), rtol=1e-4
    )
    assert keras.ops.convert_to_numpy(layer.moving_mean).tolist() == [0.0, 0.0]
