"""One image -> one label map: how networks see it, their scores, the CRF, labels."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.crf import DenseCRF
from tfdeconv.errors import UserError
from tfdeconv.models import class_names, load_for_inference
from tfdeconv.progress import track
from tfdeconv.segmentation import averaging, sliding
from tfdeconv.segmentation.aggregate import MODES, Canvas
from tfdeconv.segmentation.network import Network
from tfdeconv.segmentation.pipeline import (
    Pipeline,
    canvas_size,
    refine,
    rows_in_strip,
    rows_of,
    traced_labels,
)
from tfdeconv.segmentation.prefetch import prefetch
from tfdeconv.segmentation.regions import PROPOSALS, ProposedRegions, find_boxes
from tfdeconv.segmentation.sliding import SlidingWindows
from tfdeconv.segmentation.whole_image import WholeImage, size_rule


class Segmenter:
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
        boxes: the most proposals to use besides the whole image; 0 for the whole image alone.
        aggregate: `"max"`, `"mean"` or `"release"` (`tfdeconv.segmentation.aggregate`).
        proposals: `"edges"` or `"grid"`, where boxes come from (`tfdeconv.segmentation.regions`).
        batch_size: the most regions that go through the network at a time.
        ensemble: None or a second model for the same classes, of either kind, or where it is saved.
        ensemble_mode: how the two become one: `"mean"` of their probabilities, as the paper has it,
            or `"product"` of their scores, as its release does (`tfdeconv.segmentation.averaging`),
            for which they are aggregated as by `"release"`.
        crf: refines the labels of `segment` to the edges of the image; where it has more than 2**22
            pixels (2365x1774), it does so on a smaller one.
        precision: what the networks compute in, `"float32"`, `"bfloat16"`, `"float16"` or
            `"auto"` (`tfdeconv.segmentation.network`); None for what they compute in already.
        window: None, or the side in pixels of windows to see the image in; `"auto"` for the
            network's input, or 512 where it takes any size.
        overlap: the share of a window's side that the next one covers, too, in [0, 0.9].
        flip: whether the networks see the mirror image of every region, image or window, too; the
            mean of both probabilities is taken.
        scales: what the size at which an image is seen is multiplied by, one view each, from 0.1
            to 4; the mean of all is taken. Not for proposals, which show every object at one size.

    Attributes:
        model: The network as it is run, folded (`tfdeconv.weights.fold_batch_norm`) and in the
            precision chosen. After further training of `model`, make another segmenter.
        network: `model` as what runs it (`tfdeconv.segmentation.network`).

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
        _require_counts(boxes, batch_size)
        _require_choice("aggregate", aggregate, MODES)
        _require_choice("proposals", proposals, PROPOSALS)
        _require_choice("ensemble_mode", ensemble_mode, tuple(averaging.ENSEMBLE_MODES))
        sliding.require_window(window, overlap)
        scales = averaging.as_scales(scales)
        if ensemble is not None and ensemble_mode == "product":
            aggregate = "release"
        if aggregate == "release" and (window is not None or flip or scales != (1.0,)):
            raise UserError(
                "`window`, `flip` and `scales` average probabilities, and must not come with raw "
                'scores. Received: aggregate="release" or ensemble_mode="product". Choose "max" '
                'and "mean", or leave them out.'
            )
        given = [model] if ensemble is None else [model, ensemble]
        networks = [Network(_opened(one), precision, flip) for one in given]
        if ensemble is not None:
            averaging.require_same_classes(networks[0].model, networks[1].model)
        self.network, self.model = networks[0], networks[0].model
        self.input_size, self.num_classes = networks[0].input_size, networks[0].num_classes
        self.boxes, self.aggregate, self.proposals, self.crf = boxes, aggregate, proposals, crf
        self._names = next(filter(None, (class_names(one.model) for one in networks)), None)
        self._join = averaging.ENSEMBLE_MODES[ensemble_mode]
        # Of every network its views, one a scale; one of both lists is empty.
        self._pipelines: list[list[Pipeline]] = []
        self._windows: list[list[SlidingWindows]] = []
        for one in networks:
            if window is None:
                self._pipelines.append(_pipelines(one, boxes, batch_size, aggregate, scales))
            else:
                self._windows.append(
                    [SlidingWindows(one, window, overlap, batch_size, scale) for scale in scales]
                )
        first = self._windows[0][0] if self._windows else self._pipelines[0][0]
        self.batch_size = first.batch_size
        of_squares = any(one.input_size is not None for one in networks)
        self._needs_boxes = window is None and boxes > 0 and of_squares
        self._label = traced_labels(self.num_classes)

    @classmethod
    def from_preset(cls, preset: str | os.PathLike[str], **options: Any) -> "Segmenter":
        """Opens a preset folder of `tfdeconv.hub`, without KerasHub; options as above."""
        return cls(preset, **options)

    @property
    def pipeline(self) -> Pipeline:
        """The steps of the first network, at the first scale, for whoever wants to watch them.

        Raises:
            ValueError: when the network sees windows.
        """
        if self._windows:
            raise ValueError(
                "`pipeline` is there only without windows. Received: a segmenter with `window`. "
                "Ask for `scores`."
            )
        return self._pipelines[0][0]

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names that came with the model, or with the second one; None without any."""
        return self._names

    def segment(
        self, image: np.ndarray, boxes: np.ndarray | None = None, description: str | None = None
    ) -> np.ndarray:
        """Labels every pixel of an image.

        Args:
            image: `(height, width, 3)` uint8 RGB.
            boxes: `(n, 4)` proposals, best first, to use in place of those that the segmenter would
                find; n may be 0.
            description: of a progress bar over the rows of the image, where windows slide over it;
                None for none.

        Returns:
            `(height, width)` uint8 labels; of equal scores the first class wins.

        Raises:
            ValueError: when an argument is of another kind.
            UserError: when the network's scores are NaN.
        """
        return self._labels(image, self._checked(image, boxes), description)

    def segment_all(
        self, images: Iterable[np.ndarray], boxes: Iterable[np.ndarray | None] | None = None
    ) -> Iterator[np.ndarray]:
        """Labels every pixel of many images; finds the boxes of the next one in the meantime.

        Images are taken as they are needed, one before its turn.

        Args:
            images: `(height, width, 3)` uint8 RGB each, of any sizes. None may change before its
                labels are there: one array must not be filled again and again.
            boxes: `(n, 4)` proposals, best first, for every image, or None in the place of one for
                which they are to be found; None to find all.

        Yields:
            `(height, width)` uint8 labels, in the order of the images.

        Raises:
            UserError: when the network's scores of an image are NaN.
            ValueError: when an image or boxes are of another kind, or their numbers differ. These,
                and what `images` itself raises, come after the labels of all images before.

        Example:

        >>> from tfdeconv import Segmenter
        >>> from tfdeconv.models import DeconvNet
        >>> segmenter = Segmenter(DeconvNet(2, (32, 32, 3), width=1 / 32), boxes=0)
        >>> images = (np.zeros((40, width, 3), np.uint8) for width in (70, 30))
        >>> [labels.shape for labels in segmenter.segment_all(images)]
        [(40, 70), (40, 30)]
        """
        given = (
            zip(images, itertools.repeat(None))
            if boxes is None
            else zip(images, boxes, strict=True)
        )
        for (image, _), found in prefetch(lambda pair: self._checked(*pair), given):
            yield self._labels(image, found())

    def scores(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """Returns the combined scores, before the CRF; arguments and errors as `segment`.

        Returns:
            `(height, width, classes)` float32 scores before softmax, 4 bytes each, however many:
            logarithms of probabilities, which are such scores, too, unless as in the release.
        """
        boxes = self._checked(image, boxes)
        height, width = image.shape[:2]
        if self._windows:
            return _collected(self._strips(image), height, width, self.num_classes)
        combined, step = self._combined(image, boxes), rows_in_strip(width, self.num_classes)
        strips = (
            rows_of(combined, top, min(top + step, height), height, width)
            for top in range(0, height, step)
        )
        return _collected(strips, height, width, self.num_classes)

    def regions(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """Returns the `(m, 4)` int32 regions that the network sees; arguments as `segment`."""
        boxes = self._checked(image, boxes)
        height, width = image.shape[:2]
        if self._windows:
            return np.concatenate([view.regions(height, width) for view in self._windows[0]])
        if self.input_size is None:
            return np.array([[0, 0, height, width]], np.int32)
        return self.pipeline.regions(boxes, height, width).numpy()

    def find_boxes(self, image: np.ndarray) -> np.ndarray:
        """Returns the `(n, 4)` boxes that `segment` finds; none where no network needs any."""
        if not self._needs_boxes:
            return np.zeros((0, 4), np.float32)
        return find_boxes(image, self.proposals)

    def _checked(self, image: np.ndarray, boxes: np.ndarray | None) -> np.ndarray:
        shape, dtype = np.shape(image), getattr(image, "dtype", None)
        if len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
            raise ValueError(
                "`image` must be a non-empty (height, width, 3) uint8 RGB array. Received: "
                f"shape={shape}, dtype={dtype}. `tfdeconv.images.read_image` gives one for any "
                "file."
            )
        return _as_boxes(self.find_boxes(image) if boxes is None else boxes)

    def _labels(
        self, image: np.ndarray, boxes: np.ndarray, description: str | None = None
    ) -> np.ndarray:
        height, width = image.shape[:2]
        if self._windows and self.crf is None:
            return _label_rows(self._strips(image), height, width, description)
        scores = self._combined(image, boxes)
        if self.crf is not None:
            scores = refine(self.crf, scores, tf.convert_to_tensor(image))
        return self._label(scores, height, width)[0].numpy()

    def _combined(self, image: np.ndarray, boxes: np.ndarray) -> tf.Tensor:
        """Returns the scores of all networks and scales on the canvas."""
        if self._windows:
            height, width = image.shape[:2]
            rows, columns = canvas_size(height, width, self.num_classes).numpy().tolist()
            strips = sliding.resized(self._strips(image), (height, width), (rows, columns))
            return tf.convert_to_tensor(_collected(strips, rows, columns, self.num_classes))
        of_networks = [
            averaging.combined(
                averaging.mean_probabilities,
                [combined_scores(one, image, boxes) for one in pipelines],
            )
            for pipelines in self._pipelines
        ]
        return averaging.combined(self._join, of_networks)

    def _strips(self, image: np.ndarray) -> Iterator[np.ndarray]:
        """Yields the scores of all networks and scales, seen in windows."""
        of_networks = [
            sliding.combined(averaging.mean_probabilities, [view.strips(image) for view in windows])
            for windows in self._windows
        ]
        return sliding.combined(self._join, of_networks)


def _pipelines(
    network: Network, boxes: int, batch_size: int, aggregate: str, scales: tuple[float, ...]
) -> list[Pipeline]:
    """Returns the steps of a network, one a scale."""
    if network.input_size is None:
        rule = size_rule(network.model)
        return [Pipeline(network, WholeImage(rule, scale), aggregate) for scale in scales]
    if scales != (1.0,):
        raise UserError(
            "`scales` must be (1.0,) for a network that sees proposals: these show it every object "
            f"at the size of its input, whatever the image's. Received: scales={scales}. "
            "Give a `window`, too, or leave them out."
        )
    return [Pipeline(network, ProposedRegions(network.input_size, boxes, batch_size), aggregate)]


def combined_scores(
    pipeline: Pipeline,
    image: np.ndarray,
    boxes: np.ndarray,
    observe: Callable[[np.ndarray, tf.Tensor], None] | None = None,
) -> tf.Tensor:
    """Returns the scores of a network for an image: `(canvas rows, canvas columns, classes)`.

    The scores of a batch are computed while those of the batch before are combined; no more than
    these two are held. `observe` is called with the regions and the scores of every batch.
    """
    height, width = image.shape[:2]
    regions = pipeline.regions(boxes, height, width).numpy()
    # Once, not once a batch: a large image is copied.
    pixels = tf.convert_to_tensor(image)
    canvas = pipeline.start(height, width)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="combine") as pool:
        combining: Future[Canvas] | None = None
        for first in range(0, len(regions), pipeline.batch_size):
            batch = regions[first : first + pipeline.batch_size]
            scores = pipeline.region_scores(pixels, batch)
            if observe is not None:
                observe(batch, scores)
            if combining is not None:
                canvas = combining.result()
            combining = pool.submit(pipeline.add, canvas, scores, batch, height, width)
        return pipeline.finish(canvas if combining is None else combining.result())


def _label_rows(
    strips: Iterator[np.ndarray], height: int, width: int, description: str | None
) -> np.ndarray:
    labels = np.empty((height, width), np.uint8)
    rows = (row for strip in strips for row in tf.argmax(strip, axis=-1).numpy())
    for index, row in enumerate(rows if description is None else track(rows, description, height)):
        labels[index] = row
    return labels


def _collected(
    strips: Iterable[tf.Tensor | np.ndarray], height: int, width: int, num_classes: int
) -> np.ndarray:
    scores, done = np.empty((height, width, num_classes), np.float32), 0
    for strip in strips:
        scores[done : done + len(strip)] = strip
        done += len(strip)
    return scores


def _opened(model: keras.Model | str | os.PathLike[str]) -> keras.Model:
    return model if isinstance(model, keras.Model) else load_for_inference(model)


def _as_boxes(boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.all(np.abs(boxes) < 2**29):
        raise ValueError(
            "`boxes` must be an (n, 4) array of finite top, left, bottom, right in pixels. "
            f"Received: shape={boxes.shape}, {boxes}"
        )
    return boxes


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}. Received: {name}={value!r}")


def _require_counts(boxes: int, batch_size: int) -> None:
    if boxes < 0 or batch_size < 1:
        raise ValueError(
            "`boxes` must be at least 0 and `batch_size` at least 1. "
            f"Received: boxes={boxes}, batch_size={batch_size}"
        )
