"""Lesion study: evaluation of a network with some of its residual blocks deleted.

Reference:
    Andreas Veit, Michael Wilber, Serge Belongie. Residual Networks Behave Like Ensembles of
    Relatively Shallow Networks. NIPS 2016. Sections 4.1 and 4.2, figures 3 and 5a.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from tfdeconv.data.voc import Split
from tfdeconv.errors import UserError
from tfdeconv.models.residual import delete, residual_blocks, with_switches
from tfdeconv.segmentation.evaluate import evaluate
from tfdeconv.segmentation.segmenter import Segmenter


class Lesion(NamedTuple):
    """A network without some blocks.

    Attributes:
        deleted: Their names, in the order of the network; empty for the intact network.
        mean_iou: Mean intersection over union of the classes, in [0, 1].
        pixel_accuracy: Share of labelled pixels that are right.
    """

    deleted: tuple[str, ...]
    mean_iou: float
    pixel_accuracy: float

    @property
    def error(self) -> float:
        """1 - mean IoU."""
        return 1 - self.mean_iou


def plan(blocks: Sequence[str], draws: int = 5, seed: int = 0) -> list[tuple[str, ...]]:
    """Returns the sets of blocks to delete, each in the order of the network.

    They are no block, each block alone, `draws` random sets of every number from 2 to one below
    all (fewer where sets repeat), and all blocks together.

    Example:

    >>> plan(["a", "b", "c"], draws=1)
    [(), ('a',), ('b',), ('c',), ('b', 'c'), ('a', 'b', 'c')]
    """
    generator = np.random.default_rng(seed)
    sets: list[tuple[str, ...]] = [(), *((name,) for name in blocks)]
    for count in range(2, len(blocks)):
        for _ in range(draws):
            chosen = np.sort(generator.choice(len(blocks), count, replace=False))
            sets.append(tuple(blocks[index] for index in chosen))
    return list(dict.fromkeys([*sets, tuple(blocks)]))


def lesions(
    model: keras.Model, split: Split, draws: int = 5, seed: int = 0
) -> tuple[list[Lesion], tuple[str, ...]]:
    """Evaluates a network without each of its residual blocks, and without random sets of them.

    Args:
        model: A network with residual blocks that takes images of every size, such as PSPNet.
        split: The data, with the classes of the model.
        draws: Random sets of every number of blocks, see `plan`.
        seed: Decides the sets.

    Returns:
        The `Lesion`s in the order of `plan`, and the blocks that cannot be deleted.

    Raises:
        UserError: when the model has no block to delete, or the data cannot be used.
    """
    deletable, projected = residual_blocks(model)
    if not deletable:
        raise UserError(
            "A model must have residual blocks with an identity shortcut, as pspnet50, pspnet101, "
            f"deeplab_aspp_resnet101, frrn_a and frrn_b have. Received: {model.name} without any."
        )
    segmenter = Segmenter(with_switches(model), boxes=0)
    found = []
    for names in plan(list(deletable), draws, seed):
        delete(segmenter.model, set(names))
        evaluation = evaluate(segmenter, split)
        found.append(Lesion(names, evaluation.mean_iou, evaluation.pixel_accuracy))
    return found, projected
