"""What a network computes in, and what this machine computes fastest."""

import re
from pathlib import Path

import tensorflow as tf

from tfdeconv.inference.checks import require_choice

PRECISIONS = ("float32", "bfloat16", "float16")
AUTO = "auto"

# As Linux names what multiplies bfloat16: AVX512-BF16, AMX, and that of ARM.
_CPU_FLAGS = r"\b(avx512_bf16|amx_bf16|bf16)\b"
_LEAST_CAPABILITY = (8, 0)


def chosen_precision(precision: str) -> str:
    """Returns a precision with `"auto"` resolved for this machine.

    Args:
        precision: `"float32"`, `"bfloat16"`, `"float16"`, or `"auto"`: bfloat16 where the processor
            (or the first GPU, when TensorFlow sees one) has instructions that multiply it, float32
            elsewhere. On two cores with AVX512-BF16 bfloat16 takes 0.55 to 0.6 of the time
            (`tests/benchmarks/README.md`, which also has its effect on labels).

    Raises:
        ValueError: when it is none of them.

    Example:

    >>> chosen_precision("float32"), chosen_precision("auto") in PRECISIONS
    ('float32', True)
    """
    require_choice("precision", precision, (*PRECISIONS, AUTO))
    if precision != AUTO:
        return precision
    return "bfloat16" if _multiplies_bfloat16() else "float32"


def _multiplies_bfloat16() -> bool:
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return details.get("compute_capability", (0, 0)) >= _LEAST_CAPABILITY
    try:
        return re.search(_CPU_FLAGS, Path("/proc/cpuinfo").read_text()) is not None
    except OSError:
        return False
