"""pydensecrf, the C++ of the method's authors, behind the same class."""

from collections.abc import Sequence
from types import ModuleType

import numpy as np

from tfdeconv.crf.mean_field import LEAST, Kernel
from tfdeconv.errors import UserError


def load() -> ModuleType:
    """Imports pydensecrf.

    Raises:
        UserError: when it is not installed.
    """
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise UserError(
            '`backend="pydensecrf"` must find the package pydensecrf. Received: '
            f'{error}. Install it with `pip install pydensecrf2`, or use backend="tensorflow", '
            "which gives the same labels and needs nothing else."
        ) from error
    return densecrf


def infer(
    probabilities: np.ndarray,
    image: np.ndarray,
    kernels: Sequence[Kernel],
    iterations: int,
    normalize: bool,
) -> np.ndarray:
    """Does with pydensecrf what `tfdeconv.crf.mean_field.infer` does; arguments as there."""
    densecrf = load()
    height, width, classes = probabilities.shape
    energies = -np.log(np.maximum(probabilities.reshape(-1, classes).T, LEAST))
    crf = densecrf.DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(np.ascontiguousarray(energies))
    normalization = densecrf.NORMALIZE_SYMMETRIC if normalize else densecrf.NO_NORMALIZATION
    for sxy, srgb, weight in kernels:
        if srgb is None:
            crf.addPairwiseGaussian(sxy=sxy, compat=weight, normalization=normalization)
        else:
            image = np.ascontiguousarray(image)
            crf.addPairwiseBilateral(
                sxy=sxy, srgb=srgb, rgbim=image, compat=weight, normalization=normalization
            )
    result = np.array(crf.inference(iterations), np.float32)
    return np.ascontiguousarray(result.T).reshape(height, width, classes)
