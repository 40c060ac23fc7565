"""What test_settings.py runs in a fresh process, under settings of Keras and TensorFlow.

python -m tests.settings_process FOLDER SETTINGS NAME...; SETTINGS are comma-separated keys of
`SETTINGS`. Builds every golden, gives it the weights in FOLDER/<name>.weights.npz, and writes what
it says of FOLDER/<name>.npy to FOLDER/<SETTINGS>.npz as `<name>/<output>`; of SegNet also a
gradient, and what comes of its file.
"""

import sys
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

SETTINGS = {
    "channels_first": lambda: keras.config.set_image_data_format("channels_first"),
    "float16": lambda: keras.config.set_floatx("float16"),
    "float64": lambda: keras.config.set_floatx("float64"),
    "determinism": tf.config.experimental.enable_op_determinism,
    "check_numerics": tf.debugging.enable_check_numerics,
}


def main(folder: str, settings: str, *names: str) -> None:
    for setting in settings.split(","):
        SETTINGS[setting]()
    keras.utils.set_random_seed(0)
    np.savez(f"{folder}/{settings}.npz", **results_of(folder, names))


def results_of(folder: str, names: Sequence[str]) -> dict[str, np.ndarray]:
    # Here, so that an import that settled what the settings change would be noticed.
    from tests.goldens import GOLDENS

    results = {}
    for name in names:
        model = GOLDENS[name].build()
        with np.load(f"{folder}/{name}.weights.npz") as weights:
            model.set_weights([weights[f"arr_{index}"] for index in range(len(weights))])
        outputs = model(np.load(f"{folder}/{name}.npy"), training=False)
        for index, value in enumerate(keras.tree.flatten(outputs)):
            results[f"{name}/{index}"] = keras.ops.convert_to_numpy(value)
    return results | of_a_file(folder)


def of_a_file(folder: str) -> dict[str, np.ndarray]:
    """What the SegNet in FOLDER/segnet.keras gives: scores, labels, and where values are put."""
    from tfdeconv.layers import Unpool
    from tfdeconv.models import load_model
    from tfdeconv.segmentation.segmenter import Segmenter

    model, images = load_model(f"{folder}/segnet.keras"), np.load(f"{folder}/segnet.npy")
    scores = model.predict_on_batch(images)
    labels = Segmenter(model).segment(images[0].astype("uint8"))
    # An argmax of one's own is unpooled by scatter.
    places = np.array([3, 0], "int64").reshape(1, 1, 2, 1)
    values = tf.Variable([[[[1.0], [2.0]]]], dtype=keras.config.floatx())
    with tf.GradientTape() as tape:
        unpooled = Unpool(2)(values, places)
        total = tf.reduce_sum(tf.square(unpooled))
    slopes = tape.gradient(total, values)
    with tf.GradientTape() as tape:
        outputs = model(images, training=True)
        loss = tf.reduce_mean(tf.square(outputs))
    gradient = tape.gradient(loss, model.trainable_variables[0].value)
    return {
        "file scores": scores,
        "file labels": labels,
        "file unpooled": unpooled.numpy(),
        "file slopes": slopes.numpy(),
        "file gradient": keras.ops.convert_to_numpy(gradient),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
