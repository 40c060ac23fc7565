"""The example of the README's section on KerasHub, run as it stands."""

import re

import numpy as np
import pytest

pytest.importorskip("keras_hub", reason="keras-hub is not installed")

from tests.helpers import CHECKOUT
from tfdeconv.models import DeconvNet


@pytest.mark.large
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
def test_the_example_runs(tmp_path, monkeypatch):
    section = (CHECKOUT / "README.md").read_text("utf-8").split("## With KerasHub")[1]
    example = re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "stage2").mkdir(parents=True)
    names = ("ground", "tree", "sky")
    DeconvNet(3, (64, 64, 3), 1 / 32, class_names=names).save("runs/stage2/model.keras")
    generator = np.random.default_rng(0)
    found = {
        "images": generator.integers(0, 256, (2, 50, 80, 3)).astype("uint8"),
        "labels": generator.choice([0, 1, 2, 255], (2, 50, 80)).astype("uint8"),
    }
    exec(compile(example, "README.md", "exec"), found)
    assert found["scores"].shape == (2, 64, 64, 3) and found["task"].class_names == names
