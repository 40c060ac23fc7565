"""The wire format of protocol buffers, as far as a weights file needs it, read from disk piecewise.

A message is a sequence of fields: a key, which is `number << 3 | wire type`, and a value. Nothing
but keys, lengths and small numbers is read here; what lies between is skipped by seeking, so that a
file costs what its structure costs, not what its data does.

Reference:
    https://protobuf.dev/programming-guides/encoding
"""

import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
# A network of a thousand layers has half as many.
_MOST_FIELDS = 50_000
_RUN_BYTES = 2**20


class Malformed(Exception):
    """The bytes are no message; the text says why, to be put into a sentence."""


class Field(NamedTuple):
    """One field of a message, or a run of equal fixed-width ones.

    Attributes:
        number: The field number.
        kind: The wire type.
        value: Of a VARINT, as a signed 64-bit integer. Of a run, the bytes of the key that stands
            in front of every number.
        start: Where in the file the payload of a LENGTH field begins, or the first key of a run.
        stop: Where it ends.
    """

    number: int
    kind: int
    value: int
    start: int
    stop: int


class WireReader:
    """Reads the fields of messages that lie in a file.

    Args:
        file: An open binary file that can seek.

    Example:

    >>> import io
    >>> reader = WireReader(io.BytesIO(bytes([8, 150, 1, 18, 2, 104, 105])))
    >>> [(field.number, field.value) for field in reader.fields(0, reader.size)]
    [(1, 150), (2, 0)]
    >>> reader.text(Field(2, LENGTH, 0, 5, 7))
    'hi'
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        self._fields = 0

    def fields(self, start: int, stop: int) -> Iterator[Field]:
        """Yields the fields between `start` and `stop`; those of fixed width run by run.

        Raises:
            Malformed: when the bytes are no fields, or so many that the file is no weights file.
        """
        while start < stop:
            self._count()
            key, begin = self._varint(start, stop)
            number, kind = key >> 3, key & 7
            if kind not in (VARINT, FIXED64, LENGTH, FIXED32) or not 0 < number < 2**29:
                raise Malformed(f"a field with the key {key}, which no message has")
            if kind == VARINT:
                value, end = self._varint(begin, stop)
                yield Field(number, kind, _signed(value), begin, end)
            elif kind == LENGTH:
                length, begin = self._varint(begin, stop)
                end = begin + length
                if end > stop:
                    raise Malformed(f"a field of {length} bytes where {stop - begin} are left")
                yield Field(number, kind, 0, begin, end)
            else:
                end = self._end_of_run(start, begin, stop, 4 if kind == FIXED32 else 8)
                yield Field(number, kind, begin - start, start, end)
            start = end

    def text(self, field: Field) -> str:
        """Returns the payload of a short LENGTH field as text."""
        if field.kind != LENGTH or field.stop - field.start > 1024:
            raise Malformed("something else where a name should be")
        return self._read(field.start, field.stop - field.start).decode("utf-8", "replace")

    def numbers(self, field: Field, most: int) -> list[int]:
        """Returns the integers of a repeated field, packed or one by one; at most `most`."""
        if field.kind == VARINT:
            return [field.value]
        if field.kind != LENGTH:
            raise Malformed("something else where a list of integers should be")
        values, start = [], field.start
        while start < field.stop:
            value, start = self._varint(start, field.stop)
            values.append(_signed(value))
            if len(values) > most:
                raise Malformed(f"a list of more than {most} integers where a shape should be")
        return values

    def _count(self) -> None:
        self._fields += 1
        if self._fields > _MOST_FIELDS:
            raise Malformed(f"more than {_MOST_FIELDS} fields")

    def _read(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        return self._file.read(count)

    def _varint(self, start: int, stop: int) -> tuple[int, int]:
        value = 0
        for place, byte in enumerate(self._read(start, min(_LONGEST_VARINT, stop - start))):
            value |= (byte & 127) << 7 * place
            if byte < 128:
                return value, start + place + 1
        raise Malformed(f"a number without an end at byte {start}")

    def _end_of_run(self, start: int, begin: int, stop: int, width: int) -> int:
        # Floats that are not packed have a key each: a quarter of a thousand million of them.
        key = np.frombuffer(self._read(start, begin - start), np.uint8)
        step = len(key) + width
        end, ahead = start + step, 1
        if end > stop:
            raise Malformed(f"a number of {width} bytes where {stop - begin} are left")
        # Twice as far every time: a thousand short runs must not read a thousand megabytes.
        while count := min(ahead, (stop - end) // step):
            chunk = self._read(end, count * step)
            rows = np.frombuffer(chunk[: len(chunk) // step * step], np.uint8).reshape(-1, step)
            other = np.flatnonzero((rows[:, : len(key)] != key).any(axis=1))
            end += (int(other[0]) if len(other) else len(rows)) * step
            if len(other) or len(rows) < count:
                break
            ahead = min(2 * ahead, _RUN_BYTES // step)
        return end


def _signed(value: int) -> int:
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value
