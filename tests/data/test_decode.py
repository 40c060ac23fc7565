"""Decoding in the graph: every kind of file comes out right or is named."""

import base64

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tests.data.small import png, write_image
from tests.helpers import shared_data
from tfdeconv import images, labels
from tfdeconv.data import decode, voc

ALL_LABELS = np.arange(256, dtype=np.uint8).reshape(8, 32)
PHOTO = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (31, 45, 3)).astype(np.uint8), (0, 0), 2
)
DEEP = np.random.default_rng(0).integers(0, 65536, (9, 7, 3)).astype(np.uint16)


def test_every_label_comes_back_from_its_colour_inside_tf_data():
    data = [labels.encode_png(ALL_LABELS), png(ALL_LABELS, 8, 0)]
    for decoded in tf.data.Dataset.from_tensor_slices(data).map(decode.decode_labels):
        np.testing.assert_array_equal(decoded, ALL_LABELS)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("width", [1, 7, 16])
def test_gray_and_palette_indices_of_few_bits(bits, width):
    expected = (np.arange(5 * width) % 2**bits).reshape(5, width).astype(np.uint8)
    gray = png(expected, bits, 0)
    palette = png(expected, bits, 3, labels.palette()[: 2**bits])
    for data in (gray, palette):
        np.testing.assert_array_equal(decode.decode_labels(tf.constant(data)), expected)


def test_a_palette_in_another_order_is_read_by_its_colours():
    order = np.array([7, 255, 0, 21])
    data = png(np.array([[0, 1], [2, 3]]), 2, 3, labels.palette()[order])
    assert decode.decode_labels(tf.constant(data)).numpy().tolist() == [[7, 255], [0, 21]]


def test_an_odd_colour_that_no_pixel_uses_does_no_harm():
    palette = np.array([[0, 0, 0], [128, 0, 0], [1, 2, 3]])
    data = png(np.array([[0, 1]]), 2, 3, palette)
    assert decode.decode_labels(tf.constant(data)).numpy().tolist() == [[0, 1]]


# 32x16 in four fields, saved by Pillow 12 as quality 95 without subsampling: cyan and magenta above
# white and black. The inks are stored inverted, as Adobe does.
CMYK = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwACAQEBAQECAQEBAgICAgIEAwICAgIFBAQDBAYFBgYGBQYGBgcJCAYHCQcGBggL"
    "CAkKCgoKCgYICwwLCgwJCgoK/8AAFAgAEAAgBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAAKCf/EABQQ"
    "AQAAAAAAAAAAAAAAAAAAAAD/2gAOBEMATQBZAEsAAD8An/b+N/G/gAv8QBgAC/wAABAGAP/Z"
)


def test_a_cmyk_jpeg_comes_out_in_rgb_everywhere():
    expected = np.full((16, 32, 3), 255)
    expected[:8, :16, 0] = expected[:8, 16:, 1] = expected[8:, 16:] = 0
    for decoded in (images.decode_image(CMYK), decode.decode_image(tf.constant(CMYK)).numpy()):
        np.testing.assert_allclose(decoded, expected, atol=1)


WRONG = {
    "outside of its palette": png(np.array([[0, 3]]), 2, 3, labels.palette()[:2]),
    "palette or 8-bit gray": images.encode_png(PHOTO),
    "8-bit gray": cv2.imencode(".png", DEEP[..., 0])[1].tobytes(),
    "class indices": images.encode_jpeg(PHOTO),
    "cut short": labels.encode_png(ALL_LABELS)[:-200],
    "no image": b"",
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_no_label_map_fails_with_the_name_of_the_file(message):
    dataset = tf.data.Dataset.from_tensors(WRONG[message])
    dataset = dataset.map(lambda data: decode.decode_labels(data, "maps/cat.png"))
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"(?s){message}.*maps/cat\.png"):
        list(dataset)


PHOTOGRAPHS = {
    "jpeg": images.encode_jpeg(PHOTO, 75),
    "gray jpeg": cv2.imencode(".jpg", PHOTO[..., 0])[1].tobytes(),
    "png": images.encode_png(PHOTO),
    "gray png": cv2.imencode(".png", PHOTO[..., 0])[1].tobytes(),
    "png with alpha": cv2.imencode(".png", np.dstack([PHOTO, PHOTO[..., :1]]))[1].tobytes(),
    "16-bit png": cv2.imencode(".png", DEEP)[1].tobytes(),
    "palette png": labels.encode_png(ALL_LABELS),
    "one pixel wide": images.encode_png(PHOTO[:, :1]),
}


@pytest.mark.parametrize("kind", PHOTOGRAPHS)
def test_photographs_decode_to_pillows_pixels(kind):
    decoded = decode.decode_image(tf.constant(PHOTOGRAPHS[kind]))
    np.testing.assert_array_equal(decoded, images.decode_image(PHOTOGRAPHS[kind]))


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_photograph_that_was_cut_short_is_named(kind):
    data = tf.constant(PHOTOGRAPHS[kind][:-40])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)cut short.*dog\.jpg"):
        decode.decode_image(data, "dog.jpg")


def read_both(image_path, label_path):
    image = decode.decode_image(tf.io.read_file(str(image_path)))
    return image, decode.read_labels(tf.constant(str(label_path)), image)


def test_a_label_map_of_another_size_is_named(tmp_path):
    write_image(tmp_path, "dog", PHOTO, np.zeros((31, 44), np.uint8))
    paths = (tmp_path / "JPEGImages" / "dog.png", tmp_path / "SegmentationClass" / "dog.png")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)another size.*Class/dog\.png"):
        read_both(*paths)


@pytest.mark.parametrize("name", ["voc2012", "nuclei", "camvid"])
def test_real_files_decode_as_with_pillow(name):
    split = voc.read_split(shared_data(name), "val")
    for image_id in split.ids[:5]:
        paths = split.image_path(image_id), split.label_path(image_id)
        image, decoded = read_both(*paths)
        np.testing.assert_array_equal(image, images.read_image(paths[0]))
        np.testing.assert_array_equal(decoded, images.read_labels(paths[1]))
