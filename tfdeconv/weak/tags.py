"""The classes of whole images, and the batches that a classifier learns them from."""

import numpy as np
import tensorflow as tf

from tfdeconv.data import decode, maps
from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.progress import track

# Least share of an image that a training crop shows.
LEAST_AREA = 0.7


def read_tags(split: Split) -> np.ndarray:
    """Reads which classes every image has.

    It is all that is taken from the label maps: where the pixels are is lost here.

    Args:
        split: The data set.

    Returns:
        `(images, classes - 1)` float32, 1 where the label map has a pixel of label column + 1.

    Raises:
        UserError: when a label map is missing or damaged.
    """
    tags = np.zeros((len(split.ids), len(split.class_names)), np.float32)
    for row, image_id in enumerate(track(split.ids, f"Reading the classes of {split.name}")):
        counts = maps.count_labels(maps.read_labels(split, image_id, None))
        tags[row] = counts[: len(split.class_names)] > 0
    return tags[:, 1:]


def require_objects(split: Split) -> np.ndarray:
    """Returns what `read_tags` does, of a split that has an object in at least one image.

    Args:
        split: The data set.

    Raises:
        UserError: when no image has an object, or a label map is missing or damaged.
    """
    tags = read_tags(split)
    if not tags.any():
        raise UserError(
            f"`{split.root}` must have images with objects. Received: none in {split.name!r}."
        )
    return tags


def tagged_batches(
    split: Split, tags: np.ndarray, size: int, batch_size: int, steps: int, seed: int
) -> tf.data.Dataset:
    """Returns batches of images and their classes, which depend on the seed alone.

    Every image is seen once before any is seen again. A rectangle of it at a random place, at
    least `LEAST_AREA` of the image, is resized to the square and mirrored with probability 1/2.

    Args:
        split: The data set.
        tags: `(images, classes - 1)` float32, from `read_tags`.
        size: Side of the squares in pixels.
        batch_size: Images in a batch.
        steps: Number of batches.
        seed: Of the order and of the augmentation.

    Returns:
        A dataset of `steps` batches: `(batch_size, size, size, 3)` float32 RGB in [0, 255], and
        `(batch_size, classes - 1)` float32 shares that add up to 1.

    Raises:
        ValueError: when no image has a class.
    """
    rows = np.flatnonzero(tags.any(axis=1))
    if not len(rows):
        raise ValueError(f"`tags` must hold a class. Received: {len(tags)} images without any")
    generator = np.random.default_rng(seed)
    wanted = steps * batch_size
    order = np.concatenate([generator.permutation(rows) for _ in range(-(-wanted // len(rows)))])
    shares = (tags / np.maximum(tags.sum(axis=1, keepdims=True), 1))[order[:wanted]]
    paths = [str(split.image_path(split.ids[row])) for row in order[:wanted]]
    seeds = generator.integers(0, 2**31, (wanted, 2), np.int32)

    def show(path: tf.Tensor, share: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.cast(decode.decode_image(tf.io.read_file(path), path), tf.float32)
        return resized(_cropped(image, key), size), share

    shown = tf.data.Dataset.from_tensor_slices((paths, shares, seeds)).map(
        tf.autograph.experimental.do_not_convert(show), num_parallel_calls=2, deterministic=True
    )
    return shown.batch(batch_size, drop_remainder=True).prefetch(2)


def resized(image: tf.Tensor, size: int) -> tf.Tensor:
    """Resizes an image to a square with antialiasing: `(h, w, 3)` -> `(size, size, 3)` float32."""
    return tf.ensure_shape(tf.image.resize(image, (size, size), antialias=True), (size, size, 3))


def _cropped(image: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    chances = tf.random.stateless_uniform((5,), key)
    # Below 1 for both sides: no crop shows less than their product.
    least = LEAST_AREA**0.5
    sides = tf.cast(tf.shape(image)[:2], tf.float32)
    shown = tf.maximum(sides * (least + (1 - least) * chances[:2]), 1)
    first = tf.cast((sides - shown) * chances[2:4], tf.int32)
    last = tf.cast(shown, tf.int32)
    crop = image[first[0] : first[0] + last[0], first[1] : first[1] + last[1]]
    return tf.cond(chances[4] < 0.5, lambda: crop[:, ::-1], lambda: crop)
