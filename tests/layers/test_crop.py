"""`Crop`: the part of a map that lies on another one."""

import keras
import numpy as np
import pytest

from tests.helpers import run_python
from tfdeconv.layers import Crop


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 4)])
@pytest.mark.parametrize("offset", [0, 1, 3])
def test_equals_a_loop_over_places(offset: int, size: tuple[int, int]) -> None:
    inputs = np.arange(2 * 8 * 7 * 3, dtype="float32").reshape(2, 8, 7, 3)
    found = keras.ops.convert_to_numpy(Crop(offset)(inputs, np.zeros((2, *size, 9), "uint8")))
    assert found.shape == (2, *size, 3)
    for b, y, x, c in np.ndindex(found.shape):
        assert found[b, y, x, c] == inputs[b, offset + y, offset + x, c]


def test_sizes_may_stay_open() -> None:
    x, like = keras.Input((None, 9, 4)), keras.Input((None, 5, 3))
    cropped = Crop(2)(x, like)
    assert cropped.shape == (None, None, 5, 4)
    model = keras.Model([x, like], cropped)
    for rows in (3, 6):
        given = [np.ones((1, rows + 2, 9, 4)), np.ones((1, rows, 5, 3))]
        assert model.predict(given, verbose=0).shape == (1, rows, 5, 4)


def test_a_map_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match=r"offset=2, inputs.shape=\(1, 6, 9, 1\), like.shape"):
        Crop(2)(np.zeros((1, 6, 9, 1)), np.zeros((1, 5, 5, 1)))
    with pytest.raises(ValueError, match="`inputs` must reach as far"):
        Crop(2)(keras.Input((None, 6, 4)), keras.Input((None, 5, 3)))


@pytest.mark.parametrize("offset", [-1, 1.5, None])
def test_other_offsets_are_refused(offset) -> None:
    with pytest.raises(ValueError, match=f"`offset` must be an integer from 0 on.*{offset}"):
        Crop(offset)


def test_half_precision_stays() -> None:
    cropped = Crop(1, dtype="mixed_bfloat16")(keras.Input((5, 5, 2)), keras.Input((2, 2, 3)))
    assert cropped.dtype == "bfloat16"
    assert Crop.from_config(Crop(3, name="score").get_config()).offset == 3


ON_ANOTHER_BACKEND = """
import numpy as np, keras
from tfdeconv.models import FCN8s
model = FCN8s(2, width=1 / 64)
assert model.predict(np.zeros((1, 9, 30, 3), "uint8"), verbose=0).shape == (1, 9, 30, 2)
"""


@pytest.mark.large
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_fcn_runs_on_the_backend(backend: str) -> None:
    pytest.importorskip(backend)
    process = run_python("-c", ON_ANOTHER_BACKEND, KERAS_BACKEND=backend, JAX_PLATFORMS="cpu")
    assert process.returncode == 0, process.stderr
