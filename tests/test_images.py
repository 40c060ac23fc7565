"""Photographs of every kind come out as upright RGB, and what is none is named."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageSequence

from tests.export.image_files import (
    DEEP,
    JPEG,
    KINDS,
    PHOTO,
    PNG,
    chunk,
    cmyk_jpeg,
    empty_png,
    segment,
    tiff,
    with_exif,
)
from tests.helpers import shared_data
from tfdeconv import images
from tfdeconv.data import decode, voc
from tfdeconv.errors import UserError


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "kind, options, atol",
    [
        ("BMP", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("PPM", {}, 0),
        ("JPEG2000", {"irreversible": False}, 0),
        ("AVIF", {"quality": 95}, 12),
        ("GIF", {}, 60),
    ],
)
def test_every_format_comes_as_rgb(kind: str, options: dict, atol: int) -> None:
    decoded = images.decode_image(saved(Image.fromarray(PHOTO), kind, **options))
    assert decoded.shape == PHOTO.shape and decoded.dtype == np.uint8
    np.testing.assert_allclose(decoded.astype(int), PHOTO, atol=atol)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_of_a_tiff_comes_as_rgb(mode: str) -> None:
    image = Image.fromarray(PHOTO).convert(mode)
    kind = "PNG" if mode == "LA" else "TIFF"
    decoded = images.decode_image(saved(image, kind))
    np.testing.assert_allclose(decoded.astype(int), np.array(image.convert("RGB")), atol=2)


def test_of_sixteen_bits_the_high_ones_count() -> None:
    gray = DEEP[..., 0]
    for kind in ("PNG", "TIFF", "PPM"):
        decoded = images.decode_image(saved(Image.fromarray(gray), kind))
        np.testing.assert_array_equal(decoded, np.repeat((gray >> 8)[..., None], 3, axis=2))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_of_several_frames_the_first_is_taken(kind: str) -> None:
    first, second = (Image.new("RGB", (20, 10), colour) for colour in ("white", "black"))
    data = saved(first, kind, save_all=True, append_images=[second])
    assert len(list(ImageSequence.Iterator(Image.open(io.BytesIO(data))))) == 2
    np.testing.assert_array_equal(images.decode_image(data), np.full((10, 20, 3), 255))


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_those_of_the_pipeline(kind: str) -> None:
    decoded = images.decode_image(KINDS[kind])
    np.testing.assert_array_equal(decoded, decode.decode_image(tf.constant(KINDS[kind])))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [5, 75, 100])
def test_jpegs_have_the_pixels_of_the_pipeline(progressive, subsampling, quality) -> None:
    options = {"progressive": progressive, "subsampling": subsampling, "quality": quality}
    data = saved(Image.fromarray(PHOTO), "JPEG", **options)
    np.testing.assert_array_equal(images.decode_image(data), decode.decode_image(tf.constant(data)))


@pytest.mark.parametrize("transform", [0, 2])
def test_cmyk_jpegs_have_the_pixels_of_the_pipeline(transform: int) -> None:
    data = cmyk_jpeg(DEEP.astype(np.uint8), transform)
    decoded = images.decode_image(data)
    assert decoded.std() > 40
    np.testing.assert_array_equal(decoded, decode.decode_image(tf.constant(data)))


@pytest.mark.parametrize("name", ["voc2012", "nuclei", "camvid"])
def test_real_photographs_have_the_pixels_of_the_pipeline(name: str) -> None:
    split = voc.read_split(shared_data(name), "val")
    for image_id in split.ids[-10:]:
        data = split.image_path(image_id).read_bytes()
        np.testing.assert_array_equal(
            images.decode_image(data), decode.decode_image(tf.constant(data))
        )


@pytest.mark.parametrize("trailer", [bytes(5000), b"\0\0\0\x18ftypmp42" + bytes(60_000), JPEG])
def test_what_stands_behind_a_jpeg_is_left_alone(trailer: bytes) -> None:
    for read in (images.decode_image, lambda data: decode.decode_image(tf.constant(data))):
        np.testing.assert_array_equal(read(JPEG + trailer), images.decode_image(JPEG))


TURNED = {
    1: PHOTO,
    2: PHOTO[:, ::-1],
    3: PHOTO[::-1, ::-1],
    4: PHOTO[::-1],
    5: PHOTO.swapaxes(0, 1),
    6: np.rot90(PHOTO, -1),
    7: np.rot90(PHOTO, 2).swapaxes(0, 1),
    8: np.rot90(PHOTO),
    9: PHOTO,
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", TURNED)
def test_photographs_are_turned_upright(tmp_path, orientation: int, order: str) -> None:
    path = tmp_path / "a.png"
    block = tiff(orientation, order, others=2)
    early = with_exif(PNG, block)
    for data in (early, PNG[:-12] + chunk(b"eXIf", block) + PNG[-12:]):
        np.testing.assert_array_equal(images.decode_image(data), TURNED[orientation])
        path.write_bytes(data)
        expected = orientation if orientation < 9 else 1
        assert images.read_header(path) == ("PNG", 31, 45, expected)


@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "JPEG"])
def test_other_formats_are_turned_upright(kind: str) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    data = saved(Image.fromarray(PHOTO), kind, exif=exif)
    assert images.decode_image(data).shape == (45, 31, 3)


def test_the_first_exif_block_of_a_jpeg_counts() -> None:
    both = with_exif(with_exif(JPEG, tiff(3)), tiff(6))
    np.testing.assert_array_equal(
        images.decode_image(both), np.rot90(images.decode_image(JPEG), -1)
    )


@pytest.mark.parametrize("block", [b"", b"II+" + tiff(6)[3:], tiff(6)[:12], b"MM" + tiff(6)[2:]])
def test_damaged_exif_means_upright(block: bytes) -> None:
    for data in (JPEG, PNG):
        np.testing.assert_array_equal(
            images.decode_image(with_exif(data, block)), images.decode_image(data)
        )


_HEADER = PNG[8:33]
NO_IMAGES = {
    "an empty file": b"",
    "text that begins with 'hello": b"hello\nworld",
    "a file that begins with": bytes(range(200, 250)),
    r"a file that begins with b'.x00.x00": b"\0\0\0\1Bud1" + bytes(50),
    "a PDF document": b"%PDF-1.7\n" + bytes(50),
    "an HEIC photograph": b"\0\0\0\x18ftypheic" + bytes(50),
    "a video": b"\0\0\0\x18ftypmp42" + bytes(50),
    "a ZIP archive": b"PK\3\4" + bytes(50),
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "a macOS file of attributes": b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(200),
}
DAMAGED = {
    "jpeg: cut in its head": JPEG[:200],
    "jpeg: cut in its pixels": JPEG[:-40],
    "jpeg: no end mark": JPEG[:-3],
    "jpeg: two frames": JPEG[:2] + segment(0xC0, struct.pack(">BHHB", 8, 9, 9, 0)) + JPEG[2:],
    "jpeg: no frame": b"\xff\xd8" + segment(0xDA, b"") + b"\xff\xd9",
    "png: cut short": PNG[:-40],
    "png: no end": PNG[:-12],
    "png: a pixel changed": PNG[:90] + bytes([PNG[90] ^ 1]) + PNG[91:],
    "png: no header": PNG[:8] + PNG[33:],
    "png: two headers": PNG[:33] + _HEADER + PNG[33:],
    "png: a large header before its own": PNG[:8]
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 2**20, 2**20, 8, 0, 0, 0, 0))
    + PNG[8:],
    "png: a remark before its header": PNG[:8] + chunk(b"tEXt", b"a") + PNG[8:],
    "gif: cut short": saved(Image.fromarray(PHOTO), "GIF")[:300],
    "webp: cut short": saved(Image.fromarray(PHOTO), "WEBP")[:-40],
    "tiff: cut short": saved(Image.fromarray(PHOTO), "TIFF")[:-900],
    "bmp: cut short": saved(Image.fromarray(PHOTO), "BMP")[:300],
}


@pytest.mark.parametrize("kind", NO_IMAGES)
def test_what_is_no_image_is_named_with_what_it_is(tmp_path, kind: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(NO_IMAGES[kind])
    for read in (images.read_image, images.read_labels, images.read_header):
        with pytest.raises(UserError, match=rf"photo\.jpg` must be an image.*Received: {kind}"):
            read(path)


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_files_are_named(tmp_path, damage: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(DAMAGED[damage])
    with pytest.raises(UserError, match=r"photo\.jpg` must be an intact image"):
        images.read_image(path)


@pytest.mark.parametrize("data", [JPEG, PNG], ids=["jpeg", "png"])
def test_files_damaged_at_random_are_read_or_refused(data: bytes) -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(data[: generator.integers(len(data) // 2, len(data) + 1)])
        for place in generator.integers(0, len(damaged), 3):
            damaged[place] = generator.integers(256)
        try:
            decoded = images.decode_image(bytes(damaged), "photo.jpg")
        except UserError as error:
            assert "`photo.jpg`" in str(error)
        else:
            assert decoded.ndim == 3 and decoded.shape[2] == 3


def test_missing_files_and_folders_are_named(tmp_path) -> None:
    for path in (tmp_path / "no.jpg", tmp_path):
        with pytest.raises(UserError, match=f"`{path}` must be a file that can be read"):
            images.read_image(path)


def _gif(height: int, width: int) -> bytes:
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0, 0, 0)
        + (b"," + struct.pack("<HHHHB", 0, 0, width, height, 0x80) + bytes(6) + b"\2\1\0\0;")
    )


def _bmp(height: int, width: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


def _webp(height: int, width: int) -> bytes:
    body = b"VP8X" + struct.pack("<II", 10, 0)
    body += struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3] + bytes(100)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _tiff(height: int, width: int) -> bytes:
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: 9}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def _jpeg(height: int, width: int) -> bytes:
    start = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:start] + struct.pack(">HH", height, width) + JPEG[start + 4 :]


def _png(height: int, width: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return PNG[:8] + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


BOMBS = {"png": _png, "jpeg": _jpeg, "gif": _gif, "bmp": _bmp, "webp": _webp, "tiff": _tiff}


@pytest.mark.parametrize("kind", BOMBS)
def test_too_many_pixels_are_refused_before_they_are_decoded(kind: str) -> None:
    import tracemalloc

    data = BOMBS[kind](15_000, 16_000)
    assert len(data) < 10_000
    tracemalloc.start()
    with pytest.raises(UserError, match=r"`bomb` must.*(16000x15000|240000000 pixels)"):
        images.decode_image(data, "bomb")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_limit_of_the_process_is_not_ours(monkeypatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(images.decode_image(PNG), PHOTO)


def test_without_pixels() -> None:
    with pytest.raises(UserError, match=r"`a\.png` must"):
        images.decode_image(empty_png(0, 7), "a.png")


def test_values_without_a_range_are_refused() -> None:
    data = saved(Image.fromarray(PHOTO[..., 0].astype(np.float32)), "TIFF")
    with pytest.raises(UserError, match=r"`a\.tif` must have 8 or 16 bits.*TIFF of mode 'F'"):
        images.decode_image(data, "a.tif")


def test_arrays_can_be_written_to() -> None:
    for data in KINDS.values():
        assert images.decode_image(data).flags.writeable


def test_what_is_no_photograph_is_not_encoded() -> None:
    for encode in (images.encode_png, images.encode_jpeg):
        with pytest.raises(ValueError, match="`image` must be a non-empty"):
            encode(PHOTO[..., 0])
        with pytest.raises(ValueError, match="Received"):
            encode(PHOTO.astype(np.float32))
    np.testing.assert_array_equal(images.decode_image(images.encode_png(PHOTO)), PHOTO)
