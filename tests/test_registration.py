"""Keras opens what this package saves: its classes are registered by whoever imports it."""

import ast
import json

import keras
import pytest

from tests.helpers import CHECKOUT, run_python
from tfdeconv.models import DeconvNet, load_model
from tfdeconv.training import CaffeSGD
from tfdeconv.training.losses import CrossEntropy

REGISTERED = """
import json
from keras.saving import get_custom_objects
print(json.dumps(sorted(name for name in get_custom_objects() if name.startswith("tfdeconv>"))))
"""


def serializable(folder: str) -> set[str]:
    """The classes in a folder of the package that are decorated for Keras."""
    return {
        f"tfdeconv>{node.name}"
        for path in (CHECKOUT / "tfdeconv" / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any("register_keras_serializable" in ast.unparse(one) for one in node.decorator_list)
    }


@pytest.mark.parametrize(
    "imports",
    [
        "import keras, tfdeconv",
        pytest.param("import tensorflow, tfdeconv", marks=pytest.mark.large),
        "import tfdeconv, keras; import tfdeconv.models",
    ],
)
def test_an_import_registers_every_class(imports: str) -> None:
    process = run_python("-c", f"{imports}\n{REGISTERED}")
    assert process.returncode == 0, process.stderr
    assert set(json.loads(process.stdout)) == serializable("") - serializable("hub")


def test_an_import_registers_the_classes_of_the_hub() -> None:
    pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    process = run_python("-c", f"import keras_hub, tfdeconv\n{REGISTERED}")
    assert process.returncode == 0, process.stderr
    assert serializable("hub") and set(json.loads(process.stdout)) == serializable("")


def test_an_import_without_keras_loads_the_standard_library_alone() -> None:
    loaded = (
        "import sys; before = {*sys.modules}; import tfdeconv\n"
        "roots = {name.partition('.')[0] for name in {*sys.modules} - before}\n"
        "print(roots - sys.stdlib_module_names)"
    )
    assert run_python("-c", loaded).stdout == "{'tfdeconv'}\n"


def test_a_training_is_opened_again(tmp_path) -> None:
    model = DeconvNet(2, (32, 32, 3), width=1 / 32)
    model.compile(CaffeSGD(0.125, momentum=0.75), loss=CrossEntropy(7))
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    for opened in (
        keras.models.load_model(tmp_path / "model.keras"),
        load_model(tmp_path, compile=True),
    ):
        assert opened.optimizer.momentum == 0.75 and opened.loss.ignore_label == 7
