"""The wire format of protocol buffers, as far as messages of model servers need it.

A message is a row of (field number, value), see https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_LONGEST_VARINT = 10
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yields (field number, value) of a message: numbers as int, everything else as bytes.

    Raises:
        ValueError: when the bytes are no message.
    """
    at = 0
    while at < len(message):
        key, at = read_varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = read_varint(message, at)
            yield number, value
            continue
        if kind == _LENGTH:
            size, at = read_varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"A field must have a known kind. Received: key {key} at byte {at}")
        if size > len(message) - at:
            raise ValueError(f"A field of {size} bytes where {len(message) - at} are left")
        yield number, message[at : at + size]
        at += size


def entries(message: bytes, field: int) -> Iterator[tuple[str, bytes]]:
    """Yields (key, value) of a map from text to messages, which is the field `field`."""
    for number, entry in fields(message):
        if number == field:
            pair = dict(fields(entry))
            yield bytes(pair.get(1, b"")).decode(), pair.get(2, b"")


def read_varint(message: bytes, at: int) -> tuple[int, int]:
    """Returns the number that begins at byte `at`, and where it ends.

    Raises:
        ValueError: when it has no end.
    """
    value = 0
    for place, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise ValueError(f"A number without an end at byte {at}")


def signed(value: int) -> int:
    """Returns a number of `fields` as a signed one of 64 bits."""
    return value - 2**64 if value >= 2**63 else value


def varint(value: int) -> bytes:
    """Encodes a number; negative ones as 64 bits."""
    value &= 2**64 - 1
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def number_field(number: int, value: int) -> bytes:
    """Encodes a field that is a number."""
    return varint(number << 3 | _VARINT) + varint(value)


def bytes_field(number: int, value: bytes) -> bytes:
    """Encodes a field that is text, bytes or a message.

    Example:

    >>> list(fields(number_field(1, 300) + bytes_field(2, b"ab")))
    [(1, 300), (2, b'ab')]
    """
    return varint(number << 3 | _LENGTH) + varint(len(value)) + value


def map_field(number: int, values: Mapping[str, bytes]) -> bytes:
    """Encodes a field that is a map from text to messages."""
    pairs = (bytes_field(1, key.encode()) + bytes_field(2, value) for key, value in values.items())
    return b"".join(bytes_field(number, pair) for pair in pairs)
