"""The argmax between pooling and unpooling: followed wherever it comes from, free where unread."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

from tests.layers_helpers import SCATTER, content
from tests.reference import pooling as reference
from tfdeconv.layers import pooling
from tfdeconv.layers.pooling import max_pool_with_argmax, unpool


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "XLA"])
def test_an_argmax_of_another_tensor_is_followed(jit: bool, chosen: set[str]) -> None:
    x, other = content("few values", (2, 4, 6, 3)), content("few values", (2, 4, 6, 3), 5)
    values = content("distinct", (2, 2, 3, 3))

    @tf.function(jit_compile=jit)
    def run(x: tf.Tensor, other: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        _, argmax = max_pool_with_argmax(other)
        return unpool(values, argmax, like=x)

    _, argmax = reference.max_pool_with_argmax(other, (2, 2), "same")
    expected = reference.unpool(values, argmax, 4, 6)
    np.testing.assert_array_equal(run(x, other, values), expected)
    assert not chosen & SCATTER


@pytest.mark.parametrize("jit", [None, False, True], ids=["eager", "graph", "XLA"])
def test_an_edited_argmax_is_followed_out_of_its_window(jit: bool | None, chosen: set[str]) -> None:
    x, values = content("few values", (2, 5, 7, 3)), content("distinct", (2, 3, 4, 3))
    _, argmax = reference.max_pool_with_argmax(x, (2, 2), "same")

    def run(x: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        _, argmax = max_pool_with_argmax(x)
        return unpool(values, tf.reverse(argmax, [1, 2]), like=x)

    got = (run if jit is None else tf.function(run, jit_compile=jit))(
        tf.constant(x), tf.constant(values)
    )
    expected = reference.unpool(values, argmax[:, ::-1, ::-1], 5, 7)
    np.testing.assert_array_equal(got, expected)
    assert chosen >= SCATTER


def test_an_argmax_from_elsewhere_has_the_same_gradient() -> None:
    x, upstream = content("few values", (2, 5, 7, 3)), content("distinct", (2, 5, 7, 3))
    _, argmax = reference.max_pool_with_argmax(x, (2, 2), "same")
    values = tf.constant(content("distinct", argmax.shape))
    with tf.GradientTape() as tape:
        tape.watch(values)
        unpooled = unpool(values, argmax.astype("int32"), like=x)
    np.testing.assert_array_equal(unpooled, reference.unpool(values.numpy(), argmax, 5, 7))
    gradient = tape.gradient(unpooled, values, tf.constant(upstream))
    np.testing.assert_array_equal(gradient, reference.gather(upstream, argmax))


def test_without_like_the_sides_are_multiples(chosen: set[str]) -> None:
    x = content("few values", (2, 4, 6, 3))
    pooled, argmax = max_pool_with_argmax(x)
    assert unpool(pooled, argmax).shape == (2, 4, 6, 3)
    # Here the width of the result, 8, is not that of the tensor that was pooled.
    pooled, argmax = max_pool_with_argmax(content("distinct", (1, 2, 7, 1)))
    assert not chosen & SCATTER
    assert unpool(pooled, argmax).shape == (1, 2, 8, 1)
    assert chosen >= SCATTER


def test_channels_stay_known_where_sides_are_open() -> None:
    image = tf.TensorSpec([None, None, None, 3], tf.float32)

    def run(x: tf.Tensor) -> list[tf.Tensor]:
        pooled, argmax = max_pool_with_argmax(x)
        results = [pooled, argmax, unpool(pooled, argmax, like=x), unpool(pooled, argmax)]
        return [*results, unpool(pooled, tf.identity(argmax), like=x)]

    for jit in (False, True):
        graph = tf.function(run, [image], jit_compile=jit).get_concrete_function()
        assert [tensor.shape[-1] for tensor in graph.structured_outputs] == [3] * 5


def test_a_graph_does_not_compute_the_argmax_that_nobody_reads() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def run(x: tf.Tensor) -> tf.Tensor:
        pooled, argmax = max_pool_with_argmax(x)
        return unpool(pooled, argmax, like=x)

    graph = run.get_concrete_function().graph
    output = graph.outputs[0].op
    seen, ahead = set(), [output]
    while ahead:
        operation = ahead.pop()
        seen.add(operation.type)
        ahead += [tensor.op for tensor in operation.inputs]
    assert "MaxPoolGrad" in seen and "MaxPoolWithArgmax" not in seen


def test_what_an_argmax_came_from_is_forgotten_with_it() -> None:
    gc.collect()
    before = len(pooling._origins)

    def trace() -> weakref.ref:
        @tf.function
        def run(x: tf.Tensor) -> tf.Tensor:
            pooled, argmax = max_pool_with_argmax(x)
            return unpool(pooled, argmax, like=x)

        run(tf.zeros((1, 4, 4, 1)))
        return weakref.ref(run.get_concrete_function(tf.zeros((1, 4, 4, 1))).graph)

    graph = trace()
    _, argmax = max_pool_with_argmax(tf.zeros((1, 4, 4, 1)))
    assert pooling._origin(argmax) is not None
    assert pooling._origin(tf.identity(argmax) + 0) is None
    del argmax
    gc.collect()
    assert graph() is None
    assert len(pooling._origins) == before
