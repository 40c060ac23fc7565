"""`DenseCRF`: class probabilities that follow the edges of the image."""

import dataclasses
import functools
import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfdeconv.crf import mean_field

NORMALIZATIONS = ("symmetric", "none")
BACKENDS = ("tensorflow", "pydensecrf")
# How far the probabilities of a pixel may sum from one: half precision is 0.002 off.
_TOLERANCE = 0.01
# Narrower kernels join a pixel to itself alone, and their lattices have too many places.
_NARROWEST = 0.5


@dataclass(frozen=True)
class DenseCRF:
    """A fully connected conditional random field with Gaussian kernels and Potts compatibility.

    The defaults were chosen by measurement (`training/README.md`). The permutohedral lattice is an
    approximation: compared with exact sums, the mean error of the probabilities is 0.006 after one
    iteration on 24x24 pixels, and up to 0.06 after ten on crops of photographs.

    Args:
        gaussian: `(sxy, weight)` of the smoothness (spatial) kernel: its standard deviation in
            pixels, at least 0.5, and its factor, at least 0. None omits it.
        bilateral: `(sxy, srgb, weight)` of the appearance (bilateral) kernel; `srgb` is the
            standard deviation in levels of 0..255, at least 0.5. None omits it.
        iterations: Updates of the mean field, at least 0.
        normalization: "symmetric" divides each kernel by the square roots of its row sums from
            either side, as pydensecrf does by default. "none" leaves the sums, as the release does.
        backend: "tensorflow", or "pydensecrf" (a package of its own) for comparison.

    Raises:
        ValueError: when an argument is out of range.
        UserError: when pydensecrf is asked for and not installed.

    Example:

    >>> import numpy as np
    >>> probabilities = np.full((20, 30, 2), 0.5, np.float32)
    >>> probabilities[2:18, 3:5], probabilities[2:18, 25:27] = [0.1, 0.9], [0.9, 0.1]
    >>> image = np.zeros((20, 30, 3), np.uint8)
    >>> image[:, :12] = 200
    >>> labels = DenseCRF(bilateral=(50, 10, 5))(probabilities, image).argmax(axis=-1)
    >>> float(labels[:, :12].mean()), float(labels[:, 12:].mean())
    (1.0, 0.0)

    Reference:
        Kraehenbuehl, Koltun: Efficient Inference in Fully Connected CRFs, NIPS 2011.
    """

    gaussian: Sequence[float] | None = (1, 3)
    bilateral: Sequence[float] | None = (20, 4, 10)
    iterations: int = 10
    normalization: str = "symmetric"
    backend: str = "tensorflow"

    def __post_init__(self) -> None:
        _check_kernel("gaussian", self.gaussian, ("sxy", "weight"))
        _check_kernel("bilateral", self.bilateral, ("sxy", "srgb", "weight"))
        if not isinstance(self.iterations, numbers.Integral) or self.iterations < 0:
            raise ValueError(
                "`iterations` must be a whole number of at least 0. Received: "
                f"iterations={self.iterations!r}"
            )
        for name, choices in (("normalization", NORMALIZATIONS), ("backend", BACKENDS)):
            if (value := getattr(self, name)) not in choices:
                raise ValueError(f"`{name}` must be one of {choices}. Received: {name}={value!r}")
        if self.backend == "pydensecrf":
            mean_field.load_pydensecrf()

    @classmethod
    def release(cls, backend: str = "tensorflow") -> "DenseCRF":
        """Returns the CRF of the published demo.

        Reference:
            `generate_EDeconvNet_CRF_results.m` of the release and the defaults of the class
            `Densecrf` that it calls (github.com/johannesu/meanfield-matlab).
        """
        return cls((3, 3), (20, 3, 5), iterations=10, normalization="none", backend=backend)

    def __call__(self, probabilities: Any, image: Any) -> Any:
        """Returns the probabilities after inference.

        Args:
            probabilities: `(height, width, classes)` with at least 2 classes, array or tensor of
                any number type. They must sum to one in every pixel, up to 0.01; values below 1e-8
                count as 1e-8.
            image: `(height, width, 3)` uint8 RGB, array or tensor.

        Returns:
            `(height, width, classes)` float32: a tensor where an argument is one, in graphs of
            unknown height, width and classes too; otherwise an array.

        Raises:
            ValueError: when an argument is of another kind, or pixels do not sum to one. In a
                graph, where values are not known before it runs, that is
                `tf.errors.InvalidArgumentError`.
        """
        of_tensors = tf.is_tensor(probabilities) or tf.is_tensor(image)
        probabilities = tf.cast(tf.convert_to_tensor(probabilities), tf.float32)
        image = tf.convert_to_tensor(image)
        _check_shapes(probabilities.shape, image.shape, image.dtype)
        if self.backend == "pydensecrf" and not tf.executing_eagerly():
            raise ValueError(
                '`backend="pydensecrf"` must be called with values. Received: tensors of a graph. '
                'Use backend="tensorflow" in graphs.'
            )
        with tf.control_dependencies(_check_values(probabilities, image)):
            result = self._infer(probabilities, image)
        result = tf.ensure_shape(result, probabilities.shape)
        return result if of_tensors else result.numpy()

    def __getstate__(self) -> dict[str, Any]:
        # The graph of `_infer` cannot be pickled; it is made anew.
        return dataclasses.asdict(self)

    @functools.cached_property
    def _infer(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        kernels: list[mean_field.Kernel] = []
        if self.gaussian is not None:
            kernels.append((float(self.gaussian[0]), None, float(self.gaussian[1])))
        if self.bilateral is not None:
            sxy, srgb, weight = map(float, self.bilateral)
            kernels.append((sxy, srgb, weight))
        options = (kernels, int(self.iterations), self.normalization == "symmetric")
        if self.backend == "pydensecrf":
            return lambda probabilities, image: tf.convert_to_tensor(
                mean_field.infer_with_pydensecrf(probabilities.numpy(), image.numpy(), *options)
            )
        return tf.function(
            lambda probabilities, image: mean_field.infer(probabilities, image, *options),
            input_signature=[
                tf.TensorSpec((None, None, None)),
                tf.TensorSpec((None, None, 3), tf.uint8),
            ],
        )


def _check_kernel(name: str, values: Sequence[float] | None, parts: tuple[str, ...]) -> None:
    if values is None:
        return
    if (
        not isinstance(values, Sequence)
        or len(values) != len(parts)
        or not all(isinstance(value, numbers.Real) and math.isfinite(value) for value in values)
        or min(values[:-1]) < _NARROWEST
        or values[-1] < 0
    ):
        raise ValueError(
            f"`{name}` must be None or a tuple ({', '.join(parts)}): standard deviations of at "
            f"least {_NARROWEST} and a weight of at least 0. Received: {name}={values!r}"
        )


def _check_shapes(probabilities: tf.TensorShape, image: tf.TensorShape, dtype: tf.DType) -> None:
    """Refuses arrays of other shapes, as far as they are known."""
    ranks = probabilities.is_compatible_with([None] * 3) and image.is_compatible_with([None] * 3)
    if (
        not ranks
        or not image[2:].is_compatible_with([3])
        or not image[:2].is_compatible_with(probabilities[:2])
        or 0 in probabilities[:2]
        or dtype != tf.uint8
    ):
        raise ValueError(
            "`probabilities` must be (height, width, classes) and `image` (height, width, 3) uint8 "
            f"RGB of the same size. Received: probabilities {probabilities}, image {image} "
            f"{dtype.name}"
        )
    if probabilities[2] in (0, 1):
        raise ValueError(
            f"`probabilities` must have at least 2 classes. Received: {probabilities}. A mask p of "
            "one class is two: np.concatenate([1 - p, p], axis=-1)."
        )


def _check_values(probabilities: tf.Tensor, image: tf.Tensor) -> list[tf.Operation]:
    """Raises for values at hand, and returns the checks that a graph has to run."""
    sums = tf.reduce_sum(probabilities, axis=-1)
    # Comparisons with NaN are false.
    near_one = tf.reduce_all(tf.abs(sums - 1) <= _TOLERANCE)
    valid = near_one & tf.reduce_all(probabilities >= -_TOLERANCE)
    message = "`probabilities` must be at least 0 and sum to one in every pixel. "
    if tf.executing_eagerly():
        if not valid:
            raise ValueError(
                f"{message}Received: sums from {np.min(sums):.3g} to {np.max(sums):.3g}, values "
                f"from {np.min(probabilities):.3g}. Scores become probabilities by softmax."
            )
        return []
    shape = tf.shape(probabilities)
    fits = tf.reduce_all(tf.shape(image) == tf.concat([shape[:2], [3]], 0)) & (shape[2] >= 2)
    sizes = (
        "`probabilities` must be as large as `image`, with at least 2 classes, and `image` RGB of "
        "at least one pixel. Received: "
    )
    return [
        tf.debugging.Assert(fits & tf.reduce_all(shape > 0), [sizes, shape, tf.shape(image)]),
        tf.debugging.Assert(valid, [message, "Received: a sum of", sums]),
    ]
