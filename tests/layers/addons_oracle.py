"""What TensorFlow Addons makes of many poolings: a script for TensorFlow 2.15, without tfdeconv.

`python addons_oracle.py FOLDER` writes `<case>.npz` for every case and `outcomes.json`.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """A pooling, and whether `MaxUnpooling2DV2` undoes it in place of `MaxUnpooling2D`."""

    shape: tuple[int, int, int, int]
    pool: tuple[int, int] = (2, 2)
    strides: tuple[int, int] = (2, 2)
    padding: str = "SAME"
    dtype: str = "float32"
    version: int = 1


CASES = {
    "even": Case((2, 4, 6, 3)),
    "one image": Case((1, 8, 4, 1)),
    "valid": Case((3, 6, 4, 2), padding="VALID"),
    "wide windows": Case((2, 6, 8, 2), (2, 4), (2, 4)),
    "windows of 3x2": Case((2, 9, 8, 2), (3, 2), (3, 2)),
    "gaps": Case((2, 8, 8, 2), (2, 2), (3, 3), "VALID"),
    "gaps, same": Case((2, 9, 6, 2), (2, 2), (3, 3)),
    "float16": Case((2, 4, 6, 3), dtype="float16"),
    "bfloat16": Case((2, 4, 6, 3), dtype="bfloat16"),
    "float64": Case((2, 4, 6, 3), dtype="float64"),
    "even, V2": Case((2, 4, 6, 3), version=2),
    "odd, V2": Case((3, 5, 7, 2), version=2),
    "odd, valid, V2": Case((3, 5, 7, 2), padding="VALID", version=2),
    "odd, windows of 3x2, V2": Case((2, 7, 9, 2), (3, 2), (3, 2), version=2),
    "odd, float16, V2": Case((3, 5, 7, 2), dtype="float16", version=2),
}


def numbers(shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
    """Whole numbers, exact in every type; from few of them come ties in most windows."""
    return np.random.default_rng(low + 2 * high).integers(low, high, shape).astype("float32")


def layer(case: Case) -> Any:
    """The layer of Addons that undoes the pooling."""
    import tensorflow_addons as tfa

    if case.version == 2:
        return tfa.layers.MaxUnpooling2DV2(case.shape, dtype=case.dtype)
    return tfa.layers.MaxUnpooling2D(case.pool, case.strides, case.padding, dtype=case.dtype)


def pool(case: Case, **options: Any) -> tuple[Any, Any, Any]:
    """Returns the input, what TensorFlow pools of it, and the argmax."""
    import tensorflow as tf

    x = tf.cast(numbers(case.shape, -3, 4), case.dtype)
    return x, *tf.nn.max_pool_with_argmax(x, case.pool, case.strides, case.padding, **options)


def measure(case: Case) -> dict[str, Any]:
    """Everything Addons says of a case: eagerly, in an open graph and under XLA."""
    import tensorflow as tf

    x, pooled, argmax = pool(case)
    values = tf.cast(numbers(pooled.shape, 1, 99), case.dtype)
    upstream = tf.cast(numbers(case.shape, 1, 98), case.dtype)
    unpool = layer(case)
    with tf.GradientTape() as tape:
        tape.watch(values)
        unpooled = unpool(values, argmax)
    gradient = tape.gradient(unpooled, values, upstream)
    open_sides = [None, None, None, case.shape[-1]]
    signature = [tf.TensorSpec(open_sides, t.dtype) for t in (values, argmax)]
    results = {"x": x, "argmax": argmax, "values": values, "upstream": upstream}
    results |= {"unpooled": unpooled, "gradient": gradient}
    for name, jit in (("graph", False), ("XLA", True)):
        graph = tf.function(lambda v, a: unpool(v, a), input_signature=signature, jit_compile=jit)
        results[name] = graph(values, argmax)
    # NumPy's files have no bfloat16.
    exact = {name: tf.cast(t, tf.float64) for name, t in results.items() if name != "argmax"}
    return {"argmax": argmax.numpy(), **{name: t.numpy() for name, t in exact.items()}}


def outcome(function: Callable[[], Any]) -> dict[str, Any]:
    """What becomes of a call: its result, or the kind and the text of its error."""
    try:
        return {"result": np.asarray(function(), "float64").tolist()}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}


def limits() -> dict[str, dict[str, Any]]:
    """What Addons does outside of what it supports."""
    import tensorflow as tf

    even, odd = CASES["even"], CASES["odd, V2"]
    valid = CASES["odd, valid, V2"]._replace(version=1)
    overlapping = Case((1, 3, 3, 1), (2, 2), (1, 1), "VALID")

    def undo(case: Case, **options: Any) -> Any:
        _, pooled, argmax = pool(case, **options)
        return layer(case)(tf.ones_like(pooled), argmax)

    def together(x: Any) -> Any:
        pooled, argmax = tf.nn.max_pool_with_argmax(x, 2, 2, "SAME")
        return layer(even)(pooled, argmax)

    far = tf.constant([[[[2.0**24 + 1]]]])
    wide = layer(Case((1, 1, 2**24 + 2, 1), version=2))
    return {
        "odd": outcome(lambda: undo(odd._replace(version=1))),
        "odd, valid": outcome(lambda: undo(valid)),
        "batch in index": outcome(lambda: undo(even, include_batch_in_index=True)),
        "batch in index, V2": outcome(lambda: undo(CASES["even, V2"], include_batch_in_index=True)),
        "unknown batch, V2": outcome(lambda: layer(Case((None, 5, 7, 2), version=2))),
        "overlapping": outcome(lambda: undo(overlapping)),
        "pooling under XLA": outcome(
            lambda: tf.function(together, jit_compile=True)(tf.ones(even.shape))
        ),
        "float indices": outcome(lambda: tf.where(wide(tf.ones((1, 1, 1, 1)), far)[0, 0, :, 0])),
        "mixed precision, float indices": outcome(mixed_precision),
    }


def mixed_precision() -> Any:
    """How many values unpooling moves when float indices come in a list, as in the snippets."""
    import tensorflow as tf

    class Snippet(tf.keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return layer(CASES["float16"])(inputs[0], inputs[1])

    _, pooled, argmax = pool(Case((1, 40, 40, 2), dtype="float16"))
    right = layer(CASES["float16"])(pooled, argmax)
    got = Snippet(dtype="mixed_float16")([pooled, tf.cast(argmax, tf.float32)])
    return tf.reduce_sum(tf.cast(got != right, tf.int32))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, case in CASES.items():
        np.savez(folder / f"{name}.npz", **measure(case))
    (folder / "outcomes.json").write_text(json.dumps(limits()))
