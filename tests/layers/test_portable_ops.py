"""The operations that other runtimes have: chosen in their block alone, and exact."""

import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.layers_helpers import CASES, CODES, CONTENTS, KERNELS, WINDOWS, content
from tests.reference import pooling as reference
from tfdeconv.layers.pooling import max_pool_with_argmax, portable_ops, unpool


def there_and_back(x: tf.Tensor, values: tf.Tensor, size, padding: str) -> list[tf.Tensor]:
    pooled, argmax = max_pool_with_argmax(x, size, padding=padding)
    return [pooled, argmax, unpool(values, argmax, size, like=x)]


def check(name: str, kind: str, compiled: Callable[..., Any]) -> None:
    shape, size, padding = CASES[name]
    x = content(kind, shape)
    pooled, argmax = reference.max_pool_with_argmax(x, size, padding)
    values = content("distinct", pooled.shape, 1)
    run = compiled(functools.partial(there_and_back, size=size, padding=padding), (x, values))
    with portable_ops():
        results = run(tf.constant(x), tf.constant(values))
    expected = pooled, argmax, reference.unpool(values, argmax, *shape[1:3])
    for result, array in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("name", CASES)
def test_portable_operations_equal_the_loops(name: str, kind: str, chosen: set[str]) -> None:
    check(name, kind, lambda run, _: run)
    assert chosen == (CODES if max(CASES[name][1]) <= 2 else WINDOWS)


@pytest.mark.parametrize("open_sides", [False, True], ids=["known sides", "open sides"])
@pytest.mark.parametrize("name", CASES)
def test_they_equal_the_loops_in_a_graph(name: str, open_sides: bool, chosen: set[str]) -> None:
    def compiled(run: Callable[..., Any], arrays: tuple[np.ndarray, ...]) -> Callable[..., Any]:
        shapes = [(None, None, None, a.shape[-1]) if open_sides else a.shape for a in arrays]
        return tf.function(run, [tf.TensorSpec(shape) for shape in shapes], autograph=False)

    check(name, "few values", compiled)
    assert chosen == (CODES if max(CASES[name][1]) <= 2 else WINDOWS)


def test_the_gradient_is_gathered() -> None:
    x, upstream = content("few values", (2, 5, 7, 3)), content("distinct", (2, 5, 7, 3))
    values = tf.constant(content("distinct", (2, 3, 4, 3), 1))
    _, argmax = reference.max_pool_with_argmax(x, (2, 2), "same")
    with portable_ops(), tf.GradientTape() as tape:
        tape.watch(values)
        *_, unpooled = there_and_back(tf.constant(x), values, 2, "same")
    gradient = tape.gradient(unpooled, values, tf.constant(upstream))
    np.testing.assert_array_equal(gradient, reference.gather(upstream, argmax))


def test_an_edited_argmax_is_followed_here_too() -> None:
    x, values = content("few values", (2, 5, 7, 3)), content("distinct", (2, 3, 4, 3))
    _, argmax = reference.max_pool_with_argmax(x, (2, 2), "same")
    with portable_ops():
        _, places = max_pool_with_argmax(x)
        got = unpool(values, tf.reverse(places, [1]), like=x)
    np.testing.assert_array_equal(got, reference.unpool(values, argmax[:, ::-1], 5, 7))


def test_the_block_ends_and_holds_for_its_thread_alone(chosen: set[str]) -> None:
    x, values = tf.ones((1, 4, 4, 1)), tf.ones((1, 2, 2, 1))
    with portable_ops():
        other = threading.Thread(target=there_and_back, args=(x, values, 2, "same"))
        other.start()
        other.join()
    with pytest.raises(ZeroDivisionError), portable_ops():
        raise ZeroDivisionError
    there_and_back(x, values, 2, "same")
    assert chosen == KERNELS
