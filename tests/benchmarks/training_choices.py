"""What the choices of a training cost or give on a processor, and a step of the full network."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure, interleaved
from tests.benchmarks.forward import GFLOP, at_rate_of_product, matrix_product
from tests.benchmarks.training import BATCH, WIDTH, compiled, random_batch, step
from tests.helpers import SHARED_DATA
from tfdeconv.data import pipeline, voc, windows
from tfdeconv.data.drawn import draw_dataset

ACCUMULATE, FULL_BATCH, ROUNDS = 8, 8, 5


def measure() -> list[Figure]:
    """Returns each choice beside the plain float32 step, and the full network beside its floor."""
    fixed = random_batch(BATCH)
    batches = _batches_from_disk()
    plain = compiled(WIDTH)
    steps = {
        "plain": step(plain, fixed),
        "XLA": step(compiled(WIDTH, jit_compile=True), fixed),
        "mixed bfloat16": step(compiled(WIDTH, "mixed_bfloat16"), fixed),
        f"one of {ACCUMULATE} accumulated batches": step(
            compiled(WIDTH, accumulate=ACCUMULATE), fixed
        ),
        "windows from disk": lambda: plain.train_on_batch(*next(batches)),
    }
    times = interleaved(steps, ROUNDS)
    name = f"training step, width {WIDTH}, batch {BATCH}"
    figures = [
        Figure(f"{name}: {choice}", seconds, times["plain"], "plain, float32")
        for choice, seconds in times.items()
        if choice != "plain"
    ]
    return [*figures, _full()]


def _full() -> Figure:
    batch = random_batch(FULL_BATCH)
    steps = {"step": step(compiled(1.0), batch), "product": matrix_product("float32")}
    times = interleaved(steps, ROUNDS)
    # The backward pass takes twice as much as the forward pass.
    floor = at_rate_of_product(3 * GFLOP * FULL_BATCH, times["product"])
    name = f"training step, full width, batch {FULL_BATCH}, float32"
    return Figure(name, times["step"], floor, "at the rate of a matrix product")


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
