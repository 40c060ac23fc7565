"""What the tests of DeconvNet's neighbours share: tables, weights that matter, PyTorch's layers."""

from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

from tfdeconv.models import build
from tfdeconv.training.losses import CrossEntropy

MEAN_BGR = [104.00698793, 116.66876762, 122.67891434]


class Row(NamedTuple):
    """A layer with weights, as a paper's table has it; the side is that of its result."""

    name: str
    kernel: int
    filters: int
    side: tuple[int, int] | int


def check_table(model: keras.Model, table: list[Row]) -> None:
    """The layers with kernels are those of the table, and so are their shapes."""
    weighted = {layer.name: layer for layer in model.layers if hasattr(layer, "kernel")}
    assert sorted(weighted) == sorted(row.name for row in table)
    for row in table:
        side = row.side if isinstance(row.side, tuple) else (row.side, row.side)
        layer = weighted[row.name]
        assert layer.kernel.shape[:2] == (row.kernel, row.kernel), row
        assert layer.output.shape == (None, *side, row.filters), row
        assert layer.use_bias and layer.bias.shape == (row.filters,), row


def weights_without_statistics(model: keras.Model) -> int:
    norms = [layer for layer in model.layers if hasattr(layer, "gamma")]
    return model.count_params() - 2 * sum(layer.gamma.shape[0] for layer in norms)


def count_of_chain(table: list[Row], normalised: set[str]) -> int:
    """Kernels, biases, and scales and shifts of a network without branches, from its table."""
    weights, channels = 0, 3
    for row in table:
        weights += row.kernel**2 * channels * row.filters + row.filters
        weights += 2 * row.filters if row.name in normalised else 0
        channels = row.filters
    return weights


def randomise(model: keras.Model, seed: int = 0) -> keras.Model:
    """Kernels that keep the signal alive, and statistics that are not trivial."""
    generator = np.random.default_rng(seed)
    weights = []
    for variable in model.weights:
        values = generator.normal(0, 0.1, variable.shape)
        if variable.name == "kernel":
            values *= 10 * np.sqrt(2 / np.prod(variable.shape[:3]))
        elif variable.name in ("gamma", "moving_variance"):
            values = 1 + np.abs(values)
        weights.append(values.astype("float32"))
    model.set_weights(weights)
    return model


class Torch:
    """PyTorch's own layers with the weights of a model, by the names of its layers."""

    def __init__(self, model: keras.Model) -> None:
        self.torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        self.functional = self.torch.nn.functional
        self._model = model

    def images(self, images: np.ndarray) -> Any:
        bgr = self.torch.from_numpy(images).float().flip(-1) - self.torch.tensor(MEAN_BGR)
        return bgr.permute(0, 3, 1, 2)

    def conv(
        self, x: Any, name: str, bn: str | None = None, relu: bool = True, padding: int = 1
    ) -> Any:
        kernel, bias = self._weights(name)
        x = self.functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=padding)
        return self._end(x, bn, relu)

    def deconv(
        self, x: Any, name: str, bn: str | None = None, stride: int = 2, **options: int
    ) -> Any:
        kernel, bias = self._weights(name)
        kernel = kernel.permute(3, 2, 0, 1)
        x = self.functional.conv_transpose2d(x, kernel, bias, stride, **options)
        return self._end(x, bn, relu=True)

    def _end(self, x: Any, bn: str | None, relu: bool) -> Any:
        if bn is not None:
            gamma, beta, mean, variance = self._weights(bn)
            x = self.functional.batch_norm(x, mean, variance, gamma, beta, eps=1.001e-5)
        return self.functional.relu(x) if relu else x

    def _weights(self, name: str) -> list[Any]:
        weights = self._model.get_layer(name).get_weights()
        return [self.torch.from_numpy(weight) for weight in weights]


def predicted(model: keras.Model, images: np.ndarray) -> Any:
    # Without `predict`, which traces a graph for longer than these small networks run.
    return keras.tree.map_structure(np.asarray, model(images, training=False))


def check_scores(scores: np.ndarray, expected: Any) -> None:
    """Equal to PyTorch's, `(batch, classes, height, width)`, and not the same at every place."""
    expected = expected.permute(0, 2, 3, 1).numpy()
    assert scores.shape == expected.shape and scores.dtype == np.float32
    assert np.abs(scores - expected).max() <= 1e-5 * np.abs(expected).max()
    assert expected.std(axis=(1, 2)).max() > 0.05 * np.abs(expected).max()


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape).astype("uint8")


def check_learns(name: str, **options: Any) -> None:
    """A step on one small batch, a dark half and a bright one, lowers its loss."""
    keras.utils.set_random_seed(0)
    model = build(name, num_classes=2, width=1 / 32, **options)
    images = random_images(2, 16, 32, 3) // 4
    images[:, :, 16:] += 128
    labels = np.zeros((2, 16, 32), np.uint8)
    labels[:, :, 16:], labels[:, 0] = 1, 255
    # Tracing a graph would take longer than the steps.
    model.compile(keras.optimizers.Adam(3e-3), CrossEntropy(), run_eagerly=True)
    losses = [model.train_on_batch(images, labels) for _ in range(2)]
    # Keras reports the mean loss so far, which falls only if the second one is lower.
    assert losses[1] < losses[0]
