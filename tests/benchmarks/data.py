"""Windows a second: the package's pipeline and a plain one that decodes an image for every window.

The plain pipeline is what the guides of TensorFlow lead to: one element is one window, made with
the public functions of `tf.io` and `tf.image`, in parallel and tuned by tf.data. It makes the same
windows but for the last bit of a level and labels that lie on the edge between two pixels. A second
one shares the package's own decoder and cutter, so that only the number of decodings differs.

Run it with `python -m tests.benchmarks.data`. Files come from the page cache: the disk is not
measured.
"""

import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tests.benchmarks.figures import Figure, interleaved
from tests.helpers import SHARED_DATA
from tfdeconv import labels
from tfdeconv.boxes import Proposals
from tfdeconv.data import maps, pipeline, voc, windows
from tfdeconv.proposals.grid import multi_scale_grid

SIZE, WINDOW_SIZE, BATCH = 224, 250, 8
IMAGES, ROUNDS = 300, 3
# Batches of a short and of a long run; the rate is that of the difference.
RUNS = (1, 160)
# Of the grid that stands for proposals: made in no time, and as many overlap an object.
SCALES = (0.8, 0.6, 0.45, 0.35, 0.25)
# A forward pass of DeconvNet takes 32.75 GMAC a window, the backward pass twice as much.
GFLOP_PER_WINDOW = 3 * 2 * 32.75


def measure() -> list[Figure]:
    """Measures both stages; no figure where there is no PASCAL VOC 2012 beside the checkout."""
    root = SHARED_DATA / "voc2012"
    if not root.exists():
        return []
    split = voc.read_split(root, "train")
    split = voc.Split(split.root, split.name, split.ids[:IMAGES], split.class_names)
    objects = windows.balance(windows.object_windows(split))
    proposals = windows.balance(windows.proposal_windows(split, _proposals(split)))
    return [*_measure("stage 1", split, objects), *_measure("stage 2", split, proposals)]


def _measure(stage: str, split: voc.Split, cut: windows.Windows) -> list[Figure]:
    makers = {
        "ours": lambda steps: _ours(split, cut, steps),
        "one core": lambda steps: _on_one_thread(_ours(split, cut, steps)),
        "plain": lambda steps: plain_dataset(split, cut, steps),
        "unshared": lambda steps: _unshared_dataset(split, cut, steps),
    }
    times = interleaved(
        {(name, steps): _consume(make(steps)) for name, make in makers.items() for steps in RUNS},
        ROUNDS,
        warm=1,
    )
    short, long = RUNS
    count = BATCH * (long - short)
    # A run starts once: what the first batch takes is not counted, for any of them.
    rate = {name: count / (times[name, long] - times[name, short]) for name in makers}
    cores, unit, peer = os.cpu_count(), "windows/s", "a decoding for each window"
    sixteen = 16 * rate["ours"] / (cores or 1)
    return [
        Figure(
            f"{stage}: windows on {cores} cores",
            rate["ours"],
            rate["plain"],
            f"plain tf.data, {peer}",
            unit,
            ">= 4",
            f"{_windows_per_decoding(cut):.2f} windows a decoding",
        ),
        Figure(
            f"{stage}: the same, from the package's own ops alone",
            rate["ours"],
            rate["unshared"],
            f"own ops, {peer}",
            unit,
        ),
        Figure(
            f"{stage}: windows on {cores} cores, absolute", rate["ours"], unit=unit, goal=">= 150"
        ),
        Figure(
            f"{stage}: {cores} cores over one",
            rate["ours"],
            rate["one core"],
            "one thread",
            unit,
            note=f"16 cores at this rate a core (not measured): {sixteen:.0f} windows/s, which "
            f"is {sixteen * GFLOP_PER_WINDOW / 1000:.0f} TFLOP/s of DeconvNet in training",
        ),
    ]


