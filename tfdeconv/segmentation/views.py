"""How a network sees an image: by proposals, as a whole, or in windows.

Each way gives scores of all pixels as a `ScoreMap`, so that labels, the CRF and a second network
need not know which it was.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.errors import UserError
from tfdeconv.segmentation.picture import Picture
from tfdeconv.segmentation.proposed_regions import ProposedRegions
from tfdeconv.segmentation.score_map import ScoreMap, combined
from tfdeconv.segmentation.sliding import SlidingWindows
from tfdeconv.segmentation.whole_image import WholeImage


class View(Protocol):
    """One way of seeing images.

    Attributes:
        needs_boxes: whether proposals matter to it.
        batch_size: the most pictures of one image that go through the network at a time.
        images_in_batch: of how many images they go through it together.
        run: the network: `(n, rows, columns, 3)` float32 pictures to scores.
    """

    needs_boxes: bool
    batch_size: int
    images_in_batch: int
    run: Callable[[np.ndarray], np.ndarray]

    def regions(self, height: int, width: int, boxes: np.ndarray) -> np.ndarray:
        """Returns the `(m, 4)` int32 regions of an image that the network sees."""

    def scores(self, image: np.ndarray, boxes: np.ndarray) -> ScoreMap:
        """Returns the scores before softmax of the whole image."""


def view_of(
    model: keras.Model,
    boxes: int,
    aggregate: str,
    batch_size: int,
    window: int | str | None,
    overlap: float,
    flip: bool,
    scales: tuple[float, ...],
) -> View:
    """Returns how a network is to see images; arguments as `Segmenter`.

    Raises:
        UserError: when the choices do not go together.
    """
    if aggregate == "release" and (window is not None or flip or scales != (1.0,)):
        raise UserError(
            "`window`, `flip` and `scales` average probabilities, and must not come with raw "
            'scores. Received: aggregate="release" or ensemble_mode="product". Choose "max" and '
            '"mean", or leave them out.'
        )
    if window is not None:
        side = None if isinstance(window, str) else window
        return SlidingWindows(model, side, overlap, batch_size, flip, scales)
    if model.input_shape[1] is None:
        return WholeImage(model, aggregate, flip, scales)
    if scales != (1.0,):
        raise UserError(
            "`scales` must be (1.0,) for a network that sees proposals: these show it every object "
            f"at the size of its input, whatever the image's. Received: scales={scales}. "
            "Give a `window`, too, or leave them out."
        )
    return ProposedRegions(model, boxes, aggregate, batch_size, flip)


def score_maps(
    views: Sequence[View], pictures: Sequence[Picture], combine: Callable[..., tf.Tensor]
) -> list[Callable[[], ScoreMap]]:
    """Returns for each image what gives its scores, where it can be from one run of the network.

    Args:
        views: how one network or several see the images.
        pictures: the images, with their boxes.
        combine: makes one of the scores of several networks (`score_map.combined`).
    """

    def one_map(found: Sequence[Callable[[], ScoreMap]]) -> ScoreMap:
        maps = [see() for see in found]
        return maps[0] if len(maps) == 1 else combined(maps, combine)

    seen = zip(*(_seen(view, pictures) for view in views), strict=True)
    return [functools.partial(one_map, found) for found in seen]


def _seen(view: View, pictures: Sequence[Picture]) -> list[Callable[[], ScoreMap]]:
    if isinstance(view, ProposedRegions) and 1 < len(pictures) <= view.images_in_batch:
        return view.together(pictures)
    return [functools.partial(view.scores, one.image, one.boxes) for one in pictures]


def regions_of(view: View) -> ProposedRegions:
    """Returns the view of a network that sees regions.

    Raises:
        ValueError: when it is another one.
    """
    if not isinstance(view, ProposedRegions):
        raise ValueError(
            "Regions can be asked only of a network that sees proposals. Received: one that sees "
            f"`{type(view).__name__}`. Ask for `scores`."
        )
    return view
