"""Pooling and unpooling against loops, TensorFlow's own operations and PyTorch's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.layers_helpers import CASES, CONTENTS, KERNELS, WINDOWS, content
from tests.reference import pooling as reference
from tfdeconv.layers.pooling import max_pool_with_argmax, unpool


def there_and_back(
    x: tf.Tensor, weights: tf.Tensor, upstream: tf.Tensor, size: tuple[int, int], padding: str
) -> dict[str, Any]:
    """Pools and unpools, with the gradients of everything that has one."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, weights])
        pooled, argmax = max_pool_with_argmax(x, size, padding=padding)
        unpooled = unpool(weights, argmax, size, like=x)
    return {
        "pooled": pooled,
        "argmax": argmax,
        "unpooled": unpooled,
        "d pooled": tape.gradient(pooled, x, weights),
        "d unpooled": tape.gradient(unpooled, weights, upstream),
        "leak": tape.gradient(unpooled, x, upstream),
    }


def compiled(open_sides: bool, jit: bool) -> Callable[..., Any]:
    def run(*tensors: tf.Tensor, size: tuple[int, int], padding: str) -> dict[str, Any]:
        signature = [
            tf.TensorSpec([None, None, None, t.shape[-1]] if open_sides else t.shape, t.dtype)
            for t in tensors
        ]
        graph = tf.function(
            lambda *traced: there_and_back(*traced, size, padding),
            input_signature=signature,
            jit_compile=jit,
            autograph=False,
        )
        return graph(*tensors)

    return run


def check(run: Callable[..., Any], name: str, kind: str, dtype: Any = tf.float32) -> None:
    shape, size, padding = CASES[name]
    x = content(kind, shape)
    pooled, argmax = reference.max_pool_with_argmax(x, size, padding)
    weights, upstream = content("distinct", pooled.shape, 1), content("distinct", shape, 2)
    got = run(
        *(tf.cast(array, dtype) for array in (x, weights, upstream)), size=size, padding=padding
    )
    assert got["argmax"].dtype == tf.int64
    assert got["pooled"].dtype == got["unpooled"].dtype == dtype
    assert got["leak"] is None or not np.any(got["leak"])
    expected = {
        "pooled": pooled,
        "argmax": argmax,
        "unpooled": reference.unpool(weights, argmax, *shape[1:3]),
        "d pooled": reference.unpool(weights, argmax, *shape[1:3]),
        "d unpooled": reference.gather(upstream, argmax),
    }
    for key, value in expected.items():
        np.testing.assert_array_equal(tf.cast(got[key], value.dtype), value, err_msg=key)


def test_the_first_maximum_wins() -> None:
    x = np.array([[1, 3, 0, 0, -2, -1], [3, 2, 0, 0, -1, -1]], "float32").reshape(1, 2, 6, 1)
    pooled, argmax = max_pool_with_argmax(x)
    assert pooled.numpy().ravel().tolist() == [3, 0, -1]
    assert argmax.numpy().ravel().tolist() == [1, 2, 5]
    values = np.array([7, 8, 9], "float32").reshape(1, 1, 3, 1)
    assert unpool(values, argmax, like=x).numpy().reshape(2, 6).tolist() == [
        [0, 7, 8, 0, 0, 9],
        [0, 0, 0, 0, 0, 0],
    ]


def test_the_index_is_that_of_the_input_width_in_its_own_image() -> None:
    x = np.zeros((2, 3, 3, 2), "float32")
    x[:, 2, 2] = 1
    _, argmax = max_pool_with_argmax(x)
    assert argmax.numpy()[:, 1, 1].tolist() == [[16, 17], [16, 17]]


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("name", CASES)
def test_equals_the_loops_eagerly(name: str, kind: str) -> None:
    check(there_and_back, name, kind)


@pytest.mark.parametrize("open_sides", [False, True], ids=["known sides", "open sides"])
@pytest.mark.parametrize("name", CASES)
def test_equals_the_loops_in_a_graph(name: str, open_sides: bool, chosen: set[str]) -> None:
    check(compiled(open_sides, jit=False), name, "few values")
    assert chosen == KERNELS


