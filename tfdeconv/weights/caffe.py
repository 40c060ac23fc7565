"""Reading of `.caffemodel` files, without Caffe and without protocol buffers.

A .caffemodel is a binary `NetParameter` of `caffe.proto`. Both of its layouts are read: `layers`
(field 2, blobs of four sides) of the files of 2014 and 2015, and `layer` (field 100, blobs with a
shape). What a layer is, is not looked at: the release of DeconvNet numbers its types otherwise
than Caffe does. A layer is its name and its blobs.
"""

import codecs
import math
import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from tfdeconv.errors import UserError
from tfdeconv.weights.blob import Blob, refused
from tfdeconv.weights.wire import FIXED32, FIXED64, LENGTH, VARINT, Field, Malformed, WireReader

# Field numbers of caffe.proto. NetParameter: field of a layer -> fields of its name and blobs.
_LAYERS = {2: (4, 6), 100: (1, 7)}
# BlobProto.
_SIDES, _DATA, _SHAPE, _DOUBLE_DATA = (1, 2, 3, 4), 5, 7, 8
_SHAPE_DIM = 1
_MOST_SIDES = 32  # Caffe's kMaxBlobAxes.


def read_caffemodel(path: str | os.PathLike[str]) -> Mapping[str, tuple[Blob, ...]]:
    """Finds the layers with weights in a .caffemodel file.

    Only the structure of the file is read, whatever its size; the numbers follow blob by blob
    with `Blob.read`, which allocates no more than the file really holds.

    Args:
        path: The file, as Caffe writes it.

    Returns:
        The blobs of every layer that has some, in the order of the file.

    Raises:
        UserError: when the file is missing, of another kind, cut short or damaged.

    Example:

    ```python
    blobs = read_caffemodel("DeconvNet_trainval_inference.caffemodel")
    kernel = blobs["fc6"][0].read()  # (4096, 512, 7, 7)
    ```

    Reference:
        `src/caffe/proto/caffe.proto` of Caffe; section 4 of the paper for the networks.
    """
    file_path = Path(path)
    if not file_path.is_file():
        raise UserError(
            f"`{path}` must be a .caffemodel file. Received: no file of that name. Check it."
        )
    layers: dict[str, tuple[Blob, ...]] = {}
    with open(file_path, "rb") as file:
        reader = WireReader(file)
        try:
            for field in reader.fields(0, reader.size):
                if field.number in _LAYERS and field.kind == LENGTH:
                    name, blobs = _layer(reader, file_path, field)
                    if blobs and name in layers:
                        raise Malformed(f"two layers {name!r} with weights")
                    if blobs:
                        layers[name] = blobs
            if not layers:
                raise Malformed("no layer with weights")
        except Malformed as error:
            file.seek(0)
            raise refused(file_path, _kind(file.read(512)) or str(error)) from error
    return layers


def _layer(reader: WireReader, path: Path, layer: Field) -> tuple[str, tuple[Blob, ...]]:
    name_field, blobs_field = _LAYERS[layer.number]
    name, found = "", []
    for field in reader.fields(layer.start, layer.stop):
        if field.number == name_field:
            name = reader.text(field)
        elif field.number == blobs_field:
            found.append(field)
    return name, tuple(_blob(reader, path, name, field) for field in found)


def _blob(reader: WireReader, path: Path, layer: str, blob: Field) -> Blob:
    sides: dict[int, int] = {}
    shape: list[int] = []
    pieces: dict[int, list[tuple[int, int, int]]] = {_DATA: [], _DOUBLE_DATA: []}
    if blob.kind != LENGTH:
        raise Malformed(f"something else where a blob of layer {layer!r} should be")
    for field in reader.fields(blob.start, blob.stop):
        if field.number in _SIDES and field.kind == VARINT:
            sides[field.number] = field.value
        elif field.number == _SHAPE and field.kind == LENGTH:
            for inner in reader.fields(field.start, field.stop):
                if inner.number == _SHAPE_DIM:
                    shape += reader.numbers(inner, _MOST_SIDES)
        elif field.number in pieces:
            pieces[field.number].append(_piece(field, layer))
    # As Caffe does: the old sides count when there are some, and doubles when there are some.
    final = tuple(sides.get(number, 0) for number in _SIDES) if sides else tuple(shape)
    number = _DOUBLE_DATA if pieces[_DOUBLE_DATA] else _DATA
    count = sum(piece[1] for piece in pieces[number])
    if min(final, default=0) < 0 or len(final) > _MOST_SIDES or math.prod(final) != count:
        many = len(final) > _MOST_SIDES
        shape_told = f"a shape of {len(final)} sides" if many else f"the shape {final}"
        raise Malformed(f"a blob of layer {layer!r} with {count} numbers for {shape_told}")
    return Blob(path, layer, final, "<f8" if number == _DOUBLE_DATA else "<f4", (*pieces[number],))


def _piece(field: Field, layer: str) -> tuple[int, int, int]:
    width, alone = (4, FIXED32) if field.number == _DATA else (8, FIXED64)
    length = field.stop - field.start
    if field.kind == LENGTH and length % width == 0:
        return field.start, length // width, 0
    if field.kind == alone:
        return field.start, length // (width + field.value), field.value
    raise Malformed(f"data of layer {layer!r} that are no numbers of {width} bytes")


def _kind(head: bytes) -> str | None:
    if not head:
        return "an empty file"
    text = _text(head)
    if text is not None:
        return f"text, such as a .prototxt or a web page ({text[:20]!r}...)"
    if head.startswith((b"\x89HDF", b"PK\x03\x04", b"\x1f\x8b")):
        return "an HDF5 file or an archive"
    return None


def _text(head: bytes) -> str | None:
    try:
        # Not to the end: the head may stop within a character.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None
    control = any(unicodedata.category(one) == "Cc" and one not in "\t\r\n" for one in text)
    return None if control else text
