"""A training step of the half-width network, against the same step in PyTorch."""

from collections.abc import Callable
from typing import TypeAlias

import keras
import numpy as np

from tests.benchmarks.figures import Figure, interleaved
from tfdeconv.models import DeconvNet
from tfdeconv.training.losses import CrossEntropy

BATCH, WIDTH, CLASSES = 4, 0.5, 21

Batch: TypeAlias = tuple[np.ndarray, np.ndarray]


def measure() -> list[Figure]:
    """Returns seconds a step at batch 4 in float32."""
    batch = random_batch(BATCH)
    functions = {"ours": step(compiled(WIDTH), batch)}
    if theirs := _torch_step(*batch):
        functions["theirs"] = theirs
    times = interleaved(functions, rounds=9, warm=3)
    name = f"training step, width {WIDTH}, batch {BATCH}, float32"
    peer, goal = ("PyTorch, channels_last", "<= 0.9") if theirs else ("", "")
    return [Figure(name, times["ours"], times.get("theirs"), peer, goal=goal)]


def random_batch(count: int) -> Batch:
    """Returns `(count, 224, 224, 3)` float32 crops and `(count, 224, 224)` uint8 labels."""
    generator = np.random.default_rng(0)
    crops = generator.integers(0, 256, (count, 224, 224, 3)).astype(np.float32)
    return crops, generator.integers(0, CLASSES, (count, 224, 224)).astype(np.uint8)


def compiled(
    width: float, policy: str = "float32", accumulate: int | None = None, jit_compile: bool = False
) -> keras.Model:
    """Returns a fresh network that computes by `policy`, compiled with SGD."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    try:
        model = DeconvNet(CLASSES, width=width)
    finally:
        keras.config.set_dtype_policy("float32")
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9, gradient_accumulation_steps=accumulate)
    model.compile(optimizer, loss=CrossEntropy(), jit_compile=jit_compile)
    return model


def step(model: keras.Model, batch: Batch) -> Callable[[], object]:
    """Returns what trains `model` on one batch, always the same."""
    return lambda: model.train_on_batch(*batch)


def _torch_step(crops: np.ndarray, labels: np.ndarray) -> Callable[[], object] | None:
    try:
        import torch
    except ImportError:
        return None
    from tests.benchmarks.torch_network import TorchDeconvNet

    torch.manual_seed(0)
    network = TorchDeconvNet(CLASSES, width=WIDTH).train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
    images = torch.from_numpy(crops).permute(0, 3, 1, 2)
    truth = torch.from_numpy(labels.astype(np.int64))
    loss_function = torch.nn.CrossEntropyLoss(ignore_index=255)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss_function(network(images / 255), truth).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    for figure in measure():
        print(figure, figure.ratio, figure.reached)
