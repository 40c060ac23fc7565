"""ONNX files: every network in ONNX Runtime, any number of crops; names, and what is refused."""

import json
import sys

import keras
import numpy as np
import pytest

from tests.export.networks import CLASSES, Unknown, photograph, plain_network, untrained_network
from tests.goldens import LARGE_EXPORTS, cases, selected
from tests.helpers import run_python
from tfdeconv.errors import UserError
from tfdeconv.export import export_onnx
from tfdeconv.models import list_models

REASON = "ONNX is not installed: pip install tfdeconv[onnx]"
onnxruntime = pytest.importorskip("onnxruntime", reason=REASON)
onnx = pytest.importorskip("onnx", reason=REASON)
pytest.importorskip("tf2onnx", reason=REASON)

RUN_ALL = """
import sys
import numpy as np
import onnxruntime
folder, *names = sys.argv[1:]
crops, scores = np.load(f"{folder}/crops.npy"), {}
for name in names:
    session = onnxruntime.InferenceSession(
        f"{folder}/{name}.onnx", providers=["CPUExecutionProvider"]
    )
    for batch in (crops, crops[:1]):
        (scores[f"{name}{len(batch)}"],) = session.run(["scores"], {"crops": batch})
np.savez(f"{folder}/scores.npz", **scores)
assert not {"tensorflow", "keras", "tfdeconv"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def networks(request: pytest.FixtureRequest) -> dict[str, keras.Model]:
    return {name: untrained_network(name) for name in selected(request, list_models())}


@pytest.fixture(scope="module")
def folder(networks, tmp_path_factory: pytest.TempPathFactory):
    """A file of every network, and what they say in a fresh process."""
    folder = tmp_path_factory.mktemp("onnx")
    for name, model in networks.items():
        export_onnx(model, folder / f"{name}.onnx")
    np.save(folder / "crops.npy", np.stack([photograph(64, 64, i) for i in range(3)], dtype="f4"))
    process = run_python("-c", RUN_ALL, str(folder), *networks)
    assert process.returncode == 0, process.stderr
    return folder


@pytest.mark.parametrize("name", cases(list_models(), LARGE_EXPORTS))
def test_every_network_gives_its_scores_without_tensorflow(networks, folder, name: str) -> None:
    expected = networks[name].predict_on_batch(np.load(folder / "crops.npy"))
    bound = 1e-4 * np.abs(expected).max(axis=(1, 2, 3))
    with np.load(folder / "scores.npz") as scores:
        assert np.all(np.abs(scores[f"{name}3"] - expected).max(axis=(1, 2, 3)) <= bound)
        assert np.abs(scores[f"{name}1"] - expected[:1]).max() <= bound[0]
    assert expected.std() > 0


def test_names_shapes_and_classes_are_in_the_file(folder, tmp_path) -> None:
    model = onnx.load(folder / "deconvnet.onnx")
    for values, name, channels in (
        (model.graph.input, "crops", 3),
        (model.graph.output, "scores", len(CLASSES)),
    ):
        (value,) = values
        sides = value.type.tensor_type.shape.dim
        assert value.name == name and sides[0].dim_param == "batch"
        assert [side.dim_value for side in sides[1:]] == [64, 64, channels]
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    (entry,) = model.metadata_props
    assert entry.key == "class_names" and json.loads(entry.value) == list(CLASSES)
    plain = onnx.load(export_onnx(plain_network(), tmp_path / "plain.onnx"))
    assert not plain.metadata_props


def test_what_cannot_be_exported_is_told(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = keras.Input((16, 16, 3))
    odd = keras.Model(inputs, Unknown()(inputs), name="odd")
    with pytest.raises(UserError, match=r"`odd` uses operations that ONNX does not.*Betainc"):
        export_onnx(odd, tmp_path / "a.onnx")
    with pytest.raises(UserError, match=r"must end in \.onnx"):
        export_onnx(plain_network(), tmp_path / "a.tflite")
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(UserError, match=r'pip install "tfdeconv\[onnx\]"'):
        export_onnx(plain_network(), tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_network_of_every_size_takes_the_one_asked_for(tmp_path) -> None:
    opened = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1)])
    file = export_onnx(opened, tmp_path / "a.onnx", input_size=24)
    (crops,) = onnxruntime.InferenceSession(file).get_inputs()
    assert crops.shape == ["batch", 24, 24, 3]
