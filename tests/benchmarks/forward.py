"""The full network forward: against PyTorch, and against the rate of a matrix product."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tests.benchmarks.figures import Figure, interleaved
from tfdeconv.models import DeconvNet
from tfdeconv.segmentation.segmenter import Segmenter

BATCH = 4
# Multiplications and additions of the convolutions for one region, counted from their shapes.
GFLOP = 65.5
_SIDE = 4096


def measure() -> list[Figure]:
    """Returns seconds a region at batch 4, in float32 and bfloat16."""
    keras.utils.set_random_seed(0)
    model = DeconvNet()
    crops = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3)).astype(np.float32)
    labels = model.predict_on_batch(crops).argmax(axis=-1)
    figures = []
    for precision, peer, goal in (("float32", _compiled, 0.75), ("bfloat16", _autocast, 0.62)):
        segmenter = Segmenter(model, precision=precision)
        functions = {"ours": lambda run=segmenter.network: run(crops)}
        functions["product"] = matrix_product(precision)
        if theirs := _torch(peer):
            functions["theirs"] = theirs
        times = interleaved(functions)
        equal = np.mean(np.argmax(segmenter.network(crops), axis=-1) == labels)
        note = (
            f"labels equal to the unfolded float32 model's on {100 * equal:.2f} %, random weights"
        )
        region = times["ours"] / BATCH
        floor = at_rate_of_product(GFLOP, times["product"])
        name = f"forward, {precision}, batch {BATCH}"
        if theirs:
            their = times["theirs"] / BATCH
            figures.append(
                Figure(name, region, their, peer.__doc__ or "", goal=f"<= {goal}", note=note)
            )
        limit = "<= 1.111" if precision == "float32" else ""
        figures.append(Figure(name, region, floor, "at the rate of a matrix product", goal=limit))
    return figures


def matrix_product(precision: str) -> Callable[[], object]:
    """Returns a product of two matrices of 4096x4096, whose rate is the floor."""
    generator = tf.random.Generator.from_seed(0)
    matrix = tf.cast(generator.normal((_SIDE, _SIDE)), precision)
    product = tf.function(lambda: tf.linalg.matmul(matrix, matrix))
    return lambda: product().numpy()


def at_rate_of_product(gflop: float, seconds: float) -> float:
    """Returns the seconds that `gflop` take where `matrix_product` takes `seconds`."""
    return gflop * seconds / (2 * _SIDE**3 / 1e9)


def _torch(peer: Callable) -> Callable[[], object] | None:
    try:
        import torch
    except ImportError:
        return None
    from tests.benchmarks.torch_network import TorchDeconvNet

    torch.manual_seed(0)
    network = TorchDeconvNet().eval().to(memory_format=torch.channels_last)
    images = torch.rand(BATCH, 3, 224, 224).to(memory_format=torch.channels_last)
    return peer(network, images)


def _compiled(network, images):
    """PyTorch, torch.compile"""
    import torch

    compiled = torch.compile(network)

    def run():
        with torch.inference_mode():
            compiled(images)

    return run


def _autocast(network, images):
    """PyTorch, bfloat16 autocast"""
    import torch

    def run():
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            network(images)

    return run


if __name__ == "__main__":
    for figure in measure():
        print(figure, figure.ratio, figure.reached)
