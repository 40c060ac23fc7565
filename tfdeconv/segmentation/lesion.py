"""What a network loses with each of its residual blocks, and with several at random.

Reference:
    Andreas Veit, Michael Wilber, Serge Belongie. Residual Networks Behave Like Ensembles of
    Relatively Shallow Networks. NIPS 2016. Sections 4.1 and 4.2, figures 3 and 5a.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from tfdeconv import images, metrics
from tfdeconv.data import maps
from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.models.residual import delete, residual_blocks, with_switches
from tfdeconv.progress import track
from tfdeconv.segmentation.segmenter import Segmenter


class Lesion(NamedTuple):
    """What was measured without some blocks.

    Attributes:
        deleted: Their names, in the order of the network; none for the network as it is.
        mean_iou: Mean intersection over union of the classes, in [0, 1].
        pixel_accuracy: Share of judged pixels that are right.
    """

    deleted: tuple[str, ...]
    mean_iou: float
    pixel_accuracy: float

    @property
    def error(self) -> float:
        """1 - mean IoU."""
        return 1 - self.mean_iou


def plan(blocks: Sequence[str], draws: int = 5, seed: int = 0) -> list[tuple[str, ...]]:
    """Decides which sets of blocks are deleted.

    Args:
        blocks: Those that can be deleted, in the order of the network.
        draws: How many random sets of every number from 2 to one below all; no set comes twice, so
            that there may be fewer.
        seed: Decides the sets.

    Returns:
        None of the blocks, each alone, the random sets, and all together, without repetition; each
        in the order of the network.

    Example:

    >>> plan(["a", "b", "c"], draws=1)
    [(), ('a',), ('b',), ('c',), ('b', 'c'), ('a', 'b', 'c')]
    """
    generator = np.random.default_rng(seed)
    sets: list[tuple[str, ...]] = [(), *((name,) for name in blocks)]
    for count in range(2, len(blocks)):
        found: dict[tuple[str, ...], None] = {}
        for _ in range(draws):
            chosen = np.sort(generator.choice(len(blocks), count, replace=False))
            found[tuple(blocks[index] for index in chosen)] = None
        sets += found
    return list(dict.fromkeys([*sets, tuple(blocks)]))


def lesions(
    model: keras.Model, split: Split, draws: int = 5, seed: int = 0
) -> tuple[list[Lesion], tuple[str, ...]]:
    """Measures a network without each of its residual blocks, and without several at random.

    Every image is read once and goes through the network with all sets of blocks deleted in turn;
    it is otherwise measured as `tfdeconv.segmentation.evaluate` does.

    Args:
        model: A network with residual blocks that sees whole images, such as PSPNet or FRRN.
        split: The data, with the classes of the model.
        draws: See `plan`.
        seed: See `plan`.

    Returns:
        The `Lesion`s in the order of `plan`, and the blocks that cannot be deleted.

    Raises:
        UserError: when there is nothing to delete, or the data cannot be used.
    """
    deletable, projected = residual_blocks(model)
    if not deletable:
        raise UserError(
            "A model must have residual blocks with an identity shortcut, as pspnet50, pspnet101, "
            f"deeplab_aspp_resnet101, frrn_a and frrn_b have. Received: {model.name} without any."
        )
    segmenter, classes = Segmenter(with_switches(model), boxes=0), len(split.class_names)
    if segmenter.num_classes != classes or segmenter.class_names not in (None, split.class_names):
        raise UserError(
            f"`{split.root}` must have the model's {segmenter.num_classes} classes. Received: "
            f"{classes} ({', '.join(split.class_names)}). Take a model trained on this data."
        )
    sets = plan(list(deletable), draws, seed)
    confusions = np.zeros((len(sets), classes, classes), np.int64)
    work = itertools.product(split.ids, enumerate(sets))
    for image_id, (number, names) in track(work, "Deleting", len(split.ids) * len(sets)):
        if number == 0:
            truth = maps.read_labels(split, image_id, maps.read_header(split, image_id))
            image = images.read_image(split.image_path(image_id))
        delete(segmenter.model, set(names))
        found = segmenter.segment(image)
        confusions[number] += metrics.confusion_matrix(truth, found, classes)
    return [
        Lesion(names, metrics.mean_iou(confusion), metrics.pixel_accuracy(confusion))
        for names, confusion in zip(sets, confusions, strict=True)
    ], projected
