"""Networks with switches train, compiled or not, and leave a clean SavedModel."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import run_python
from tests.layers_helpers import switch_network

RNG = np.random.default_rng(0)
# Six images in batches of four: the last batch is smaller. Odd sides.
IMAGES = RNG.integers(0, 256, (6, 11, 14, 3)).astype("uint8")
LABELS = RNG.integers(0, 3, (6, 11, 14))


def fit(model: keras.Model, jit_compile: bool | str) -> list[float]:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-3), loss, jit_compile=jit_compile)
    history = model.fit(IMAGES, LABELS, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return history.history["loss"]


@pytest.fixture(scope="module")
def losses() -> list[float]:
    keras.utils.set_random_seed(0)
    return fit(switch_network(), jit_compile=False)


@pytest.mark.parametrize(
    ("shape", "jit_compile"),
    [
        ((None, None, 3), True),
        ((None, None, 3), "auto"),
        ((11, 14, 3), "auto"),
        pytest.param((11, 14, 3), True, marks=pytest.mark.large),
    ],
)
def test_every_way_to_compile_gives_the_same_training(
    shape: Any, jit_compile: bool | str, losses: list[float]
) -> None:
    keras.utils.set_random_seed(0)
    model = switch_network(shape)
    np.testing.assert_allclose(fit(model, jit_compile), losses, rtol=1e-4)
    assert losses[1] < losses[0]
    if shape[0] is None:
        assert model.predict(np.zeros((1, 24, 33, 3)), verbose=0).shape == (1, 24, 33, 3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.large)])
def test_mixed_precision_trains(policy: str, jit_compile: bool, losses: list[float]) -> None:
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    try:
        np.testing.assert_allclose(fit(switch_network(), jit_compile), losses, rtol=0.05)
    finally:
        keras.config.set_dtype_policy("float32")


def test_gradients_equal_those_of_scatter(monkeypatch: pytest.MonkeyPatch) -> None:
    model = switch_network()
    image, upstream = IMAGES.astype("float32"), RNG.standard_normal((6, 11, 14, 3))

    @tf.function
    def gradients() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            result = tf.reduce_sum(model(image) * tf.cast(upstream, tf.float32))
        return tape.gradient(result, model.trainable_variables)

    fast = gradients()
    monkeypatch.setattr("tfdeconv.layers.pooling._origin", lambda _: None)
    slow = tf.function(gradients.python_function)()
    for one, other in zip(fast, slow, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


EXPORT = """
import sys
import keras
import numpy as np
import tensorflow as tf
from tests.layers_helpers import switch_network
from tfdeconv.layers import MaxPoolWithArgmax

def check(model, jit_compile):
    # Traced for XLA before it is exported: the exported graph must be one of its own.
    model.compile("sgd", "mse", jit_compile=jit_compile)
    model.predict(np.zeros((2, 8, 8, 3)), verbose=0)
    model.export(sys.argv[1], verbose=False)
    served = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
    for shape in ((1, 16, 24, 3), (3, 7, 9, 3)):
        image = np.random.default_rng(0).integers(0, 256, shape).astype("float32")
        (result,) = served(tf.constant(image)).values()
        np.testing.assert_allclose(result, model.predict(image, verbose=0), rtol=1e-4, atol=1e-4)

check(switch_network(), jit_compile=sys.argv[2] == "jit")
inputs = keras.Input((None, None, 3))
x = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(inputs)))
check(keras.Model(inputs, MaxPoolWithArgmax()(x)[1]), jit_compile=False)
print("the same")
"""


@pytest.mark.parametrize("jit", ["plain", pytest.param("jit", marks=pytest.mark.large)])
def test_exported_networks_run_optimised_in_any_size(jit: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "saved")
    process = run_python("-W", "ignore", "-c", EXPORT, folder, jit, TF_CPP_MIN_LOG_LEVEL="1")
    assert process.stdout.strip().endswith("the same"), process.stderr
    # So grappler says that it leaves a function as it is.
    assert "optimization failure" not in process.stderr
