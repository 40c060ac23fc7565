"""Whole numbers on the command line, in their range or told in one sentence."""

import argparse
from collections.abc import Callable


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Returns the `type` of an argument that is a whole number.

    Args:
        least: The smallest one allowed.
        most: The largest one allowed; None for any.

    Example:

    >>> whole(2, 255)("21")
    21
    """

    def number(text: str) -> int:
        value = int(text)
        if value < least or (most is not None and value > most):
            span = f"at least {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"must be {span}, not {text}")
        return value

    # What argparse calls a word that is no number at all.
    number.__name__ = "whole number"
    return number
