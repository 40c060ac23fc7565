"""Every mistake that a request for an exported network can make."""

import zlib

import numpy as np

from tfdeconv import images
from tfdeconv.export.saved_model import Metadata

# A signature, its inputs, and what the refusal says: the element, or the decoder's words.
Wrong = tuple[str, dict[str, np.ndarray], str]

BOXES = np.array([[3, 4, 40, 30], [0, 0, 30, 9], [10, 2, 33, 40]], np.float32)


def texts(*values: bytes) -> np.ndarray:
    """Byte strings as an array of objects."""
    return np.array(values, object)


def wrong_requests(good: bytes, metadata: Metadata) -> list[Wrong]:
    """Every mistake that a request for a network can make; without boxes where it has none."""
    if metadata.input_size is None:
        return [*wrong_files(good), *wrong_crops(*metadata.crop_size(20, 24))]
    size = metadata.input_size
    return [
        *wrong_files(good),
        *wrong_boxes(good),
        *wrong_crops(size, size),
        *wrong_sizes(np.zeros((2, size, size + 1, 3), np.float32)),
    ]


def wrong_files(good: bytes) -> list[Wrong]:
    huge = bytearray(images.encode_png(np.zeros((1, 1, 3), np.uint8)))
    jpeg = images.encode_jpeg(np.zeros((9, 9, 3), np.uint8))
    codes, scan = jpeg.index(b"\xff\xc4"), jpeg.index(b"\xff\xda")
    end = jpeg[:-2] + b"\xff\x05" + jpeg[-2:]
    longer = jpeg[: codes + 5] + b"\xff" + jpeg[codes + 6 :]
    return [
        ("segment_bytes", {"images_bytes": texts(good, b"GIF89a\1\0\1\0")}, "`images_bytes[1]"),
        ("segment_bytes", {"images_bytes": texts(b"")}, "`images_bytes[0]"),
        ("segment_bytes", {"images_bytes": texts(b"hello")}, "`images_bytes[0]"),
        ("segment_bytes", {"images_bytes": texts(good, good[:-9])}, "Invalid PNG data"),
        ("segment_bytes", {"images_bytes": texts(claims_100_megapixels(huge))}, "`images_bytes[0]"),
        ("segment_bytes", {"images_bytes": texts(good, jpeg, longer)}, "Invalid JPEG data"),
        ("segment_bytes", {"images_bytes": texts(good, end)}, "Invalid JPEG data"),
        ("segment_bytes", {"images_bytes": texts(jpeg[: scan + 9], good)}, "Invalid JPEG data"),
    ]


def wrong_boxes(good: bytes) -> list[Wrong]:
    one, none = np.array([1], np.int32), np.array([0], np.int32)
    boxes, image = BOXES[None, :1], np.zeros((1, 20, 20, 3), np.uint8)
    both = {"images_bytes": texts(good, good), "boxes": np.stack([BOXES, BOXES])}
    nan, flat = both["boxes"].copy(), both["boxes"].copy()
    nan[1, 2, 0], flat[1, 0, 2] = np.nan, flat[1, 0, 0]
    three = np.array([3, 3], np.int32)
    outside = np.float32([0, 1e4])[:, None, None]
    with_boxes = "segment_bytes_with_boxes"
    return [
        (with_boxes, {**both, "boxes": nan, "counts": three}, "`boxes[1]"),
        (with_boxes, {**both, "boxes": flat, "counts": three}, "`boxes[1]"),
        (with_boxes, {**both, "counts": np.array([0, 4], np.int32)}, "`counts[1]"),
        (with_boxes, {**both, "counts": np.array([-2, 0], np.int32)}, "`counts[0]"),
        (
            "segment",
            {"images": image, "boxes": np.repeat(boxes, 10_000, 1), "counts": one},
            "`boxes",
        ),
        ("segment", {"images": image, "boxes": boxes * np.inf, "counts": one}, "`boxes[0]"),
        ("segment", {"images": image, "boxes": boxes + 40, "counts": one}, "`boxes[0]"),
        (with_boxes, {**both, "boxes": both["boxes"] - outside, "counts": three}, "`boxes[1]"),
        ("segment", {"images": image, "boxes": boxes, "counts": none - 2}, "`counts[0]"),
        ("segment", {"images": image[..., :1], "boxes": boxes, "counts": one}, "`images[0]"),
        ("segment", {"images": image, "boxes": boxes[..., :3], "counts": one}, "`boxes[0]"),
    ]


def wrong_crops(height: int, width: int) -> list[Wrong]:
    crops = np.zeros((2, height, width, 3), np.float32)
    crops[1, 5, 5, 1] = np.nan
    return [
        ("regions", {"crops": crops}, "`crops[1]"),
        ("regions", {"crops": crops[:1] + np.inf}, "`crops[0]"),
        ("regions", {"crops": crops[..., :2]}, "`crops[0]"),
    ]


def wrong_sizes(wide: np.ndarray) -> list[Wrong]:
    return [
        ("regions", {"crops": wide}, "`crops[0]"),
        ("regions", {"crops": wide[:1, 1:, 2:]}, "`crops[0]"),
        ("regions_uint8", {"crops": wide.astype(np.uint8)}, "`crops[0]"),
    ]


def claims_100_megapixels(png: bytearray) -> bytes:
    png[16:24] = (10_000).to_bytes(4, "big") * 2
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    return bytes(png)