def plain_dataset(split: voc.Split, cut: windows.Windows, steps: int) -> tf.data.Dataset:
    """The same batches as `pipeline.training_dataset`, one decoding for each window."""
    images, label_maps, object_maps = (
        np.array([str(path(image_id)) for image_id in split.ids])[cut.image]
        for path in (split.image_path, split.label_path, split.object_path)
    )
    columns = (images, label_maps, object_maps, cut.box, cut.object_id)
    isolates = bool(cut.object_id.any())
    codes = np.zeros(2**24, np.uint8)
    palette = labels.palette().astype(np.int64)
    codes[palette @ (65536, 256, 1)] = np.arange(256)
    table = tf.constant(codes)

    def read_map(path: tf.Tensor) -> tf.Tensor:
        colours = tf.cast(tf.io.decode_png(tf.io.read_file(path), channels=3), tf.int32)
        return tf.gather(table, colours[..., 0] * 65536 + colours[..., 1] * 256 + colours[..., 2])

    def window(
        image: tf.Tensor, label: tf.Tensor, objects: tf.Tensor, box: tf.Tensor, number: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        photograph = tf.io.decode_jpeg(
            tf.io.read_file(image), channels=3, dct_method="INTEGER_ACCURATE"
        )
        truth = read_map(label)
        if isolates:
            instances = read_map(objects)
            void = (truth == 255) | (instances == 255)
            kept = tf.where(instances == tf.cast(number, tf.uint8), truth, tf.zeros_like(truth))
            truth = tf.where(void, tf.constant(255, tf.uint8), kept)
        size = tf.shape(photograph)[:2]
        before = tf.maximum(-box[:2], 0)
        padding = tf.stack([before, tf.maximum(box[2:] - size, 0)], axis=1)
        side = box[2:] - box[:2]
        photograph = tf.pad(photograph, tf.concat([padding, [[0, 0]]], axis=0))
        truth = tf.pad(truth, padding, constant_values=255)[..., None]
        start = tf.concat([box[:2] + before, [0]], axis=0)
        photograph = tf.slice(photograph, start, tf.concat([side, [3]], axis=0))
        truth = tf.slice(truth, start, tf.concat([side, [1]], axis=0))
        photograph = tf.image.resize(photograph, (WINDOW_SIZE, WINDOW_SIZE))
        truth = tf.image.resize(truth, (WINDOW_SIZE, WINDOW_SIZE), method="nearest")
        both = tf.concat([photograph, tf.cast(truth, tf.float32)], axis=-1)
        both = tf.image.random_flip_left_right(tf.image.random_crop(both, (SIZE, SIZE, 4)))
        return tf.cast(both[..., :3] + 0.5, tf.uint8), tf.cast(both[..., 3], tf.uint8)

    return (
        tf.data.Dataset.from_tensor_slices(columns)
        .shuffle(len(cut))
        .repeat()
        .map(window, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(BATCH)
        .prefetch(tf.data.AUTOTUNE)
        .take(steps)
    )


def _ours(split: voc.Split, cut: windows.Windows, steps: int) -> tf.data.Dataset:
    return pipeline.training_dataset(split, cut, batch_size=BATCH, steps=steps)


def _unshared_dataset(split: voc.Split, cut: windows.Windows, steps: int) -> tf.data.Dataset:
    """Windows in an order in which hardly two of one image meet, and without augmentation."""
    order = np.resize(np.random.default_rng(0).permutation(len(cut)), BATCH * steps)
    return pipeline.validation_dataset(split, cut.take(order), batch_size=BATCH, input_size=SIZE)


def _on_one_thread(dataset: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.threading.max_intra_op_parallelism = 1
    return dataset.with_options(options)


def _consume(dataset: tf.data.Dataset) -> Callable[[], None]:
    def consume() -> None:
        for _ in dataset:
            pass

    return consume


def _windows_per_decoding(cut: windows.Windows) -> float:
    count = BATCH * RUNS[1]
    block = pipeline.batches_per_block(len(cut), BATCH, SIZE) * BATCH
    return count / len(windows.plan_schedule(cut, count, block, seed=0).visits)


def _proposals(split: voc.Split) -> dict[str, Proposals]:
    found = {}
    for image_id in split.ids:
        header = maps.read_header(split, image_id)
        grid = multi_scale_grid(header.height, header.width, SCALES, overlap=0.75)
        found[image_id] = Proposals(grid, np.zeros(len(grid), np.float32))
    return found


if __name__ == "__main__":
    for figure in measure():
        print(figure)
