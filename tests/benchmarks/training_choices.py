"""What the choices of a training cost or give on a processor, and a step of the full network."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tests.benchmarks.figures import Figure, interleaved
from tests.benchmarks.forward import GFLOP, at_rate_of_product, matrix_product
from tests.benchmarks.training import BATCH, CLASSES, WIDTH
from tests.helpers import SHARED_DATA
from tfdeconv.data import pipeline, voc, windows
from tfdeconv.data.drawn import draw_dataset
from tfdeconv.models import DeconvNet
from tfdeconv.training.losses import CrossEntropy

SIZE, ACCUMULATE, FULL_BATCH, ROUNDS = 224, 8, 8, 5

Batch = tuple[np.ndarray, np.ndarray]


def measure() -> list[Figure]:
    """Returns each choice beside the plain float32 step, and the full network beside its floor."""
    generator = np.random.default_rng(0)
    fixed = _random_batch(generator, BATCH)
    batches = _batches_from_disk()
    plain = _model(WIDTH)
    sgd = keras.optimizers.SGD(0.01, momentum=0.9, gradient_accumulation_steps=ACCUMULATE)
    steps = {
        "plain": _step(plain, fixed),
        "XLA": _step(_model(WIDTH, jit_compile=True), fixed),
        "mixed bfloat16": _step(_model(WIDTH, "mixed_bfloat16"), fixed),
        f"one of {ACCUMULATE} accumulated batches": _step(_model(WIDTH, optimizer=sgd), fixed),
        "windows from disk": lambda: plain.train_on_batch(*next(batches)),
    }
    times = interleaved(steps, ROUNDS)
    name = f"training step, width {WIDTH}, batch {BATCH}"
    figures = [
        Figure(f"{name}: {choice}", seconds, times["plain"], "plain, float32")
        for choice, seconds in times.items()
        if choice != "plain"
    ]
    return [*figures, _full(_random_batch(generator, FULL_BATCH))]


def _full(batch: Batch) -> Figure:
    steps = {"step": _step(_model(1.0), batch), "product": matrix_product("float32")}
    times = interleaved(steps, ROUNDS)
    # The backward pass takes twice as much as the forward pass.
    floor = at_rate_of_product(3 * GFLOP * FULL_BATCH, times["product"])
    name = f"training step, full width, batch {FULL_BATCH}, float32"
    return Figure(name, times["step"], floor, "at the rate of a matrix product")


def _random_batch(generator: np.random.Generator, count: int) -> Batch:
    images = generator.integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.float32)
    return images, generator.integers(0, CLASSES, (count, SIZE, SIZE)).astype(np.uint8)


def _model(
    width: float, policy: str = "float32", optimizer: Any = None, jit_compile: bool = False
) -> keras.Model:
    keras.config.set_dtype_policy(policy)
    try:
        model = DeconvNet(CLASSES, width=width)
    finally:
        keras.config.set_dtype_policy("float32")
    optimizer = optimizer or keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(optimizer, loss=CrossEntropy(), jit_compile=jit_compile)
    return model


def _step(model: keras.Model, batch: Batch) -> Callable[[], object]:
    return lambda: model.train_on_batch(*batch)


def _batches_from_disk() -> Iterator[Any]:
    root = SHARED_DATA / "voc2012"
    if not root.exists():
        root = draw_dataset(Path(tempfile.mkdtemp()) / "drawn", images=50, val=0)
    split = voc.read_split(root, "train")
    cut = windows.balance(windows.object_windows(split))
    steps = 2 * ROUNDS + 2
    return iter(pipeline.training_dataset(split, cut, batch_size=BATCH, steps=steps))


if __name__ == "__main__":
    for figure in measure():
        print(figure, figure.ratio, figure.reached)
