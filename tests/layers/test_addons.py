"""`Unpool` beside the real `MaxUnpooling2D` and `MaxUnpooling2DV2`: the table of MIGRATING.md."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.addons_environment import addons_python, run_script
from tests.helpers import CHECKOUT, run_python
from tests.layers.addons_oracle import CASES, numbers
from tests.reference import pooling as reference
from tfdeconv.layers import MaxPoolWithArgmax, Unpool
from tfdeconv.layers.pooling import unpool

pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
def python(pytestconfig: pytest.Config) -> str:
    return addons_python(pytestconfig)


@pytest.fixture(scope="module")
def measured(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("addons")
    run_script(python, CHECKOUT / "tests" / "layers" / "addons_oracle.py", folder)
    return folder


@pytest.fixture(scope="module")
def outcomes(measured: Path) -> dict[str, dict[str, Any]]:
    return json.loads((measured / "outcomes.json").read_text())


@pytest.mark.parametrize("name", CASES)
def test_equals_addons(name: str, measured: Path) -> None:
    case, theirs = CASES[name], np.load(measured / f"{name}.npz")
    x, values = (tf.cast(theirs[key], case.dtype) for key in ("x", "values"))
    layer = Unpool(case.strides, dtype=case.dtype)
    with tf.GradientTape() as tape:
        tape.watch(values)
        unpooled = layer(values, theirs["argmax"], x)
    gradient = tape.gradient(unpooled, values, tf.cast(theirs["upstream"], case.dtype))
    assert unpooled.dtype == gradient.dtype == case.dtype
    for key in ("unpooled", "graph", "XLA"):
        np.testing.assert_array_equal(tf.cast(unpooled, tf.float64), theirs[key], err_msg=key)
    np.testing.assert_array_equal(tf.cast(gradient, tf.float64), theirs["gradient"])
    assert theirs["unpooled"].any() and theirs["gradient"].any()
    if case.version == 1:
        # Without `like` the sides are multiples, as with SAME.
        multiples = tuple(case.shape[i] // case.strides[i - 1] for i in (1, 2))
        if multiples == values.shape[1:3] and case.padding == "SAME":
            again = layer(values, theirs["argmax"])
            np.testing.assert_array_equal(again, unpooled)


@pytest.mark.parametrize("name", [name for name in CASES if "gaps" not in name])
@pytest.mark.parametrize("jit", [False, True], ids=["graph", "XLA"])
def test_pools_as_the_tensorflow_of_addons(name: str, jit: bool, measured: Path) -> None:
    case, theirs = CASES[name], np.load(measured / f"{name}.npz")
    layer = MaxPoolWithArgmax(case.pool, padding=case.padding.lower(), dtype=case.dtype)
    spec = tf.TensorSpec([None, None, None, case.shape[-1]], case.dtype)

    @tf.function(jit_compile=jit, input_signature=[spec])
    def run(x: tf.Tensor) -> Any:
        pooled, argmax = layer(x)
        return argmax, Unpool(case.pool, dtype=case.dtype)(pooled, argmax, x), pooled

    argmax, unpooled, pooled = run(tf.cast(theirs["x"], case.dtype))
    np.testing.assert_array_equal(argmax, theirs["argmax"])
    expected = reference.unpool(
        tf.cast(pooled, tf.float32).numpy(), theirs["argmax"], *case.shape[1:3]
    )
    np.testing.assert_array_equal(tf.cast(unpooled, tf.float32), expected)


def test_odd_sides_are_skewed_by_addons_and_come_back_here(outcomes: dict[str, Any]) -> None:
    case = CASES["odd, V2"]
    argmax = reference.max_pool_with_argmax(numbers(case.shape, -3, 4), (2, 2), "same")[1]
    right = reference.unpool(np.ones(argmax.shape), argmax, *case.shape[1:3])
    got = np.array(outcomes["odd"]["result"])
    assert got.shape == (3, 6, 8, 2)
    assert (got[:, :5, :7] != right).mean() > 0.2
    ours = Unpool(2)(np.ones(argmax.shape, "float32"), argmax, np.zeros(case.shape, "float32"))
    np.testing.assert_array_equal(ours, right)


def test_what_addons_refuses_on_the_cpu(outcomes: dict[str, Any]) -> None:
    for name in ("odd, valid", "batch in index", "batch in index, V2"):
        assert outcomes[name]["error"] == "InvalidArgumentError"
        assert "does not index into shape" in outcomes[name]["message"]
    assert outcomes["unknown batch, V2"]["error"] == "ValueError"
    assert outcomes["pooling under XLA"]["error"] == "InvalidArgumentError"
    assert "No registered 'MaxPoolWithArgmax' OpKernel" in outcomes["pooling under XLA"]["message"]


def test_indices_with_the_batch_are_taken_after_a_remainder() -> None:
    x = numbers((2, 4, 6, 3), -3, 4)
    pooled, with_batch = tf.nn.max_pool_with_argmax(x, 2, 2, "SAME", include_batch_in_index=True)
    expected = unpool(*reference.max_pool_with_argmax(x, (2, 2), "same"), like=x)
    np.testing.assert_array_equal(unpool(pooled, with_batch % (4 * 6 * 3), like=x), expected)
    with pytest.raises(tf.errors.InvalidArgumentError, match="does not index into shape"):
        unpool(pooled, with_batch, like=x)


def test_overlapping_windows_add_up_in_addons_and_are_refused_here(outcomes: Any) -> None:
    x = numbers((1, 3, 3, 1), -3, 4)
    argmax = tf.nn.max_pool_with_argmax(x, 2, 1, "VALID")[1].numpy()
    got = np.array(outcomes["overlapping"]["result"])
    places, counts = np.unique(argmax, return_counts=True)
    assert counts.max() == 2
    np.testing.assert_array_equal(got.ravel()[places], counts)
    with pytest.raises(ValueError, match="`strides` must equal `pool_size`"):
        MaxPoolWithArgmax(2, strides=1)
    # An argmax of one's own that names a place twice: the value is not added.
    ours = Unpool(2)(np.ones(argmax.shape, "float32"), argmax, x).numpy().ravel()
    np.testing.assert_array_equal(ours[places], 1)


def test_float_indices_name_other_places_in_addons_and_are_refused_here(outcomes: Any) -> None:
    assert outcomes["float indices"]["result"] == [[2**24]]  # asked for 2**24 + 1
    moved = outcomes["mixed precision, float indices"]
    assert moved["result"] > 0
    with pytest.raises(ValueError, match="`argmax` must be made of integers"):
        Unpool(2)(np.ones((1, 1, 1, 1), "float32"), np.ones((1, 1, 1, 1), "float32"))


def test_an_unknown_batch_stays_open_here() -> None:
    inputs = keras.Input((5, 7, 2))
    pooled, argmax = MaxPoolWithArgmax(2)(inputs)
    assert Unpool(2)(pooled, argmax, inputs).shape == (None, 5, 7, 2)


def test_addons_does_not_load_beside_keras_3(python: str, tmp_path: Path) -> None:
    (packages,) = (Path(python).parents[1] / "lib").glob("python*/site-packages")
    for name in ("tensorflow_addons", "typeguard"):
        (tmp_path / name).symlink_to(packages / name)
    found = run_python("-c", "import tensorflow_addons", PYTHONPATH=str(tmp_path))
    assert "ModuleNotFoundError: No module named 'keras.src.engine'" in found.stderr
