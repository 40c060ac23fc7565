"""Checks pooling and unpooling on the backend that KERAS_BACKEND names, and prints `<backend> ok`.

Forward and gradient are compared with the loops, bit for bit, compiled where the backend compiles;
a network with switches is fitted. Run as `python -m tests.layers_on_backend`.
"""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from tests.layers_helpers import CASES, CONTENTS, content, switch_network
from tests.reference import pooling as reference
from tfdeconv.layers import pooling
from tfdeconv.layers.pooling import argmax_dtype, max_pool_with_argmax, unpool

BACKEND = keras.config.backend()
Function = Callable[..., Any]


def gradient(function: Function, x: Any, upstream: Any) -> Any:
    """Returns the gradient of `sum(function(x) * upstream)`."""
    if BACKEND == "jax":
        import jax

        return jax.vjp(function, x)[1](upstream)[0]
    import torch

    x = x.clone().requires_grad_()
    return torch.autograd.grad(function(x), x, upstream)[0]


def compiled(function: Function) -> Function:
    if BACKEND == "torch":
        return function
    import jax

    return jax.jit(function)


def compare(function: Function, arrays: tuple[np.ndarray, ...], *expected: np.ndarray) -> None:
    results = function(*(ops.convert_to_tensor(array) for array in arrays))
    for result, array in zip(results, expected, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(result), array)


def check(name: str, kinds: tuple[str, ...]) -> None:
    shape, size, padding = CASES[name]

    def pool(x: Any, weights: Any) -> tuple[Any, ...]:
        pooled, places = max_pool_with_argmax(x, size, padding=padding)
        assert keras.backend.standardize_dtype(places.dtype) == argmax_dtype()
        return pooled, places, gradient(pool_only, x, weights)

    def pool_only(x: Any) -> Any:
        return max_pool_with_argmax(x, size, padding=padding)[0]

    def put_back(x: Any, weights: Any, upstream: Any) -> tuple[Any, ...]:
        def switches(weights: Any) -> Any:
            return unpool(weights, max_pool_with_argmax(x, size, padding=padding)[1], size, x)

        return switches(weights), gradient(switches, weights, upstream)

    def scatter(argmax: Any, weights: Any, upstream: Any) -> tuple[Any, ...]:
        def follow(weights: Any) -> Any:
            return unpool(weights, argmax, size, like=upstream)

        return follow(weights), gradient(follow, weights, upstream)

    pool, put_back, scatter = compiled(pool), compiled(put_back), compiled(scatter)
    for kind in kinds:
        x = content(kind, shape)
        pooled, argmax = reference.max_pool_with_argmax(x, size, padding)
        weights, upstream = content("distinct", pooled.shape, 1), content("distinct", shape, 2)
        unpooled = reference.unpool(weights, argmax, *shape[1:3])
        gathered = reference.gather(upstream, argmax)
        compare(pool, (x, weights), pooled, argmax, unpooled)
        compare(put_back, (x, weights, upstream), unpooled, gathered)
        places = argmax.astype(argmax_dtype())
        compare(scatter, (places, weights, upstream), unpooled, gathered)


def check_half_precision() -> None:
    x = content("after a ReLU", (2, 5, 7, 3))
    pooled, argmax = reference.max_pool_with_argmax(x, (2, 2), "same")

    def run(x: Any, dtype: str) -> tuple[Any, Any]:
        image = ops.cast(x, dtype)
        got, places = max_pool_with_argmax(image)
        return places, ops.cast(unpool(got, places, like=image), "float32")

    for dtype in ("float16", "bfloat16"):
        expected = reference.unpool(pooled, argmax, 5, 7)
        compare(compiled(functools.partial(run, dtype=dtype)), (x,), argmax, expected)


def check_edited_argmax() -> None:
    """An argmax that does not point into its own window is followed."""
    x, values = content("few values", (2, 5, 7, 3)), content("distinct", (2, 3, 4, 3))
    _, argmax = reference.max_pool_with_argmax(x, (2, 2), "same")
    expected = reference.unpool(values, argmax[:, ::-1], 5, 7)

    def run(x: Any, values: Any) -> tuple[Any]:
        _, places = max_pool_with_argmax(x)
        flipped = ops.flip(places, axis=1)
        if BACKEND == "torch":  # whose tensors can be edited in place
            flipped = places.copy_(flipped)
        return (unpool(values, flipped, like=x),)

    compare(compiled(run), (x, values), expected)


def check_int32_limit() -> None:
    import jax

    image = jax.ShapeDtypeStruct((1, 2**15, 2**15, 3), "float32")
    try:
        jax.eval_shape(max_pool_with_argmax, image)
    except ValueError as error:
        assert "at most 2**31 elements" in str(error)
    else:
        raise AssertionError("indices beyond int32 must be refused")


def check_fit() -> None:
    def scatter(*_: Any) -> None:
        raise AssertionError("a network must not need the slow formulation")

    pooling.unpool_by_scatter = scatter
    keras.utils.set_random_seed(0)
    model = switch_network()
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (6, 11, 14, 3)), rng.integers(0, 3, (6, 11, 14))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    history = model.fit(images.astype("float32"), labels, batch_size=3, epochs=5, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert model.predict(np.zeros((1, 7, 9, 3), "uint8"), verbose=0).shape == (1, 7, 9, 3)


def main() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Keras 3.15 converts PyTorch tensors in a way that NumPy 2 deprecates.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        for name in CASES:
            check(name, CONTENTS)
        check_half_precision()
        check_edited_argmax()
        if BACKEND == "jax":
            check_int32_limit()
    check_fit()
    print(BACKEND, "ok")


if __name__ == "__main__":
    main()
