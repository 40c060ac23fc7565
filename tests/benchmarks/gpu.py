"""DeconvNet on one GPU through Keras's JAX backend, against the same network in PyTorch.

  python -m tests.benchmarks.gpu [--batch N] [--width W]

It takes whatever device JAX and PyTorch find, names it, and ends with one table. No TensorFlow is
needed: the package's layers and networks run without it.
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")
# Both share the device; neither may take all of its memory for itself.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import keras
import numpy as np
import torch

from tests.benchmarks.figures import Figure, interleaved
from tests.benchmarks.run import table
from tests.benchmarks.torch_network import TorchDeconvNet
from tfdeconv.models import DeconvNet
from tfdeconv.training.losses import CrossEntropy
from tfdeconv.weights import fold_batch_norm

CLASSES = 21


def main() -> None:
    """Measures inference and training in float32 and bfloat16 and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--width", type=float, default=1.0)
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    print(
        f"{name}; JAX {jax.__version__} on {jax.devices()[0].device_kind}, torch "
        f"{torch.__version__}, keras {keras.__version__}; batch {args.batch}, width {args.width}"
    )
    figures = []
    for precision in ("float32", "bfloat16"):
        for what, ours, theirs in (
            ("forward", _forward, _torch_forward),
            ("training step", _step, _torch_step),
        ):
            functions = {
                "ours": ours(args, precision),
                "theirs": theirs(args, precision, device),
            }
            times = interleaved(functions, rounds=9, warm=3)
            figures.append(
                Figure(f"{what}, {precision}", times["ours"], times["theirs"], "PyTorch")
            )
            del functions
    print(table(figures))


def _data(batch: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    crops = generator.integers(0, 256, (batch, 224, 224, 3)).astype(np.float32)
    return crops, generator.integers(0, CLASSES, (batch, 224, 224)).astype(np.uint8)


def _ours(args: argparse.Namespace, precision: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("float32" if precision == "float32" else f"mixed_{precision}")
    return DeconvNet(CLASSES, width=args.width)


def _forward(args: argparse.Namespace, precision: str):
    model = fold_batch_norm(_ours(args, precision))
    crops = jax.numpy.asarray(_data(args.batch)[0])

    @jax.jit
    def run(trained, others, images):
        return model.stateless_call(trained, others, images, training=False)[0]

    trained = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]
    return lambda: run(trained, others, crops).block_until_ready()


def _step(args: argparse.Namespace, precision: str):
    model = _ours(args, precision)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss=CrossEntropy())
    crops, labels = _data(args.batch)
    return lambda: model.train_on_batch(crops, labels)


def _network(args: argparse.Namespace, device: str) -> tuple[torch.nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    network = TorchDeconvNet(CLASSES, width=args.width).to(device)
    images = torch.from_numpy(_data(args.batch)[0]).permute(0, 3, 1, 2).to(device)
    return network.to(memory_format=torch.channels_last), images


def _torch_forward(args: argparse.Namespace, precision: str, device: str):
    network, images = _network(args, device)
    network.eval()

    def run() -> None:
        half = precision == "bfloat16"
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=half):
            network(images)
        _wait(device)

    return run


def _torch_step(args: argparse.Namespace, precision: str, device: str):
    network, images = _network(args, device)
    truth = torch.from_numpy(_data(args.batch)[1].astype(np.int64)).to(device)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
    loss_function = torch.nn.CrossEntropyLoss(ignore_index=255)

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            loss = loss_function(network(images / 255), truth)
        loss.backward()
        optimizer.step()
        _wait(device)

    return run


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
