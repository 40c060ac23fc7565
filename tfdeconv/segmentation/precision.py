"""What a network computes in, and what this machine computes fastest."""

import tensorflow as tf

from tfdeconv import processor
from tfdeconv.segmentation.checks import require_choice

PRECISIONS = ("float32", "bfloat16", "float16")
AUTO = "auto"

_LEAST_CAPABILITY = (8, 0)


def chosen_precision(precision: str) -> str:
    """Returns a precision with `"auto"` resolved for this machine.

    Args:
        precision: `"float32"`, `"bfloat16"`, `"float16"`, or `"auto"`: bfloat16 where the processor
            (or the first GPU, when TensorFlow sees one) has instructions that multiply it, float32
            elsewhere. On two cores with AVX512-BF16 bfloat16 takes 0.55 to 0.6 of the time, on two
            with AVX2 alone BF16RATIO times (`tests/benchmarks/README.md`, which also has its effect
            on labels).

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
    return processor.multiplies_bfloat16()
