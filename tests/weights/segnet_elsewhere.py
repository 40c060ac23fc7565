"""SegNet as it is built elsewhere, from layers of Keras 2 or 3 and two layers of one's own.

`python segnet_elsewhere.py FOLDER` saves it from TensorFlow 2.15, without tfdeconv.
"""

import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np

ENCODER = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
DECODER = ((512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 64), (64,))
# What images go through first: R, G, B.
MEAN, SCALE = (123.675, 116.28, 103.53), (1 / 58.395, 1 / 57.12, 1 / 57.375)


def switches(keras: Any) -> tuple[Any, Any]:
    """Pooling whose indices are cast to float, and unpooling that casts them back."""
    import tensorflow as tf

    class Pool(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            pooled, places = tf.nn.max_pool_with_argmax(inputs, 2, 2, "SAME")
            return pooled, tf.cast(places, tf.float32)

    class Unpool(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            values, places = inputs
            _, rows, columns, channels = values.shape
            batch = tf.shape(values)[0]
            count = rows * columns * channels
            images = tf.repeat(tf.range(batch), count)
            indices = tf.stack([images, tf.reshape(tf.cast(places, tf.int32), [-1])], axis=1)
            flat = tf.scatter_nd(indices, tf.reshape(values, [-1]), [batch, 4 * count])
            return tf.reshape(flat, (-1, 2 * rows, 2 * columns, channels))

    return Pool, Unpool


def build(keras: Any, width: float, classes: int, size: tuple[int, int], usual: bool) -> Any:
    """Returns the network to probabilities, and the same to the scores before its softmax.

    The usual one ends in a normalised 1x1 convolution; the other in a 3x3 one, has no biases before
    normalisations, and another epsilon.
    """
    layers = keras.layers
    pool, unpool = switches(keras)
    norm = {} if usual else {"epsilon": 2e-3}

    def convolve(x: Any, filters: int) -> Any:
        channels = max(1, round(width * filters))
        x = layers.Conv2D(channels, (3, 3), padding="same", use_bias=usual)(x)
        return layers.Activation("relu")(layers.BatchNormalization(**norm)(x))

    x = inputs = keras.Input((*size, 3))
    masks = []
    for stage in ENCODER:
        for filters in stage:
            x = convolve(x, filters)
        x, mask = pool()(x)
        masks.append(mask)
    for stage, mask in zip(DECODER, reversed(masks), strict=True):
        x = unpool()([x, mask])
        for filters in stage:
            x = convolve(x, filters)
    side = 1 if usual else 3
    x = layers.Conv2D(classes, (side, side), padding="same")(x)
    if usual:
        x = layers.BatchNormalization()(x)
    scores = layers.Reshape((size[0] * size[1], classes))(x)
    return keras.Model(inputs, layers.Activation("softmax")(scores)), keras.Model(inputs, scores)


def randomise(model: Any) -> None:
    """Draws all weights, the variances above 0, so that signals stay alive."""
    generator = np.random.default_rng(1)
    for layer in model.layers:
        arrays = []
        for old in layer.get_weights():
            if old.ndim == 4:
                arrays.append(generator.normal(0, (2 / np.prod(old.shape[:3])) ** 0.5, old.shape))
            else:
                arrays.append(generator.normal(0, 0.1, old.shape))
        if len(arrays) == 4:
            arrays[0] += 1
            arrays[3] = generator.uniform(0.3, 1.5, arrays[3].shape)
        layer.set_weights(arrays)


def shown(images: np.ndarray, usual: bool) -> np.ndarray:
    """What the network is shown: images in [0, 1], or normalised BGR."""
    if usual:
        return images / np.float32(255)
    return ((images - np.float32(MEAN)) * np.float32(SCALE))[..., ::-1]


def random_images(size: tuple[int, int]) -> np.ndarray:
    """Two images in [0, 255]."""
    return np.random.default_rng(2).integers(0, 256, (2, *size, 3)).astype("float32")


def write(path: Path, layers: dict[str, dict[str, np.ndarray]], **attributes: str) -> Path:
    """A file of weights in the layout of Keras 2."""
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)
        file.attrs["layer_names"] = [name.encode() for name in ["input_1", *layers]]
        file.create_group("input_1").attrs["weight_names"] = np.zeros(0)
        for name, arrays in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{key}:0".encode() for key in arrays]
            for key, array in arrays.items():
                group[f"{name}/{key}:0"] = array
    return path


def arrays_of(model: Any) -> dict[str, dict[str, np.ndarray]]:
    """The weights of a model of Keras 3, as `write` takes them."""
    return {
        layer.name: {weight.name: weight.numpy() for weight in layer.weights}
        for layer in model.layers
        if layer.weights
    }


if __name__ == "__main__":
    import tensorflow as tf

    folder, size = Path(sys.argv[1]), (64, 96)
    for kind in ("usual", "other"):
        model, to_scores = build(tf.keras, 1 / 8, 5, size, kind == "usual")
        randomise(model)
        model.save_weights(folder / f"{kind}-weights.h5")
        model.save_weights(folder / f"{kind}.weights.h5")
        model.save(folder / f"{kind}-whole.h5")
        u = shown(random_images(size), kind == "usual")
        np.savez(folder / f"{kind}.npz", probabilities=model(u), scores=to_scores(u))
