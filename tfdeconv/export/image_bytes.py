"""Image files in the graph: photographs in, upright RGB, and labels out as palette PNGs.

Limits on what a small file may cost a server in memory or time are checked before a decoder sees
it. Damaged files are left to the decoder, which refuses them in its own words.
"""

import struct
import zlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfdeconv.data.decode import PNG_SIGNATURE, decode_pixels, require, swap_colour_type
from tfdeconv.export.requests import refusal
from tfdeconv.labels import full_palette

_JPEG = b"\xff\xd8\xff"
# With the header first: libpng accepts unknown chunks before it, which could claim another size.
_PNG = PNG_SIGNATURE + b"\0\0\0\x0dIHDR"
# Of the signature and the header chunk.
_HEADER_END = 33
# Every scan of a progressive JPEG costs 10 ms at 33 megapixels, however few bytes it has.
_SCAN, MOST_SCANS = b"\xff\xda", 500
# libpng inflates every one of these chunks to up to 8 MB and keeps them until it is done.
_TEXTS, MOST_TEXTS = (b"zTXt", b"iTXt"), 32
# Photographs of hundreds of megabytes have fewer chunks; to walk over more would take seconds.
_MOST_PARTS = 2**16

_SOS, _APP1, _FILL = 0xDA, 0xE1, 0xFF
_EXIF_MARK, _ORIENTATION, _UPRIGHT = 42, 0x0112, 1
# Of a part of a file: where the next one begins, and where in it an EXIF block begins and ends.
Part = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


