"""Trains a `CAM` from the classes of images alone.

Reference:
    Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative
    Localization, CVPR 2016, section 3. The paper fine-tunes networks trained on ImageNet; from
    random weights, a few minutes of CPU achieve most when images grow during the training.
"""

import dataclasses
import os

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.data import decode, maps
from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.models import CAM, load_model
from tfdeconv.progress import track
from tfdeconv.training.callbacks import Progress, RequireFinite, started_again
from tfdeconv.training.recipes import require_positive
from tfdeconv.training.run_folder import RunFolder

# Share of the input's side -> share of the steps. Small images first: a step on a square of half
# the side takes a quarter of the time, and the larger squares start from what it has learnt.
PHASES = ((1 / 3, 0.4), (1 / 2, 0.3), (2 / 3, 0.2), (1.0, 0.1))
# Smallest share of an image in a training crop.
LEAST_AREA = 0.7


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a classifier is trained: narrow and small, for minutes on a CPU.

    Attributes:
        width: Factor on the channels; the paper's is 1.
        input_size: Side of the squares that images are resized to at the end; the paper's is 224.
        stride: That of the maps, 8 or 16.
        steps: Batches of all phases together.
        batch_size: Images of a batch.
        learning_rate: The highest one, of Adam: it rises linearly for a tenth of the steps and
            falls along a cosine to zero.
    """

    width: float = 0.125
    input_size: int = 192
    stride: int = 8
    steps: int = 3000
    batch_size: int = 24
    learning_rate: float = 3e-3


def train_classifier(
    split: Split,
    out: str | os.PathLike[str],
    pooling: str = "average",
    recipe: Recipe | None = None,
    seed: int = 0,
) -> keras.Model:
    """Trains a classifier, or opens the one that the same call trained before.

    The loss is the cross-entropy between softmax and the classes of the image, with equal shares
    where there are more than one. Images without objects are left out.

    Args:
        split: The images, and the classes that each has.
        out: Run folder; `model.keras` and `run.json` are written.
        pooling: "average" or "maximum".
        recipe: None for the defaults.
        seed: Of weights, order and augmentation.

    Returns:
        The trained `CAM`, with inputs of every size.

    Raises:
        UserError: for data that cannot be used, a width that is not positive, a folder that holds
            another run, a loss that is not finite, or an interrupt (`TrainingInterrupted`).
    """
    recipe, run, names = recipe or Recipe(), RunFolder(out), split.class_names
    require_positive(width=recipe.width)
    settings = {
        "network": "cam",
        "pooling": pooling,
        "data": str(split.root.resolve()),
        "split": split.name,
        "recipe": dataclasses.asdict(recipe),
        "class_names": names,
        "seed": seed,
    }
    if run.exists:
        run.check_same(settings, "be new or hold a classifier that the same call trained")
        if run.model_file.is_file():
            return load_model(run.path)
    tags = require_objects(split)
    keras.utils.set_random_seed(seed)
    model = CAM(
        len(names),
        class_names=names,
        batch_norm=True,
        width=recipe.width,
        stride=recipe.stride,
        pooling=pooling,
    )
    if not run.exists:
        run.begin(settings)
    with started_again("classifier was trained", run, "Give the same command to start it again."):
        _fit(model, split, tags, recipe, seed)
    run.save_best(model)
    return model


def _phases(recipe: Recipe) -> list[tuple[int, int]]:
    # Side of the images and number of steps of every phase: (64, 1200), (96, 900), ...
    ends = np.round(np.cumsum([0.0, *(share for _, share in PHASES)]) * recipe.steps).astype(int)
    counts = np.diff(ends).tolist()
    sizes = [round(part * recipe.input_size) for part, _ in PHASES]
    return [(size, count) for size, count in zip(sizes, counts, strict=True) if count]


def _fit(model: keras.Model, split: Split, tags: np.ndarray, recipe: Recipe, seed: int) -> None:
    warm_up = recipe.steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 100,
        max(recipe.steps - warm_up, 1),
        warmup_target=recipe.learning_rate,
        warmup_steps=warm_up,
    )
    model.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    model.optimizer.build(model.trainable_variables)
    callbacks = [RequireFinite("classifier"), Progress(recipe.steps, what="classifier")]
    for number, (size, steps) in enumerate(_phases(recipe)):
        model.fit(
            tagged_batches(split, tags, size, recipe.batch_size, steps, seed + 1000 * number),
            steps_per_epoch=steps,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )


def read_tags(split: Split) -> np.ndarray:
    """Reads which classes every image has, and nothing else from the label maps.

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
    """Returns the `read_tags` of a split.

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

    Every image is used once before any is used again. A crop at a random place, at least
    `LEAST_AREA` of the image, is resized to the square and mirrored with probability 1/2.

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

    def read(path: tf.Tensor, share: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.cast(decode.decode_image(tf.io.read_file(path), path), tf.float32)
        return resized(_cropped(image, key), size), share

    images = tf.data.Dataset.from_tensor_slices((paths, shares, seeds)).map(
        tf.autograph.experimental.do_not_convert(read), num_parallel_calls=2, deterministic=True
    )
    return images.batch(batch_size, drop_remainder=True).prefetch(2)


def resized(image: tf.Tensor, size: int) -> tf.Tensor:
    """Resizes an image to a square with antialiasing: `(h, w, 3)` -> `(size, size, 3)` float32."""
    return tf.ensure_shape(tf.image.resize(image, (size, size), antialias=True), (size, size, 3))


def _cropped(image: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    chances = tf.random.stateless_uniform((5,), key)
    # The smallest share of each side; their product is that of the area.
    least = LEAST_AREA**0.5
    sides = tf.cast(tf.shape(image)[:2], tf.float32)
    sizes = tf.maximum(sides * (least + (1 - least) * chances[:2]), 1)
    first = tf.cast((sides - sizes) * chances[2:4], tf.int32)
    last = tf.cast(sizes, tf.int32)
    crop = image[first[0] : first[0] + last[0], first[1] : first[1] + last[1]]
    return tf.cond(chances[4] < 0.5, lambda: crop[:, ::-1], lambda: crop)
