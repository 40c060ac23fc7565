"""A training step of the half-width network, against the same step in PyTorch."""

from collections.abc import Callable

import keras
import numpy as np

from tests.benchmarks.figures import Figure, interleaved
from tfdeconv.models import DeconvNet
from tfdeconv.training.losses import CrossEntropy

BATCH, WIDTH, CLASSES = 4, 0.5, 21


def measure() -> list[Figure]:
    """Returns seconds a step at batch 4 in float32."""
    generator = np.random.default_rng(0)
    crops = generator.integers(0, 256, (BATCH, 224, 224, 3)).astype(np.float32)
    labels = generator.integers(0, CLASSES, (BATCH, 224, 224)).astype(np.uint8)
    functions = {"ours": _step(crops, labels)}
    if theirs := _torch_step(crops, labels):
        functions["theirs"] = theirs
    times = interleaved(functions, rounds=9, warm=3)
    name = f"training step, width {WIDTH}, batch {BATCH}, float32"
    peer, goal = ("PyTorch, channels_last", "<= 0.9") if theirs else ("", "")
    return [Figure(name, times["ours"], times.get("theirs"), peer, goal=goal)]


def _step(crops: np.ndarray, labels: np.ndarray) -> Callable[[], object]:
    keras.utils.set_random_seed(0)
    model = DeconvNet(CLASSES, width=WIDTH)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(optimizer, loss=CrossEntropy(), jit_compile=False)
    return lambda: model.train_on_batch(crops, labels)


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
