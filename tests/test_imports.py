"""What importing loads: looking at the package is cheap, and proposals never load TensorFlow."""

import ast

import pytest

from tests.helpers import run_python

HEAVY = "{'tensorflow', 'keras', 'cv2', 'jax', 'torch', 'PIL', 'matplotlib'}"
LOADED = f"import sys; print(sorted({HEAVY} & set(sys.modules)))"


@pytest.mark.parametrize(
    "statement",
    [
        "import tfdeconv; dir(tfdeconv); tfdeconv.boxes, tfdeconv.labels, tfdeconv.images",
        "import tfdeconv.cli.main as cli; cli._parser()",
    ],
)
def test_looking_at_the_package_loads_nothing_heavy(statement: str) -> None:
    process = run_python("-c", f"{statement}; {LOADED}")
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == "[]"


def test_proposals_never_load_tensorflow() -> None:
    process = run_python("-c", f"import tfdeconv; tfdeconv.propose; {LOADED}")
    assert process.returncode == 0, process.stderr
    assert set(ast.literal_eval(process.stdout)) <= {"cv2", "PIL"}
