"""Which tensor an argmax came from: the proof that a faster formulation of unpooling is right.

Tensors do not change, and functional models hand the very same objects from layer to layer: an
object that left our pooling still is the argmax of what was pooled. A copy, a cast, an edited
argmax, or one that crossed into another traced function, is another object without a companion.
"""

import weakref
from typing import Any, NamedTuple

Tensor = Any


class Companion(NamedTuple):
    """The pooling that an argmax came from; `height` and `width` are those of the source."""

    argmax: weakref.ref
    version: int | None
    source: weakref.ref
    pool_size: tuple[int, int]
    padding: str
    height: int | None
    width: int | None


# By identity, since tensors have no hash. Weak on both sides: an entry must not keep alive the
# graph, and with it the argmax, whose end removes the entry.
_companions: dict[int, Companion] = {}


def remember(argmax: Tensor, source: Tensor, pool_size: tuple[int, int], padding: str) -> None:
    """Notes that `argmax` is the argmax of pooling `source`."""
    key = id(argmax)
    reference = weakref.ref(argmax, lambda _: _companions.pop(key, None))
    height, width = source.shape[1:3]
    _companions[key] = Companion(
        reference, _version(argmax), weakref.ref(source), pool_size, padding, height, width
    )


def find(argmax: Tensor) -> Companion | None:
    """Returns the pooling that `argmax` came from, None where it is not known."""
    companion = _companions.get(id(argmax))
    if companion is None or companion.argmax() is not argmax:
        return None
    return companion if companion.version == _version(argmax) else None


def _version(tensor: Tensor) -> int | None:
    # PyTorch alone changes tensors in place, and counts the changes here.
    return getattr(tensor, "_version", None)