@pytest.mark.parametrize(
    ("name", "open_sides"),
    [("even", False), ("odd", True), ("odd, dropped", True), ("padded before and after", True)],
)
def test_equals_the_loops_under_xla(name: str, open_sides: bool, chosen: set[str]) -> None:
    check(compiled(open_sides, jit=True), name, "few values")
    assert chosen == WINDOWS


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("name", CASES)
def test_the_window_formulation_equals_the_loops(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch, chosen: set[str]
) -> None:
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["a GPU"])
    check(there_and_back, name, kind)
    assert chosen == WINDOWS


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64], ids=lambda d: d.name)
@pytest.mark.parametrize("jit", [None, False], ids=["eager", "graph"])
def test_other_types_are_exact(dtype: Any, kind: str, jit: bool | None) -> None:
    run = there_and_back if jit is None else compiled(True, jit)
    check(run, "odd", kind, dtype)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16], ids=lambda d: d.name)
def test_half_precision_is_exact_under_xla(dtype: Any) -> None:
    check(compiled(False, jit=True), "odd", "after a ReLU", dtype)


@pytest.mark.parametrize("shape", [(3, 8, 6, 5), (2, 7, 9, 3)])
def test_equals_tensorflows_own_operations(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = tf.constant(np.maximum(rng.standard_normal(shape), 0).astype("float32"))
    values = tf.constant(
        rng.standard_normal((shape[0], -(-shape[1] // 2), -(-shape[2] // 2), shape[3])), tf.float32
    )
    upstream = tf.constant(rng.standard_normal(shape), tf.float32)
    got = there_and_back(x, values, upstream, (2, 2), "same")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, values])
        pooled, argmax = tf.nn.max_pool_with_argmax(x, 2, 2, "SAME")
        starts = tf.range(shape[0], dtype=tf.int64) * np.prod(shape[1:])
        places = tf.reshape(argmax + starts[:, None, None, None], (-1, 1))
        flat = tf.scatter_nd(places, tf.reshape(values, (-1,)), [np.prod(shape)])
        unpooled = tf.reshape(flat, shape)
    np.testing.assert_array_equal(got["pooled"], pooled)
    np.testing.assert_array_equal(got["argmax"], argmax)
    np.testing.assert_array_equal(got["unpooled"], unpooled)
    np.testing.assert_array_equal(got["d pooled"], tape.gradient(pooled, x, values))
    np.testing.assert_array_equal(got["d unpooled"], tape.gradient(unpooled, values, upstream))


@pytest.mark.parametrize("shape", [(3, 8, 6, 5), (2, 7, 9, 3)])
def test_equals_pytorch(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = np.maximum(rng.standard_normal(shape), 0).astype("float32")
    upstream = rng.standard_normal(shape).astype("float32")
    planes = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    pooled, places = torch.nn.MaxPool2d(2, ceil_mode=True, return_indices=True)(planes)
    values = rng.standard_normal(pooled.shape).astype("float32")
    weights = torch.tensor(values, requires_grad=True)
    unpooled = torch.nn.MaxUnpool2d(2)(weights, places, output_size=planes.shape[2:])
    (d_pooled,) = torch.autograd.grad(pooled, planes, torch.tensor(values))
    (d_unpooled,) = torch.autograd.grad(
        unpooled, weights, torch.tensor(upstream.transpose(0, 3, 1, 2))
    )
    weights_last = tf.constant(values.transpose(0, 2, 3, 1))
    got = there_and_back(tf.constant(x), weights_last, tf.constant(upstream), (2, 2), "same")
    expected = {"pooled": pooled, "unpooled": unpooled, "d pooled": d_pooled}
    for key, value in {**expected, "d unpooled": d_unpooled}.items():
        np.testing.assert_array_equal(got[key], value.detach().numpy().transpose(0, 2, 3, 1))
    # PyTorch's index is that of one plane.
    np.testing.assert_array_equal(
        got["argmax"].numpy() // shape[3], places.numpy().transpose(0, 2, 3, 1)
    )
