"""The `tf.data` pipelines: windows for training and validation.

Images are uint8 RGB, labels uint8 with 255 for ignored. Windows stay uint8 because the release
resizes 8-bit images with OpenCV, and a batch is a quarter as large. No step calls
back into Python, and everything is deterministic.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfdeconv.data import crops, decode
from tfdeconv.data.voc import Split
from tfdeconv.data.windows import MAX_VISIT, Schedule, Windows, plan_schedule

# The release warps windows to 250 pixels and cuts 224 of them.
WINDOW_PER_INPUT = 250 / 224
# Windows that are shuffled together; about four times as much memory is in use.
_BLOCK_BYTES, _BLOCK_ROWS = 64 * 2**20, 1024
# As many images at once as there are cores to decode them; more would only hold memory.
_PARALLEL_CALLS = min(max(4, os.cpu_count() or 1), 16)
_READ_AHEAD = 2


def training_dataset(
    split: Split,
    windows: Windows,
    *,
    batch_size: int,
    steps: int,
    seed: int = 0,
    first_step: int = 0,
    input_size: int = 224,
    window_size: int | None = None,
    augment: bool = True,
) -> tf.data.Dataset:
    """Returns the batches of a training run, from `first_step` on.

    Every window is resized to `window_size`, cropped to `input_size` at a random place and mirrored
    with probability 1/2. Batch `k` depends on the seed alone: a resumed run gets the batches of an
    uninterrupted one, bit for bit.

    Args:
        split: The data set.
        windows: What to learn from, at least one; see `windows.balance`.
        batch_size: Windows in a batch.
        steps: Batches of the whole run.
        seed: Of the order and of the augmentation.
        first_step: How many batches of the run to leave out.
        input_size: side of the network's input.
        window_size: side to which windows are resized; 250/224 of `input_size` by default.
        augment: False takes the crop in the middle, without mirroring.

    Returns:
        A dataset of `steps - first_step` batches: images, `(batch_size, input_size, input_size, 3)`
        uint8, and labels, `(batch_size, input_size, input_size)` uint8.

    Raises:
        ValueError: when there are no windows, `window_size` is smaller than `input_size`, or
            `first_step` is not a step of the run.
    """
    window_size = window_size or round(input_size * WINDOW_PER_INPUT)
    if window_size < input_size or not 0 <= first_step <= steps or steps < 1:
        raise ValueError(
            "`window_size` must be at least `input_size`, and `first_step` 0 to `steps`. Received: "
            f"window_size={window_size}, input_size={input_size}, first_step={first_step}, "
            f"steps={steps}"
        )
    per_block = batches_per_block(len(windows), batch_size, input_size)
    # A run that is already complete is planned from its last step, and left with no batch.
    first_block = min(first_step, steps - 1) // per_block
    rows = plan_schedule(windows, steps * batch_size, per_block * batch_size, seed, first_block)
    room = window_size - input_size

    def choose(row: tf.Tensor) -> crops.Place:
        if not augment:
            return crops.centre(room)
        return crops.random_place(room, tf.stack([tf.cast(seed, tf.int64), row]))

    produced = _produce(split, windows, rows, (window_size, input_size), choose)
    blocks = produced.rebatch(per_block * batch_size)
    orders = tf.data.Dataset.from_tensor_slices(rows.order.reshape(-1, batch_size)).batch(per_block)
    batches = tf.data.Dataset.zip(blocks, orders).prefetch(1).flat_map(_reorder)
    batches = batches.skip(first_step - first_block * per_block)
    return _finish(batches, steps - first_step)


def validation_dataset(
    split: Split, windows: Windows, *, batch_size: int, input_size: int = 224
) -> tf.data.Dataset:
    """Returns every window once, in order.

    Windows are resized straight to the input, as the release's validation layer does.

    Args:
        split: The data set.
        windows: What to validate on, at least one.
        batch_size: Windows in a batch; the last may be smaller.
        input_size: side of the network's input.

    Returns:
        A dataset of images, `(b, input_size, input_size, 3)` uint8, and labels,
        `(b, input_size, input_size)` uint8.
    """
    count = np.arange(len(windows))
    change = np.flatnonzero((np.diff(windows.image) != 0) | (count[1:] % MAX_VISIT == 0)) + 1
    visits = np.stack([np.append(0, change), np.append(change, len(windows))], axis=1)
    rows = Schedule(count, count, visits, count)
    produced = _produce(split, windows, rows, (input_size, input_size), lambda row: crops.centre(0))
    return _finish(produced.rebatch(batch_size), -(-len(windows) // batch_size))


def batches_per_block(count: int, batch_size: int, input_size: int) -> int:
    """Returns how many batches of `count` windows in all are shuffled together."""
    rows = min(_BLOCK_BYTES // (4 * input_size**2), _BLOCK_ROWS, count)
    return max(rows // batch_size, 1)


def _reorder(block: tuple[tf.Tensor, tf.Tensor], orders: tf.Tensor) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(orders).map(
        lambda order: (tf.gather(block[0], order), tf.gather(block[1], order))
    )


def _produce(
    split: Split,
    windows: Windows,
    rows: Schedule,
    sizes: tuple[int, int],
    choose: Callable[[tf.Tensor], crops.Place],
) -> tf.data.Dataset:
    """Visits images: each is decoded once, and a dataset element holds all windows of the visit."""
    window_size, input_size = sizes
    isolates = bool(windows.object_id.any())
    finders = (split.image_path, split.label_path, split.object_path)
    paths = [tf.constant([str(find(image_id)) for image_id in split.ids]) for find in finders]
    image_index = tf.constant(windows.image[rows.windows[rows.visits[:, 0]]])
    boxes, object_ids, places = (
        tf.constant(column)
        for column in (windows.box[rows.windows], windows.object_id[rows.windows], rows.rows)
    )

    def visit(index: tf.Tensor, first: tf.Tensor, last: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image_path, label_path, object_path = (kind[index] for kind in paths)
        image = decode.decode_image(tf.io.read_file(image_path), image_path)
        labels = decode.read_labels(label_path, image, split.class_names)
        maps = [labels, decode.read_objects(object_path, image)] if isolates else [labels]
        maps, shape = [crops.add_void(each) for each in maps], tf.shape(labels)

        def cut(row: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, ...]:
            box, place = row[0], choose(row[1])
            # Rounded first: uint8 is cropped and mirrored in a quarter of the memory.
            window = tf.cast(crops.crop_image(image, box, window_size) + 0.5, tf.uint8)
            points = crops.nearest_points(box, shape, window_size)
            points = crops.cut_points(*points, place, input_size)
            truths = (crops.take_columns(each, *points) for each in maps)
            return crops.cut_image(window, place, input_size), *truths

        side = (input_size, input_size)
        crop = tf.TensorSpec((*side, 3), tf.uint8)
        found, *truths = tf.map_fn(
            cut,
            (boxes[first:last], places[first:last]),
            fn_output_signature=(crop, *(tf.TensorSpec(side, each.dtype) for each in maps)),
        )
        if isolates:
            truths = [crops.isolate_object(truths[0], truths[1], object_ids[first:last])]
        return found, tf.transpose(truths[0], [0, 2, 1])

    visits: Any = (image_index, rows.visits[:, 0], rows.visits[:, 1])
    # There is no Python control flow to convert, and converting takes more than a second.
    graph = tf.autograph.experimental.do_not_convert(visit)
    return tf.data.Dataset.from_tensor_slices(visits).map(
        graph, num_parallel_calls=_PARALLEL_CALLS, deterministic=True
    )


def _finish(dataset: tf.data.Dataset, number: int) -> tf.data.Dataset:
    """Ends a pipeline of `number` elements: prefetching, and no tuning while it runs.

    tf.data tunes its parallelism in a thread that sleeps up to a minute, and whoever drops the
    iterator waits for it: with TensorFlow 2.21 an epoch of 0.85 s took 1.27 s and one of 3.4 s took
    5.1 s, at every end of `fit` and `evaluate`. Fixed numbers need no such thread.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(number))
    return dataset.prefetch(_READ_AHEAD).with_options(options)
