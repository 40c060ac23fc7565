"""What pooling and unpooling refuse, and in which words."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from tfdeconv import layers
from tfdeconv.layers import pooling
from tfdeconv.layers.pooling import max_pool_with_argmax, unpool

X = np.zeros((2, 5, 7, 3), "float32")
VALUES = np.zeros((2, 3, 4, 3), "float32")
ARGMAX = np.zeros((2, 3, 4, 3), "int64")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f(X, 0), r"`pool_size` must be a positive integer.*Received: pool_size=0"),
        (lambda f: f(X, (2, 2, 2)), r"height and width. Received: pool_size=\(2, 2, 2\)"),
        (lambda f: f(X, 2.0), "Received: pool_size=2.0"),
        (lambda f: f(X, 3, 2), r"overlapping windows.*strides=2, pool_size=3.*Leave `strides` out"),
        (lambda f: f(X, padding="SAME"), r"\"same\" or \"valid\". Received: padding='SAME'"),
        (lambda f: f(X[0]), r"\(batch, height, width, channels\).*Received: .*, 7, 3\)"),
        (lambda f: f(X.astype("uint8")), "must be floating-point.*dtype=uint8. Cast it first"),
    ],
)
@pytest.mark.parametrize("as_layer", [False, True], ids=["function", "layer"])
def test_pooling_refuses(call: Callable[..., Any], message: str, as_layer: bool) -> None:
    def layer(x: np.ndarray, *arguments: Any, **options: Any) -> Any:
        inputs = keras.Input(x.shape[1:], dtype=x.dtype.name)
        return layers.MaxPoolWithArgmax(*arguments, **options)(inputs)

    with pytest.raises(ValueError, match=message):
        call(layer if as_layer else max_pool_with_argmax)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((VALUES, ARGMAX, -1), "`size` must be a positive integer.*size=-1"),
        ((VALUES[0], ARGMAX), r"`values` must have the shape.*Received: .*, 4, 3\)"),
        ((VALUES, ARGMAX.astype("float32")), "made of integers.*argmax.dtype=float32"),
        ((VALUES, ARGMAX[:, 1:]), r"argmax.shape=\(.*, 2, 4, 3\), values.shape=\(.*, 3, 4, 3\)"),
        ((VALUES, ARGMAX, 2, X[:, :4]), r"`like` must be the tensor.*like.shape=\(.*, 4, 7, 3\)"),
        ((VALUES, ARGMAX, 3, X), r"gives the shape of `values`.*size=\(3, 3\)"),
        ((VALUES, ARGMAX, 2, X[..., :2]), r"like.shape=\(.*, 5, 7, 2\)"),
        ((VALUES, ARGMAX, 2, X[0, 0]), "`like` must be the tensor that was pooled"),
    ],
)
@pytest.mark.parametrize("as_layer", [False, True], ids=["function", "layer"])
def test_unpooling_refuses(arguments: tuple[Any, ...], message: str, as_layer: bool) -> None:
    def layer(*arguments: Any) -> Any:
        arrays = [a for a in arguments if isinstance(a, np.ndarray)]
        size = [a for a in arguments if not isinstance(a, np.ndarray)]
        inputs = [keras.Input(a.shape[1:], dtype=a.dtype.name) for a in arrays]
        return layers.Unpool(*size)(*inputs)

    with pytest.raises(ValueError, match=message):
        (layer if as_layer else unpool)(*arguments)


def test_images_of_the_other_batch_are_refused() -> None:
    with pytest.raises(ValueError, match=r"like.shape=\(1, 5, 7, 3\), values.shape=\(2, 3, 4, 3\)"):
        unpool(VALUES, ARGMAX, 2, X[:1])


def test_an_image_too_large_for_int32_is_refused() -> None:
    pooling.check_index_range((1, 2**15, 2**15, 2), "int32")
    pooling.check_index_range((1, 2**15, 2**15, 4), "int64")
    pooling.check_index_range((None, None, 2**15, 4), "int32")
    with pytest.raises(ValueError, match=r"at most 2\*\*31 elements.*32768, 3\).*jax_enable_x64"):
        pooling.check_index_range((1, 2**15, 2**15, 3), "int32")


def test_names_of_classes_must_fit_the_channels() -> None:
    with pytest.raises(ValueError, match=r"one name for each channel.*2 names, 3 channels"):
        layers.Logits(("a", "b"))(keras.Input((4, 4, 3)))


def test_images_to_preprocess_must_be_rgb() -> None:
    with pytest.raises(ValueError, match=r"must be RGB.*Received: inputs.shape=\(None, 4, 4, 1\)"):
        layers.Preprocess()(keras.Input((4, 4, 1)))
    with pytest.raises(ValueError, match=r"three numbers, B, G and R. Received: mean=\(1, 2\)"):
        layers.Preprocess(mean=(1, 2))
