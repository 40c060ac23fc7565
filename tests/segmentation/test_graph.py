"""A network under the backends that compile it for every size of batch."""

import keras
import numpy as np
import pytest

from tfdeconv.segmentation.graph import runner


def test_other_backends_compile_for_two_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Model:
        def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
            sizes.append(len(images))
            return images + 1

    sizes: list[int] = []
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    run = runner(Model(), 2, 6)
    for count in (1, 2, 3, 6):
        np.testing.assert_array_equal(run(np.ones((count, 4, 4, 3))), np.full((count, 4, 4, 3), 2))
    assert sizes == [2, 2, 6, 6]
