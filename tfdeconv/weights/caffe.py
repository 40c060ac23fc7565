"""Reading of `.caffemodel` files, without Caffe, in the memory of one array.

A .caffemodel is a binary `NetParameter` of `caffe.proto`. Both of its layouts are read: `layers`
(field 2, blobs of four sides) of the files of 2014 and 2015, and `layer` (field 100, blobs with a
shape). Types of layers are ignored: the release of DeconvNet numbers them differently from Caffe. A
layer is its name and its blobs. The protobuf library would hold a gigabyte of numbers twice; here
the structure is read by seeking, and the numbers blob by blob.

Reference:
    https://protobuf.dev/programming-guides/encoding; `src/caffe/proto/caffe.proto` of Caffe.
"""

import codecs
import math
import os
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from tfdeconv.errors import UserError

# Field numbers of caffe.proto. NetParameter: field of a layer -> fields of its name and blobs.
_LAYERS = {2: (4, 6), 100: (1, 7)}
# BlobProto.
_SIDES, _DATA, _SHAPE, _DOUBLE_DATA = (1, 2, 3, 4), 5, 7, 8
_SHAPE_DIM = 1
_MOST_SIDES = 32  # Caffe's kMaxBlobAxes.
# Wire types of protocol buffers.
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
# A network of a thousand layers has half as many.
_MOST_FIELDS = 50_000
_RUN_BYTES = 2**20
_CHUNK_NUMBERS = 2**20


