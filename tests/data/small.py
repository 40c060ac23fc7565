"""Small data sets in VOC layout, and files that are wrong in one way each."""

import struct
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdeconv import images, labels
from tfdeconv.data import crops

CLASSES = ("background", "red", "green", "blue")


def write_data_set(root: Path, count: int = 3, split: str = "train", seed: int = 0) -> Path:
    """Writes `count` noisy images of two or three rectangles with void borders; returns `root`."""
    generator = np.random.default_rng(seed)
    for number in range(count):
        height, width = generator.integers(30, 60, 2)
        classes = np.zeros((height, width), np.uint8)
        objects = np.zeros((height, width), np.uint8)
        for object_id in range(1, 2 + number % 2 + 1):
            label = 1 + (number + object_id) % 3
            top, left = generator.integers(0, 15, 2)
            bottom, right = top + generator.integers(8, 15), left + generator.integers(8, 15)
            classes[top:bottom, left:right] = objects[top:bottom, left:right] = 255
            inside = np.s_[top + 1 : bottom - 1, left + 1 : right - 1]
            classes[inside], objects[inside] = label, object_id
        image = generator.integers(0, 256, (height, width, 3)).astype(np.uint8)
        write_image(root, f"{split}{number}", image, classes, objects)
    write_list(root, split, [f"{split}{number}" for number in range(count)])
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return root


def write_image(
    root: Path,
    image_id: str,
    image: np.ndarray,
    classes: np.ndarray,
    objects: np.ndarray | None = None,
) -> None:
    """Writes one image (as PNG, so that nothing is lost) and its maps."""
    for folder in ("JPEGImages", "SegmentationClass", "SegmentationObject"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "JPEGImages" / f"{image_id}.png").write_bytes(images.encode_png(image))
    (root / "SegmentationClass" / f"{image_id}.png").write_bytes(labels.encode_png(classes))
    if objects is not None:
        encode = labels.encode_png if objects.dtype == np.uint8 else labels.encode_objects
        (root / "SegmentationObject" / f"{image_id}.png").write_bytes(encode(objects))


def write_list(root: Path, split: str, ids: list[str]) -> None:
    """Writes the list of a split."""
    path = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{image_id}\n" for image_id in ids))


def crop_labels(labels: tf.Tensor, window: tf.Tensor, size: int) -> tf.Tensor:
    """Crops one window from a label map and resizes it, as the training pipeline does."""
    points = crops.nearest_points(window, tf.shape(labels), size)
    return tf.transpose(crops.take_columns(crops.add_void(labels), *points))


def png(
    values: np.ndarray, bits: int, colour_type: int, palette: np.ndarray | None = None
) -> bytes:
    """Encodes gray values or palette indices with 1, 2, 4 or 8 bits a pixel."""
    height, width = values.shape
    as_bits = np.unpackbits(values[..., None].astype(np.uint8), axis=-1)[..., 8 - bits :]
    rows = np.packbits(as_bits.reshape(height, width * bits), axis=1)
    data = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0))]
    if palette is not None:
        chunks.append((b"PLTE", palette.astype(np.uint8).tobytes()))
    chunks += [(b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Puts an EXIF block with that orientation into a JPEG."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]
