"""The instruction sets of the processor, and whether TensorFlow uses its oneDNN kernels on it.

TensorFlow reads `TF_ENABLE_ONEDNN_OPTS` once, while it is imported. On x86 Linux it leaves oneDNN
off by default on processors without the instructions for neural networks, although oneDNN is the
faster choice there, too: training takes up to 1.75 times as long without it
(`tests/benchmarks/README.md`).
"""

import os
import re
import sys
from pathlib import Path

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"

_CPUINFO = Path("/proc/cpuinfo")
# As Linux names what multiplies bfloat16: AVX512-BF16, AMX, and the instructions of ARM.
_MULTIPLIES_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
# Where TensorFlow 2.21 switches oneDNN on by itself: `IsMKLEnabled` of `core/util/util.cc`.
_ONEDNN_BY_DEFAULT = frozenset(
    {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}
)


def instruction_sets() -> frozenset[str]:
    """Returns the flags of the processor as Linux names them; none on other systems.

    Example:

    >>> "avx1024" in instruction_sets()
    False
    """
    try:
        found = re.search(r"^(?:flags|Features)\s*: (.*)$", _CPUINFO.read_text(), re.MULTILINE)
    except OSError:
        return frozenset()
    return frozenset(found[1].split()) if found else frozenset()


def multiplies_bfloat16() -> bool:
    """Whether bfloat16 is multiplied by the processor itself, not by way of float32.

    On x86 only oneDNN's kernels use these instructions.
    """
    flags = instruction_sets()
    return bool(flags & _MULTIPLIES_BFLOAT16) and ("bf16" in flags or onednn_is_on())


def onednn_is_on() -> bool:
    """Whether TensorFlow, imported now, uses oneDNN: by the user's setting, or else its own."""
    setting = os.environ.get(ONEDNN, "").lower()
    if setting in ("0", "1", "false", "true"):
        return setting in ("1", "true")
    return bool(instruction_sets() & _ONEDNN_BY_DEFAULT) or sys.platform == "win32"


def prefer_onednn() -> None:
    """Switches oneDNN on where it is faster, unless the user has set `TF_ENABLE_ONEDNN_OPTS`.

    Does nothing once TensorFlow is imported: it would no longer have an effect here, and processes
    started from here would compute with other kernels than this one.
    """
    if ONEDNN not in os.environ and "tensorflow" not in sys.modules and _gains_by_onednn():
        os.environ[ONEDNN] = "1"


def slow_training(mixed_precision: bool) -> str | None:
    """Returns what makes a training on this processor slower than it need be, or None.

    Args:
        mixed_precision: Whether the training computes in half precision, on the processor.
    """
    if ONEDNN not in os.environ and _gains_by_onednn():
        return (
            "TensorFlow's oneDNN kernels are off, and training takes up to 1.75 times as long "
            "without "
            f"them on this processor. Set {ONEDNN}=1 before TensorFlow is imported "
            f"({ONEDNN}=0 keeps them off without this hint)."
        )
    if mixed_precision and not multiplies_bfloat16():
        return (
            "This processor has no instructions for bfloat16, which is computed by way of float32. "
            "Training is faster without mixed precision."
        )
    return None


def _gains_by_onednn() -> bool:
    return "avx2" in instruction_sets() and not onednn_is_on()
