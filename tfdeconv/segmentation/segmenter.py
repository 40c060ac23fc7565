"""One image -> one label map: how networks see it, their scores, the CRF, labels."""

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.crf import DenseCRF
from tfdeconv.models import class_names, load_for_inference
from tfdeconv.segmentation import checks
from tfdeconv.segmentation import ensemble as ensembles
from tfdeconv.segmentation.aggregate import MODES
from tfdeconv.segmentation.network import inference_network
from tfdeconv.segmentation.picture import Picture
from tfdeconv.segmentation.refine import refine_map
from tfdeconv.segmentation.score_map import ScoreMap, collected, label_pixels, resized
from tfdeconv.segmentation.search import PROPOSALS, find_boxes
from tfdeconv.segmentation.several import SegmentsSeveral
from tfdeconv.segmentation.views import regions_of, score_maps, view_of


class Segmenter(SegmentsSeveral):
    """Segments images of any size, with one network or two.

    A network for squares of one size sees the whole image and the squares about the best object
    proposals (`tfdeconv.segmentation.regions`), and what it says of each is combined pixel by pixel
    (`tfdeconv.segmentation.aggregate`). Memory is bounded whatever the size of the image and the
    number of boxes: above 2**26 scores (2064x1548 pixels with 21 classes), these are combined on a
    smaller canvas and enlarged strip by strip; the network still sees the image's own pixels.

    A network for images of every size, such as FCN, sees the whole image at once and no proposals
    (`tfdeconv.segmentation.whole_image`). With `window`, either kind sees the image at its own
    resolution in windows that slide over it (`tfdeconv.segmentation.sliding`). In both cases boxes
    do not matter, and `"max"` and `"mean"` are the same.

    Args:
        model: Any Keras model from RGB in [0, 255], `(batch, size, size, 3)` or
            `(batch, None, None, 3)`, to scores before softmax, `(batch, rows, columns, classes)`
            with 2 to 255 classes, or where one is saved.
        boxes: the most proposals to use beside the whole image; 0 for the whole image alone.
        aggregate: `"max"`, `"mean"` or `"release"` (`tfdeconv.segmentation.aggregate`).
        proposals: `"edges"` or `"grid"`, where boxes come from (`tfdeconv.segmentation.search`).
        batch_size: the most regions that go through the network at a time.
        ensemble: None or a second model for the same classes, of either kind, or where it is saved.
        ensemble_mode: how the two become one: `"mean"` of their probabilities, as the paper has it,
            or `"product"` of their scores, as its release does (`tfdeconv.segmentation.ensemble`),
            for which they are aggregated as by `"release"`.
        crf: refines the labels of `segment` to the edges of the image; where it has more than 2**22
            pixels (2365x1774), it does so on a smaller one.
        precision: what the networks compute in, `"float32"`, `"bfloat16"`, `"float16"` or
            `"auto"` (`tfdeconv.segmentation.precision`); None for what they compute in already.
        window: None, or the side in pixels of windows to see the image in; `"auto"` for the
            network's input, or 512 where it takes any size.
        overlap: the share of a window's side that the next one covers, too, in [0, 0.9].
        flip: whether the networks see the mirror image of every region, image or window, too; the
            mean of both probabilities is taken (`tfdeconv.segmentation.augmented`).
        scales: what the size at which an image is shown is multiplied by, one view each, from 0.1
            to 4; the mean of all is taken. Not for proposals, which show every object at one size.

    Attributes:
        model: The network as it is run, folded (`tfdeconv.weights.fold_batch_norm`) and in the
            precision chosen. After further training of `model`, make another segmenter.

    Raises:
        UserError: when a model is no such network, the two have different classes, or `window`,
            `flip` or `scales` do not go with the rest.
        ValueError: when another argument is out of range.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> segmenter = Segmenter(DeconvNet(2, (32, 32, 3), width=1 / 32), boxes=4, proposals="grid")
    >>> segmenter.segment(np.zeros((40, 70, 3), np.uint8)).shape
    (40, 70)

    Reference:
        Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015,
        section 6.1: the best 50 of about 2000 proposals, pixelwise maximum.
    """

    def __init__(
        self,
        model: keras.Model | str | os.PathLike[str],
        boxes: int = 50,
        aggregate: str = "max",
        proposals: str = "edges",
        batch_size: int = 16,
        ensemble: keras.Model | str | os.PathLike[str] | None = None,
        ensemble_mode: str = "mean",
        crf: DenseCRF | None = None,
        precision: str | None = None,
        window: int | str | None = None,
        overlap: float = 0.25,
        flip: bool = False,
        scales: Sequence[float] = (1.0,),
    ) -> None:
        checks.require_counts(boxes, batch_size)
        checks.require_choice("aggregate", aggregate, MODES)
        checks.require_choice("proposals", proposals, PROPOSALS)
        checks.require_choice("ensemble_mode", ensemble_mode, ensembles.MODES)
        seeing: dict[str, Any] = {"window": window, "overlap": overlap, "flip": flip}
        seeing["scales"] = checks.as_scales(scales)
        checks.require_window(window, overlap)
        model = model if isinstance(model, keras.Model) else load_for_inference(model)
        self.input_size, self.num_classes = checks.sizes(model)
        self.model = inference_network(model, precision)
        if ensemble is not None and ensemble_mode == "product":
            aggregate = "release"
        self.boxes, self.aggregate, self.proposals = boxes, aggregate, proposals
        self.ensemble_mode, self.crf = ensemble_mode, crf
        self._view = view_of(self.model, boxes, aggregate, batch_size, **seeing)
        self.batch_size = self._view.batch_size
        self.ensemble: Segmenter | None = None
        if ensemble is not None:
            self.ensemble = Segmenter(
                ensemble, boxes, aggregate, proposals, batch_size, precision=precision, **seeing
            )
            ensembles.require_same_classes(self.model, self.ensemble.model)
        self._views = [one._view for one in (self, self.ensemble) if one is not None]
        self.images_in_batch = max(view.images_in_batch for view in self._views)

    @classmethod
    def from_preset(cls, preset: str | os.PathLike[str], **options: Any) -> "Segmenter":
        """Opens a preset folder of `tfdeconv.hub`, without KerasHub; options as above."""
        return cls(preset, **options)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names that came with the model, or with the second one; None without any."""
        found = class_names(self.model)
        return self.ensemble.class_names if found is None and self.ensemble else found

    def segment(
        self, image: np.ndarray, boxes: np.ndarray | None = None, description: str | None = None
    ) -> np.ndarray:
        """Labels every pixel of an image.

        Args:
            image: `(height, width, 3)` uint8 RGB.
            boxes: `(n, 4)` proposals, best first, to use in place of those that the segmenter would
                find; n may be 0.
            description: of a progress bar over the rows of the image; None for none.

        Returns:
            `(height, width)` uint8 labels; of equal scores the first class wins.

        Raises:
            ValueError: when an argument is of another kind.
            UserError: when the network's scores are NaN.
        """
        (label,) = self.label_maps([self.picture(image, boxes)])
        return label(description)

    def scores(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """Returns the combined scores, before the CRF; arguments and errors as `segment`.

        Returns:
            `(height, width, classes)` float32 scores before softmax, 4 bytes each, however many:
            logarithms of probabilities, which are such scores, too, unless as in the release.
        """
        (see,) = self._see([self.picture(image, boxes)])
        return collected(resized(see(), *image.shape[:2]))

    def regions(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """Returns the `(m, 4)` int32 regions that the network sees; arguments as `segment`."""
        found = self.picture(image, boxes).boxes
        return self._view.regions(image.shape[0], image.shape[1], found)

    def find_boxes(self, image: np.ndarray) -> np.ndarray:
        """Returns the `(n, 4)` boxes that `segment` finds; none where no network needs any."""
        checks.require_image(image)
        if not any(view.needs_boxes for view in self._views):
            return np.zeros((0, 4), np.float32)
        return find_boxes(image, self.proposals)

    def region_scores(self, image: tf.Tensor, regions: np.ndarray) -> np.ndarray:
        """Returns what the network says of one batch of regions: see `ProposedRegions`."""
        return regions_of(self._view).region_scores(image, regions)

    def label_maps(self, pictures: Sequence[Picture]) -> list[Callable[..., np.ndarray]]:
        """Runs the networks over several images together: see `SegmentsSeveral`."""

        def label(
            image: np.ndarray, see: Callable[[], ScoreMap], description: str | None = None
        ) -> np.ndarray:
            scores = see()
            if self.crf is not None:
                scores = refine_map(self.crf, scores, image, self.num_classes)
            return label_pixels(resized(scores, *image.shape[:2]), description)

        seen = zip(pictures, self._see(pictures), strict=True)
        return [functools.partial(label, one.image, see) for one, see in seen]

    def _see(self, pictures: Sequence[Picture]) -> list[Callable[[], ScoreMap]]:
        combine = functools.partial(ensembles.combine, mode=self.ensemble_mode)
        return score_maps(self._views, pictures, combine)
