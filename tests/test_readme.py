"""README.md: the code of the section on training loops runs as it stands."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

import tfdeconv
from tests.helpers import CHECKOUT

TEXT = (CHECKOUT / "README.md").read_text("utf-8")


def test_training_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    section = TEXT.split("## In your own training loop")[1].split("\n## ")[0]
    code = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    generator = np.random.default_rng(0)
    names = {
        "images": generator.integers(0, 256, (2, 64, 64, 3)).astype("uint8"),
        "labels": generator.choice([0, 8, 255], (2, 64, 64, 1)).astype("uint8"),
    }
    names |= {f"val_{name}": value for name, value in names.items()}
    exec(code, names)
    opened = tfdeconv.load_model("model.keras")
    assert isinstance(opened, keras.Model) and opened.output_shape == (None, 64, 64, 9)
