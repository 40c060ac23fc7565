"""Pooling and unpooling: the pair against PyTorch's, and its share of the full network."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tests.benchmarks.figures import Figure, interleaved
from tfdeconv.layers import MaxPoolWithArgmax, Unpool
from tfdeconv.models import DeconvNet
from tfdeconv.segmentation.segmenter import Segmenter

SHAPE = (8, 112, 112, 64)
BATCH = 4
# A pair takes milliseconds: medians of 15 rounds scattered by a tenth.
ROUNDS, SETTLE = 50, 5
# Side and channels of what the five stages pool.
STAGES = ((224, 64), (112, 128), (56, 256), (28, 512), (14, 512))


def measure() -> list[Figure]:
    """Returns seconds of the pair, forward and with the gradient, and the share of the forward."""
    values = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    functions = {"forward": _pair(values, False), "both": _pair(values, True)}
    try:
        theirs = {"their forward": _torch(values, False), "their both": _torch(values, True)}
    except ImportError:
        theirs = {}
    times = interleaved({**functions, **theirs}, ROUNDS, settle=SETTLE)
    peer = "PyTorch, channels_last" if theirs else ""
    goals = ("<= 1.2", "<= 1.5") if theirs else ("", "")
    size = "x".join(map(str, SHAPE))
    return [
        Figure(
            f"pool + unpool {size}, {name}",
            times[key],
            times.get(f"their {key}"),
            peer,
            goal=goal,
        )
        for (name, key), goal in zip(
            (("forward", "forward"), ("forward + backward", "both")), goals, strict=True
        )
    ] + [_share()]


def _share() -> Figure:
    keras.utils.set_random_seed(0)
    segmenter = Segmenter(DeconvNet())
    generator = np.random.default_rng(0)
    crops = generator.integers(0, 256, (BATCH, 224, 224, 3)).astype(np.float32)
    stages = [
        _pair(generator.normal(size=(BATCH, side, side, channels)).astype(np.float32), False)
        for side, channels in STAGES
    ]

    def all_stages() -> None:
        for stage in stages:
            stage()

    times = interleaved({"pairs": all_stages, "forward": lambda: segmenter.network(crops)})
    name = f"the five pairs of the full network, batch {BATCH}"
    return Figure(name, times["pairs"], times["forward"], "the whole forward", goal="<= 0.05")


def _pair(values: np.ndarray, backward: bool) -> Callable[[], object]:
    pool, unpool = MaxPoolWithArgmax(2), Unpool(2)

    def forward(x: tf.Tensor) -> tf.Tensor:
        pooled, argmax = pool(x)
        return unpool(pooled, argmax, x)

    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = forward(x)
        return tape.gradient(y, x, output_gradients=x)

    x = tf.constant(values)
    function = tf.function(gradient if backward else forward)
    return lambda: function(x)


def _torch(values: np.ndarray, backward: bool) -> Callable[[], object]:
    import torch

    pool, unpool = torch.nn.MaxPool2d(2, return_indices=True), torch.nn.MaxUnpool2d(2)
    x = torch.from_numpy(values).permute(0, 3, 1, 2)

    def forward() -> None:
        with torch.inference_mode():
            unpool(*pool(x))

    def both() -> None:
        leaf = x.detach().requires_grad_()
        unpool(*pool(leaf)).backward(x)

    return both if backward else forward


if __name__ == "__main__":
    for figure in measure():
        print(figure, figure.ratio, figure.reached)
