"""Every network gives on JAX and PyTorch the scores that it gives on TensorFlow."""

from pathlib import Path

import numpy as np
import pytest

from tests.goldens import NETWORKS
from tests.helpers import run_python

ON_ANOTHER_BACKEND = """
import pathlib, sys
import keras, numpy as np
from tfdeconv.models import load_model
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.keras")):
    with np.load(file.with_suffix(".npz")) as saved:
        found = keras.ops.convert_to_numpy(load_model(file)(saved["images"]))
        error = np.abs(found - saved["scores"]).max() / np.abs(saved["scores"]).max()
    print(file.stem, error)
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    generator = np.random.default_rng(0)
    for name, golden in NETWORKS.items():
        model = golden.build()
        model.set_weights([w + 0.1 * generator.random(w.shape) for w in model.get_weights()])
        images = generator.integers(0, 256, golden.shape).astype("float32")
        np.savez(folder / f"{name}.npz", images=images, scores=model(images))
        model.save(folder / f"{name}.keras")
    return folder


@pytest.mark.large
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_scores_are_those_of_tensorflow(saved: Path, backend: str) -> None:
    pytest.importorskip(backend)
    environment = {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    process = run_python("-c", ON_ANOTHER_BACKEND, str(saved), timeout=900, **environment)
    assert process.returncode == 0, process.stderr
    errors = dict(line.split() for line in process.stdout.splitlines())
    assert set(errors) == set(NETWORKS)
    assert all(float(error) <= 1e-4 for error in errors.values()), errors
