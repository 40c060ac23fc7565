"""The writer of `.caffemodel` files that the reader is held against: caffe.proto, spelled out.

`NetParameter`: name = 1, layers = 2 (old), layer = 100. Old layer: name = 4, type = 5, blobs = 6;
new layer: name = 1, type = 2 (a string), blobs = 7. `BlobProto`: num, channels, height, width =
1, 2, 3, 4, data = 5, shape = 7 (dim = 1), double_data = 8.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

Layers = Iterable[tuple[str, list[np.ndarray]]]

# Fields that no reader of weights knows: a number, eight bytes, a message in a message, four bytes.
UNKNOWN = b"\xf8\x05\x07" + b"\xf1\x05ABCDEFGH" + b"\xfa\x05\x04\x0a\x02hi" + b"\xfd\x05WXYZ"


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers as 64 bits."""
    value &= 2**64 - 1
    result = b""
    while value >= 128:
        result += bytes([value & 127 | 128])
        value >>= 7
    return result + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, *pieces: bytes) -> list[bytes]:
    """A field that holds bytes: a text, a message or packed numbers."""
    return [varint(field << 3 | 2) + varint(sum(map(len, pieces))), *pieces]


def blob(array: np.ndarray, layout: str, packed: bool = True) -> list[bytes]:
    """A BlobProto; the old layout has four sides, filled up with ones in front."""
    double = array.dtype == np.float64
    field, kind, dtype = (8, 1, "<f8") if double else (5, 5, "<f4")
    values = np.ascontiguousarray(array, dtype)
    if layout == "old":
        sides = (1,) * (4 - array.ndim) + array.shape
        head = [number(place, side) for place, side in enumerate(sides, start=1)]
    else:
        dims = b"".join(varint(side) for side in array.shape)
        head = message(7, *message(1, dims))
    if packed:
        return [*head, *message(field, values.tobytes())]
    key = varint(field << 3 | kind)
    return [*head, b"".join(key + value.tobytes() for value in values.ravel())]


def layer(
    name: str, blobs: list[np.ndarray], layout: str, packed: bool = True, noise: bytes = b""
) -> list[bytes]:
    if layout == "old":
        name_field, blobs_field, kind = 4, 6, number(5, 43)
    else:
        name_field, blobs_field, kind = 1, 7, b"".join(message(2, b"Whatever"))
    pieces = [*message(name_field, name.encode()), kind, noise]
    for array in blobs:
        pieces += message(blobs_field, *blob(array, layout, packed), noise)
    return message(2 if layout == "old" else 100, *pieces)


def pieces(
    layers: Layers, layout: str = "old", packed: bool = True, unknown: bool = False
) -> Iterator[bytes]:
    """A NetParameter, piece by piece.

    Args:
        layers: Name and blobs of each; float64 blobs are written as `double_data`.
        layout: "old" or "new".
        packed: Whether all numbers of a blob share one key.
        unknown: Adds layers without weights, among them two of one name, and unknown fields.
    """
    noise = UNKNOWN if unknown else b""
    yield from message(1, b"A network")
    if unknown:
        yield from layer("data", [], layout, noise=noise) * 2
    for name, blobs in layers:
        yield from layer(name, blobs, layout, packed, noise)
    if unknown:
        yield noise
        yield from layer("loss", [], layout)


def encode(layers: Layers, **options: object) -> bytes:
    return b"".join(pieces(layers, **options))


def write(file: BinaryIO, layers: Layers, **options: object) -> None:
    """Writes a NetParameter to a file, with no more than a layer in memory."""
    for piece in pieces(layers, **options):
        file.write(piece)
