"""In which types the layers of a network compute, where its function takes no `dtype`."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras


@contextlib.contextmanager
def layers_in(dtype: Any) -> Iterator[None]:
    """Makes layers that are built inside follow a policy; Keras keeps it thread by thread.

    Args:
        dtype: A name, a `keras.DTypePolicy` or a map of them by layer; None for Keras's own.

    Yields:
        None.
    """
    before = keras.config.dtype_policy()
    if dtype is not None:
        keras.config.set_dtype_policy(keras.dtype_policies.get(dtype))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
