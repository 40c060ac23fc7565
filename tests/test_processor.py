"""What tfdeconv makes of a processor's flags, and that it leaves a user's setting alone."""

import sys

import pytest

from tests.helpers import run_python
from tfdeconv import processor

AVX2 = "model name : A\nflags\t\t: fpu fma avx2 avx512f\nbugs : spectre"
AVX512 = "flags\t\t: fpu avx2 avx512f avx512_vnni avx512_bf16 vaes"
VNNI = "flags : avx2 avx512f avx512_vnni"
OLD = "flags : fpu sse4_2 avx"
ARM = "Features\t: fp asimd bf16 i8mm"

# What TensorFlow itself found when it was imported, beside what we expect of it.
STATE = """
import os
from tensorflow.python.util import _pywrap_util_port
from tfdeconv import processor
print(os.environ.get(processor.ONEDNN), _pywrap_util_port.IsMklEnabled(), processor.onednn_is_on())
"""
COMMAND = "import sys; from tfdeconv.cli import main; main._start_tensorflow()"


@pytest.fixture
def flags(tmp_path, monkeypatch):
    """Sets the text of the file that Linux describes the processor in; None removes it."""
    monkeypatch.delenv(processor.ONEDNN, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")

    def set_flags(text):
        if text is not None:
            (tmp_path / "cpuinfo").write_text(text)

    return set_flags


@pytest.mark.parametrize(
    ("text", "setting", "on", "multiplies"),
    [
        (AVX2, None, False, False),
        (AVX2, "1", True, False),
        (VNNI, None, True, False),
        (AVX512, None, True, True),
        (AVX512, "0", False, False),
        (AVX512, "FALSE", False, False),
        (AVX512, "neither", True, True),
        ("flags : amx_bf16 amx_tile", None, True, True),
        ("flags : notbf16x avx2", None, False, False),
        (ARM, None, False, True),
        ("nothing", None, False, False),
        (None, None, False, False),
    ],
)
def test_what_the_flags_mean(flags, monkeypatch, text, setting, on, multiplies):
    flags(text)
    if setting is not None:
        monkeypatch.setenv(processor.ONEDNN, setting)
    assert processor.onednn_is_on() is on
    assert processor.multiplies_bfloat16() is multiplies


@pytest.mark.parametrize(
    ("text", "setting", "imported", "then"),
    [
        (AVX2, None, False, "1"),
        (AVX2, "0", False, "0"),
        (AVX2, None, True, None),
        (AVX512, None, False, None),
        (OLD, None, False, None),
        (ARM, None, False, None),
        (None, None, False, None),
    ],
)
def test_onednn_is_switched_on_where_it_is_faster(
    flags, monkeypatch, text, setting, imported, then
):
    flags(text)
    if setting is not None:
        monkeypatch.setenv(processor.ONEDNN, setting)
    else:
        # So that what is set below is removed again.
        monkeypatch.setenv(processor.ONEDNN, "")
        monkeypatch.delenv(processor.ONEDNN)
    if not imported:
        monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    processor.prefer_onednn()
    assert processor.os.environ.get(processor.ONEDNN) == then


def test_hints_about_slow_training(flags, monkeypatch):
    flags(AVX2)
    assert "Set TF_ENABLE_ONEDNN_OPTS=1 before TensorFlow" in processor.slow_training(False)
    monkeypatch.setenv(processor.ONEDNN, "0")
    assert processor.slow_training(False) is None
    assert "no instructions for bfloat16" in processor.slow_training(True)
    monkeypatch.delenv(processor.ONEDNN)
    flags(AVX512)
    assert processor.slow_training(False) is None and processor.slow_training(True) is None


@pytest.mark.parametrize("setting", ["0", "1"])
def test_a_command_respects_the_user(setting):
    process = run_python("-c", COMMAND + STATE, **{processor.ONEDNN: setting})
    assert process.stdout.split() == [setting, str(setting == "1"), str(setting == "1")]


def test_a_command_and_tensorflow_agree(monkeypatch):
    monkeypatch.delenv(processor.ONEDNN, raising=False)
    _, enabled, expected = run_python("-c", COMMAND + STATE).stdout.split()
    assert enabled == expected
    if "avx2" in processor.instruction_sets():
        assert enabled == "True"


def test_tensorflow_by_itself_is_as_expected(monkeypatch):
    monkeypatch.delenv(processor.ONEDNN, raising=False)
    setting, enabled, expected = run_python("-c", STATE).stdout.split()
    assert setting == "None" and enabled == expected
