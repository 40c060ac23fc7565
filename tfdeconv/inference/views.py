"""How a network sees an image: by proposals, as a whole, or in windows.

Each way gives scores of all pixels as a `ScoreMap`, so that labels, the CRF and a second network
need not know which it was.
"""

from collections.abc import Callable
from typing import Protocol

import keras
import numpy as np

from tfdeconv.errors import UserError
from tfdeconv.inference.proposed_regions import ProposedRegions
from tfdeconv.inference.score_map import ScoreMap
from tfdeconv.inference.sliding import SlidingWindows
from tfdeconv.inference.whole_image import WholeImage


class View(Protocol):
    """One way of seeing images.

    Attributes:
        needs_boxes: whether proposals matter to it.
        batch_size: the most pictures that go through the network at a time.
        run: the network: `(n, rows, columns, 3)` float32 pictures to scores.
    """

    needs_boxes: bool
    batch_size: int
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