@dataclass(frozen=True)
class Blob:
    """An array in a file: its shape and position. Nothing is read before `read`.

    Attributes:
        path: The file.
        layer: Name of the layer that it belongs to.
        shape: As the file has it.
        dtype: `"<f4"` or `"<f8"`.
        pieces: Positions of the numbers: first byte, number of elements, bytes of the key in front
            of each (0 where they are packed).
    """

    path: Path
    layer: str
    shape: tuple[int, ...]
    dtype: str
    pieces: tuple[tuple[int, int, int], ...]

    def read(
        self, shape: tuple[int, ...] | None = None, axes: tuple[int, ...] | None = None
    ) -> np.ndarray:
        """Returns the array, with no other copy of it in memory.

        Args:
            shape: Another shape for the same numbers, in the order of the file.
            axes: Another order of the axes of `shape`, as `np.transpose` takes it.

        Returns:
            Contiguous float32 array.

        Raises:
            UserError: when the file has changed since, or holds numbers that are not finite.
        """
        shape = self.shape if shape is None else shape
        axes = tuple(range(len(shape))) if axes is None else axes
        result = np.empty([shape[axis] for axis in axes], np.float32)
        target = result.transpose(np.argsort(axes)) if axes else result.reshape(1)
        row = math.prod(target.shape[1:])
        done = 0
        for chunk in self._chunks(row * max(1, _CHUNK_NUMBERS // max(row, 1))):
            rows = chunk.reshape(-1, *target.shape[1:])
            target[done : done + len(rows)] = rows
            done += len(rows)
        return result

    def _chunks(self, size: int) -> Iterator[np.ndarray]:
        # The same array every time: its numbers must be taken before the next ones come.
        chunk, filled = np.empty(min(size, math.prod(self.shape)), np.float32), 0
        with open(self.path, "rb") as file:
            for start, left, key in self.pieces:
                file.seek(start)
                while left:
                    count = min(left, len(chunk) - filled)
                    chunk[filled : filled + count] = self._numbers(file, count, key)
                    filled, left = filled + count, left - count
                    if filled == len(chunk):
                        yield chunk
                        filled = 0
        if filled:
            yield chunk[:filled]

    def _numbers(self, file: BinaryIO, count: int, key: int) -> np.ndarray:
        step = key + np.dtype(self.dtype).itemsize
        found = file.read(count * step)
        if len(found) < count * step:
            raise _refused(self.path, f"an end in the middle of layer {self.layer!r}")
        rows = np.frombuffer(found, np.uint8).reshape(-1, step)[:, key:]
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(rows).view(self.dtype)[:, 0].astype(np.float32)
        if not np.isfinite(values).all():
            raise _refused(self.path, f"numbers that are not finite in layer {self.layer!r}")
        return values


def read_caffemodel(path: str | os.PathLike[str]) -> Mapping[str, tuple[Blob, ...]]:
    """Finds the layers with weights in a .caffemodel file.

    Only the structure of the file is read. The numbers follow blob by blob with `Blob.read`, which
    allocates no more than the file holds.

    Args:
        path: The file, as Caffe writes it.

    Returns:
        The blobs of every layer that has some, in the order of the file.

    Raises:
        UserError: when the file is missing, of another kind, truncated or damaged.

    Example:

    ```python
    blobs = read_caffemodel("DeconvNet_trainval_inference.caffemodel")
    kernel = blobs["fc6"][0].read()  # (4096, 512, 7, 7)
    ```
    """
    file_path = Path(path)
    if not file_path.is_file():
        raise UserError(
            f"`{path}` must be a .caffemodel file. Received: no such file. Check the path."
        )
    layers: dict[str, tuple[Blob, ...]] = {}
    with open(file_path, "rb") as file:
        reader = _WireReader(file)
        try:
            for field in reader.fields(0, reader.size):
                if field.number in _LAYERS and field.kind == _LENGTH:
                    name, blobs = _layer(reader, file_path, field)
                    if blobs and name in layers:
                        raise _Malformed(f"two layers {name!r} with weights")
                    if blobs:
                        layers[name] = blobs
            if not layers:
                raise _Malformed("no layer with weights")
        except _Malformed as error:
            file.seek(0)
            raise _refused(file_path, _kind(file.read(512)) or str(error)) from error
    return layers


class _Malformed(Exception):
    """The bytes are not a message; the text says why, as part of a sentence."""


class _Field(NamedTuple):
    """One field of a message, or a run of equal fixed-width ones.

    Attributes:
        number: The field number.
        kind: The wire type.
        value: Of a varint, as a signed 64-bit integer. Of a run, the bytes of the key in front of
            every number.
        start: First byte of the payload of a length-delimited field, or of the first key of a run.
        stop: Its end.
    """

    number: int
    kind: int
    value: int
    start: int
    stop: int


class _WireReader:
    """Reads the fields of messages in an open file: keys, lengths and small numbers alone."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        self._fields = 0

    def fields(self, start: int, stop: int) -> Iterator[_Field]:
        """Yields the fields between `start` and `stop`; those of fixed width run by run."""
        while start < stop:
            self._fields += 1
            if self._fields > _MOST_FIELDS:
                raise _Malformed(f"more than {_MOST_FIELDS} fields")
            key, begin = self._varint(start, stop)
            number, kind = key >> 3, key & 7
            if kind not in (_VARINT, _FIXED64, _LENGTH, _FIXED32) or not 0 < number < 2**29:
                raise _Malformed(f"a field with the key {key}, which no message has")
            if kind == _VARINT:
                value, end = self._varint(begin, stop)
                yield _Field(number, kind, _signed(value), begin, end)
            elif kind == _LENGTH:
                length, begin = self._varint(begin, stop)
                end = begin + length
                if end > stop:
                    raise _Malformed(f"a field of {length} bytes where {stop - begin} are left")
                yield _Field(number, kind, 0, begin, end)
            else:
                end = self._end_of_run(start, begin, stop, 4 if kind == _FIXED32 else 8)
                yield _Field(number, kind, begin - start, start, end)
            start = end

    def text(self, field: _Field) -> str:
        """Returns the payload of a short field as text."""
        if field.kind != _LENGTH or field.stop - field.start > 1024:
            raise _Malformed("something else where a name should be")
        return self._read(field.start, field.stop - field.start).decode("utf-8", "replace")

    def sides(self, field: _Field) -> list[int]:
        """Returns the integers of a repeated field, packed or one by one."""
        if field.kind == _VARINT:
            return [field.value]
        if field.kind != _LENGTH:
            raise _Malformed("something else where a list of integers should be")
        values, start = [], field.start
        while start < field.stop:
            value, start = self._varint(start, field.stop)
            values.append(_signed(value))
            if len(values) > _MOST_SIDES:
                raise _Malformed(
                    f"a list of more than {_MOST_SIDES} integers where a shape should be"
                )
        return values

    def _read(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        return self._file.read(count)

    def _varint(self, start: int, stop: int) -> tuple[int, int]:
        value = 0
        for place, byte in enumerate(self._read(start, min(_LONGEST_VARINT, stop - start))):
            value |= (byte & 127) << 7 * place
            if byte < 128:
                return value, start + place + 1
        raise _Malformed(f"a number without an end at byte {start}")

    def _end_of_run(self, start: int, begin: int, stop: int, width: int) -> int:
        # Floats that are not packed have a key each: up to 250 million of them.
        key = np.frombuffer(self._read(start, begin - start), np.uint8)
        step = len(key) + width
        end, count = start + step, 1
        if end > stop:
            raise _Malformed(f"a number of {width} bytes where {stop - begin} are left")
        # Twice as many every time: a thousand short runs must not read a thousand megabytes.
        while wanted := min(count, (stop - end) // step):
            chunk = self._read(end, wanted * step)
            rows = np.frombuffer(chunk[: len(chunk) // step * step], np.uint8).reshape(-1, step)
            other = np.flatnonzero((rows[:, : len(key)] != key).any(axis=1))
            end += (int(other[0]) if len(other) else len(rows)) * step
            if len(other) or len(rows) < wanted:
                break
            count = min(2 * count, _RUN_BYTES // step)
        return end


def _signed(value: int) -> int:
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def _layer(reader: _WireReader, path: Path, layer: _Field) -> tuple[str, tuple[Blob, ...]]:
    name_field, blobs_field = _LAYERS[layer.number]
    name, found = "", []
    for field in reader.fields(layer.start, layer.stop):
        if field.number == name_field:
            name = reader.text(field)
        elif field.number == blobs_field:
            found.append(field)
    return name, tuple(_blob(reader, path, name, field) for field in found)


def _blob(reader: _WireReader, path: Path, layer: str, blob: _Field) -> Blob:
    sides: dict[int, int] = {}
    shape: list[int] = []
    pieces: dict[int, list[tuple[int, int, int]]] = {_DATA: [], _DOUBLE_DATA: []}
    if blob.kind != _LENGTH:
        raise _Malformed(f"something else where a blob of layer {layer!r} should be")
    for field in reader.fields(blob.start, blob.stop):
        if field.number in _SIDES and field.kind == _VARINT:
            sides[field.number] = field.value
        elif field.number == _SHAPE and field.kind == _LENGTH:
            for inner in reader.fields(field.start, field.stop):
                if inner.number == _SHAPE_DIM:
                    shape += reader.sides(inner)
        elif field.number in pieces:
            pieces[field.number].append(_piece(field, layer))
    # As Caffe does: the old sides count when there are some, and doubles when there are some.
    final = tuple(sides.get(number, 0) for number in _SIDES) if sides else tuple(shape)
    number = _DOUBLE_DATA if pieces[_DOUBLE_DATA] else _DATA
    count = sum(piece[1] for piece in pieces[number])
    if min(final, default=0) < 0 or len(final) > _MOST_SIDES or math.prod(final) != count:
        many = len(final) > _MOST_SIDES
        shape_text = f"a shape of {len(final)} sides" if many else f"the shape {final}"
        raise _Malformed(f"a blob of layer {layer!r} with {count} numbers for {shape_text}")
    return Blob(path, layer, final, "<f8" if number == _DOUBLE_DATA else "<f4", (*pieces[number],))


def _piece(field: _Field, layer: str) -> tuple[int, int, int]:
    width, alone = (4, _FIXED32) if field.number == _DATA else (8, _FIXED64)
    length = field.stop - field.start
    if field.kind == _LENGTH and length % width == 0:
        return field.start, length // width, 0
    if field.kind == alone:
        return field.start, length // (width + field.value), field.value
    raise _Malformed(f"data of layer {layer!r} that are no numbers of {width} bytes")


def _refused(path: Path, reason: str) -> UserError:
    return UserError(
        f"`{path}` must be a .caffemodel, the binary weights that Caffe writes. Received: "
        f"{reason}. Give the file that holds the weights, or download it again."
    )


def _kind(head: bytes) -> str | None:
    if not head:
        return "an empty file"
    if head.startswith((b"\x89HDF", b"PK\x03\x04", b"\x1f\x8b")):
        return "an HDF5 file or an archive"
    try:
        # Not to the end: the head may stop within a character.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None
    if any(unicodedata.category(one) == "Cc" and one not in "\t\r\n" for one in text):
        return None
    return f"text, such as a .prototxt or a web page ({text[:20]!r}...)"