def decode_upright(data: tf.Tensor, index: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """Decodes a JPEG or PNG as `tfdeconv.images.decode_image` does: `(height, width, 3)`, upright.

    Raises:
        tf.errors.InvalidArgumentError: naming element `index` of `images_bytes` when it is no JPEG
            or PNG or has more than `max_pixels`; in the words of the decoder when it is damaged.

    Example:

    >>> from tfdeconv.images import encode_png
    >>> data = encode_png(tf.fill((2, 3, 3), tf.constant(7, tf.uint8)).numpy())
    >>> decode_upright(tf.constant(data), tf.constant(0), max_pixels=6).shape
    TensorShape([2, 3, 3])
    """
    # Many small steps, each of which a GPU would wait for.
    with tf.device("CPU:0"):
        is_png = tf.strings.substr(data, 0, len(_PNG)) == _PNG
        data = _require_kind(data, is_png, index)
        data = _require_size(data, is_png, index, max_pixels)
        data = _require_few_parts(data, is_png, index)
        return _turn_upright(decode_pixels(data), _orientation(data, is_png))


def _require_kind(data: tf.Tensor, is_png: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    is_jpeg = tf.strings.substr(data, 0, len(_JPEG)) == _JPEG
    size = tf.strings.as_string(tf.strings.length(data))
    must = ["be an encoded JPEG or PNG image. Received: ", size, " bytes of another kind."]
    return require(data, is_png | is_jpeg, [refusal("images_bytes", index, tf.strings.join(must))])


def _require_size(
    data: tf.Tensor, is_png: tf.Tensor, index: tf.Tensor, max_pixels: int
) -> tf.Tensor:
    def png_size() -> tuple[tf.Tensor, tf.Tensor]:
        head = _octets_at(_octets(tf.strings.substr(data, 0, 24)), tf.constant(16, tf.int64), 8)
        return _big_endian(head[4:]), _big_endian(head[:4])

    def jpeg_size() -> tuple[tf.Tensor, tf.Tensor]:
        # It reads the header as the decoder does, and allocates nothing for the pixels.
        size = tf.cast(tf.io.extract_jpeg_shape(data), tf.int64)
        return size[0], size[1]

    height, width = tf.cond(is_png, png_size, jpeg_size)
    pixels = height * width
    must = refusal("images_bytes", index, f"have 1 to {max_pixels} pixels. Received: height, width")
    return require(data, (pixels >= 1) & (pixels <= max_pixels), [must, height, width])


def _require_few_parts(data: tf.Tensor, is_png: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    def has_at_most(most: int, *marks: bytes) -> tf.Tensor:
        parts = [tf.size(tf.strings.split(data, mark, maxsplit=most + 1)) for mark in marks]
        return tf.add_n(parts) - len(parts) <= most

    few = tf.cond(
        is_png,
        lambda: has_at_most(MOST_TEXTS, *_TEXTS),
        lambda: has_at_most(MOST_SCANS, _SCAN),
    )
    must = f"have at most {MOST_SCANS} scans (JPEG) or {MOST_TEXTS} compressed texts (PNG)."
    return require(data, few, [refusal("images_bytes", index, f"{must} Received: more.")])


def _orientation(data: tf.Tensor, is_png: tf.Tensor) -> tf.Tensor:
    """Returns EXIF's orientation, 1 (upright) to 8; damaged blocks mean upright."""
    octets = _octets(data)
    start, end = tf.cond(
        is_png,
        lambda: _find_exif(octets, len(PNG_SIGNATURE), _png_chunk),
        lambda: _find_exif(octets, 2, _jpeg_segment),
    )
    return _read_orientation(octets[start:end])


def _find_exif(
    octets: tf.Tensor, first: int, read: Callable[[tf.Tensor, tf.Tensor], Part]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Walks over the parts of a file to the first EXIF block: where it begins and ends."""
    size, nothing = tf.size(octets, tf.int64), tf.constant(0, tf.int64)
    *_, start, end = tf.while_loop(
        lambda count, at, start, _: (count < _MOST_PARTS) & (at < size) & (start == 0),
        lambda count, at, *_: (count + 1, *read(octets, at)),
        (0, tf.constant(first, tf.int64), nothing, nothing),
        parallel_iterations=1,
    )
    return start, end


def _png_chunk(octets: tf.Tensor, at: tf.Tensor) -> Part:
    head = _octets_at(octets, at, 10)
    end = at + 8 + _big_endian(head[:4])
    # As libpng, which passes over blocks without a byte order.
    has_order = _is(head[8:], b"II") | _is(head[8:], b"MM")
    start = tf.where(_is(head[4:8], b"eXIf") & has_order, at + 8, 0)
    return tf.where(_is(head[4:8], b"IEND"), tf.size(octets, tf.int64), end + 4), start, end


def _jpeg_segment(octets: tf.Tensor, at: tf.Tensor) -> Part:
    head = _octets_at(octets, at, 10)
    marker, length = head[1], _big_endian(head[2:4])
    end = at + 2 + length
    start = tf.where((marker == _APP1) & _is(head[4:], b"Exif\0\0"), at + 10, 0)
    goes_on = (head[0] == _FILL) & (marker != _SOS) & (length >= 2)
    following = tf.where(goes_on, end, tf.size(octets, tf.int64))
    return tf.where((head[0] == _FILL) & (marker == _FILL), at + 1, following), start, end


def _read_orientation(tiff: tf.Tensor) -> tf.Tensor:
    """Returns the orientation of an EXIF block, `(n,)` uint8 from its byte order on; n may be 0.

    Example:

    >>> entry = b"\\0\\1" + b"\\1\\x12\\0\\3\\0\\0\\0\\1\\0\\6\\0\\0"
    >>> int(_read_orientation(tf.io.decode_raw(b"MM\\0*\\0\\0\\0\\x08" + entry, tf.uint8)))
    6
    """
    length = tf.size(tiff, tf.int64)
    # What lies behind the end is zero; where it matters, the end is checked.
    octets = tf.pad(tiff, [[0, 16]])
    # As OpenCV: what is not "II" is taken for "MM", and the number 42 must follow.
    little = _is(octets[:2], b"II")

    def number(at: tf.Tensor, count: int) -> tf.Tensor:
        parts = _octets_at(octets, at, count)
        return _big_endian(tf.where(little, parts[..., ::-1], parts))

    is_exif = number(tf.constant(2, tf.int64), 2) == _EXIF_MARK
    directory = number(tf.constant(4, tf.int64), 4)
    first = directory + 2
    entries = tf.where((length >= 8) & (first <= length), number(directory, 2), 0)
    # An entry that begins less than 10 bytes before the end is damaged, and so are those after it.
    entries = tf.clip_by_value((length - 10 - first) // 12 + 1, 0, entries)
    places = first + 12 * tf.range(entries)
    values = number(places + 8, 2)
    found = (number(places, 2) == _ORIENTATION) & (values >= 1) & (values <= 8)
    values = tf.boolean_mask(values, found & is_exif)
    return tf.cast(tf.concat([values, [_UPRIGHT]], axis=0)[0], tf.int32)


def _turn_upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    def turn() -> tf.Tensor:
        turned = tf.cond(orientation > 4, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
        for axis, mirrored in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
            steps = tf.where(tf.reduce_any(orientation == mirrored), -1, 1)
            turned = turned[:, ::steps] if axis else turned[::steps]
        return turned

    upright = tf.cond(orientation == _UPRIGHT, lambda: image, turn)
    return tf.ensure_shape(upright, (None, None, 3))


def _octets(data: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_raw(data, tf.uint8)


def _octets_at(octets: tf.Tensor, at: tf.Tensor, count: int) -> tf.Tensor:
    """Returns `count` bytes from each place on as int64; what is read behind the end is the end."""
    places = at[..., tf.newaxis] + tf.range(count, dtype=tf.int64)
    return tf.cast(tf.gather(octets, tf.minimum(places, tf.size(octets, tf.int64) - 1)), tf.int64)


def _big_endian(octets: tf.Tensor) -> tf.Tensor:
    count = octets.shape[-1]
    powers = [256**power for power in reversed(range(count))]
    return tf.reduce_sum(tf.cast(octets, tf.int64) * powers, axis=-1)


def _is(octets: tf.Tensor, expected: bytes) -> tf.Tensor:
    return tf.reduce_all(octets == [*expected])


def encode_label_png(labels: tf.Tensor, colours: np.ndarray | None = None) -> tf.Tensor:
    """Encodes labels as `tfdeconv.labels.encode_png` does, in the graph.

    TensorFlow writes gray PNGs. A palette PNG has the same pixels, another colour type in its
    header, and its colours behind the header.

    Example:

    >>> from tfdeconv.data.decode import decode_labels
    >>> labels = tf.constant([[0, 7], [255, 1]], tf.uint8)
    >>> decode_labels(encode_label_png(labels)).numpy().tolist()
    [[0, 7], [255, 1]]
    """
    chunk = b"PLTE" + full_palette(colours).tobytes()
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    gray = tf.io.encode_png(labels[..., tf.newaxis])
    pixels = tf.strings.substr(gray, _HEADER_END, tf.strings.length(gray) - _HEADER_END)
    header = swap_colour_type(tf.strings.substr(gray, 0, _HEADER_END))
    return tf.strings.join([header, chunk, pixels])
