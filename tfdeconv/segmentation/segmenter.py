"""`Segmenter`: the options of segmentation, and the loops over images."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.crf import DenseCRF
from tfdeconv.data.whole_images import LONGEST_SIDE
from tfdeconv.errors import UserError
from tfdeconv.models import class_names, load_for_inference
from tfdeconv.progress import track
from tfdeconv.segmentation import averaging, sliding
from tfdeconv.segmentation.aggregate import MODES
from tfdeconv.segmentation.averaging import Strips, collected, combined, in_strips
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
from tfdeconv.segmentation.regions import (
    PROPOSALS,
    ProposedRegions,
    WholeImage,
    find_boxes,
    size_rule,
)
from tfdeconv.segmentation.sliding import PIXELS_IN_BATCH, SlidingWindows


class Segmenter:
    """Segments images of any size, with one network or two.

    A fixed-size network, such as DeconvNet, runs on the full image and on the squares around the
    best object proposals (`tfdeconv.segmentation.regions`); scores are merged per pixel
    (`tfdeconv.segmentation.aggregate`). Memory is bounded whatever the size of the image and the
    number of boxes: above 2**26 scores (2064x1548 pixels with 21 classes), scores are merged on a
    smaller canvas and enlarged strip by strip; crops are still cut at full resolution.

    A fully convolutional network, such as FCN, runs on the full image, at most 500 pixels long.
    With `window`, either kind runs on windows that slide over the image at full resolution
    (`tfdeconv.segmentation.sliding`). In both cases boxes are ignored, and `"max"` and `"mean"` are
    the same.

    Args:
        model: Any Keras model from RGB in [0, 255], `(batch, size, size, 3)` or
            `(batch, None, None, 3)`, to logits, `(batch, rows, columns, classes)` with 2 to 255
            classes, or the path of one.
        boxes: maximum number of proposals to use in addition to the full image.
        aggregate: `"max"`, `"mean"` or `"raw_max"` (`tfdeconv.segmentation.aggregate`).
        proposals: `"edges"` or `"grid"`, the source of boxes (`tfdeconv.segmentation.regions`).
        batch_size: maximum number of regions, or of images in `segment_all`, in a batch.
        ensemble: None, or a second model for the same classes, of either kind, or its path.
        ensemble_mode: `"mean"` of the probabilities of both, as in the paper, or `"product"` of
            their logits, as in the release (`tfdeconv.segmentation.averaging`), which sets
            `aggregate` to `"raw_max"`.
        crf: a `DenseCRF` that refines the labels of `segment`. Images of more than 2**22 pixels
            (2365x1774) are refined at a lower resolution.
        precision: what the networks compute in, `"float32"`, `"bfloat16"`, `"float16"` or
            `"auto"` (`tfdeconv.segmentation.network`); None for the models' own.
        window: None, or the side of sliding windows in pixels; `"auto"` for the network's input, or
            512 where it takes any size.
        overlap: overlap of adjacent windows as a fraction of the window size, in [0, 0.9].
        flip: whether to average probabilities with those of mirrored regions, images or windows.
        scales: factors from 0.1 to 4 by which the image is resized; probabilities are averaged over
            them. Not for proposals, whose crops have the size of the network's input anyway.

    Attributes:
        model: The network as it is run, folded (`tfdeconv.weights.fold_batch_norm`) and in the
            precision chosen. After further training of `model`, make another segmenter.
        network: `model` as what runs it (`tfdeconv.segmentation.network`).
        class_names: The names of the model's classes, or of the second model's; None without any.

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
        if boxes < 0 or batch_size < 1:
            raise ValueError(
                "`boxes` must be at least 0 and `batch_size` at least 1. "
                f"Received: boxes={boxes}, batch_size={batch_size}"
            )
        _require_choice("aggregate", aggregate, MODES)
        _require_choice("proposals", proposals, PROPOSALS)
        _require_choice("ensemble_mode", ensemble_mode, tuple(averaging.ENSEMBLE_MODES))
        sliding.require_window(window, overlap)
        scales = averaging.as_scales(scales)
        if ensemble is not None and ensemble_mode == "product":
            aggregate = "raw_max"
        if aggregate == "raw_max" and (window is not None or flip or scales != (1.0,)):
            raise UserError(
                "`window`, `flip` and `scales` average probabilities and cannot be combined with "
                'raw logits. Received: aggregate="raw_max" or ensemble_mode="product". Choose '
                '"max" and "mean", or omit them.'
            )
        given = [model] if ensemble is None else [model, ensemble]
        networks = [Network(_opened(one), precision, flip) for one in given]
        if ensemble is not None:
            averaging.require_same_classes(networks[0].model, networks[1].model)
        self.network, self.model = networks[0], networks[0].model
        self.input_size, self.num_classes = networks[0].input_size, networks[0].num_classes
        self.boxes, self.aggregate, self.proposals, self.crf = boxes, aggregate, proposals, crf
        self.class_names = next(filter(None, (class_names(one.model) for one in networks)), None)
        self._join = averaging.ENSEMBLE_MODES[ensemble_mode]
        # A list of each network, one entry a scale; one of the two lists is empty.
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
        sides = [one.input_size for one in networks]
        self._needs_boxes = window is None and boxes > 0 and any(sides)
        # The most images, and pixels of an image, in a batch without boxes.
        self._most_images = 1 if self._needs_boxes or window is not None else batch_size
        self._most_pixels = max(side or LONGEST_SIDE for side in sides) ** 2
        self._label = traced_labels(self.num_classes)

    @classmethod
    def from_preset(cls, preset: str | os.PathLike[str], **options: Any) -> "Segmenter":
        """Opens a preset folder of `tfdeconv.hub`, without KerasHub; options as of the class."""
        return cls(preset, **options)

    @property
    def pipeline(self) -> Pipeline:
        """The steps of the first network, at the first scale.

        Raises:
            ValueError: when the segmenter uses windows.
        """
        if self._windows:
            raise ValueError(
                "`pipeline` exists only without windows. Received: a segmenter with `window`. "
                "Use `scores`."
            )
        return self._pipelines[0][0]

    def segment(
        self, image: np.ndarray, boxes: np.ndarray | None = None, description: str | None = None
    ) -> np.ndarray:
        """Labels every pixel of an image.

        Args:
            image: `(height, width, 3)` uint8 RGB.
            boxes: `(n, 4)` proposals, best first; n may be 0. None to find them.
            description: of a progress bar over the rows of the image, with windows only; None for
                none.

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
        """Labels every pixel of many images.

        The next image is taken from `images`, and its boxes are computed, in a background thread.
        Without boxes, consecutive images of one size share a batch. At most the batch and two more
        images are held in memory.

        Args:
            images: `(height, width, 3)` uint8 RGB each, of any sizes. Arrays must not be modified
                until their labels are returned.
            boxes: `(n, 4)` proposals, best first, for every image, or None for an image for which
                they are to be computed; None to compute all.

        Yields:
            `(height, width)` uint8 labels, in the order of the images.

        Raises:
            UserError: when the network's scores of a batch are NaN.
            ValueError: when an image or boxes have a wrong shape or dtype, or their numbers differ.
                These errors, and those of `images` itself, are raised after the labels of all
                images before.

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
        for batch, found in self._batches(given):
            if len(batch) == 1:
                yield self._labels(batch[0], found)
            else:
                of_images = self._combined(batch, found)
                yield from map(self._label_scores, batch, of_images)

    def _batches(
        self, given: Iterable[tuple[np.ndarray, np.ndarray | None]]
    ) -> Iterator[tuple[list[np.ndarray], np.ndarray]]:
        """Yields images of one size that share a batch, and the boxes of a single one."""
        batch: list[np.ndarray] = []
        found = np.zeros((0, 4), np.float32)
        try:
            for (image, _), result in prefetch(lambda pair: self._checked(*pair), given):
                boxes = result()
                if batch and image.shape != batch[0].shape:
                    yield batch, found
                    batch = []
                batch.append(image)
                found = boxes
                pixels = min(self._most_pixels, image.shape[0] * image.shape[1])
                if len(batch) >= min(self._most_images, PIXELS_IN_BATCH // pixels):
                    yield batch, found
                    batch = []
        except Exception:
            if batch:
                yield batch, found
            raise
        if batch:
            yield batch, found

    def scores(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """Returns the combined scores, before the CRF; arguments and errors as `segment`.

        Returns:
            `(height, width, classes)` float32: log probabilities, or with `"raw_max"` the largest
            logits.
        """
        boxes = self._checked(image, boxes)
        height, width = image.shape[:2]
        if self._windows:
            return collected(self._strips(image), height, width, self.num_classes)
        (scores,) = self._combined([image], boxes)
        step = rows_in_strip(width, self.num_classes)
        strips = (
            rows_of(scores, top, min(top + step, height), height, width)
            for top in range(0, height, step)
        )
        return collected(strips, height, width, self.num_classes)

    def regions(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """Returns the `(m, 4)` int32 regions that the network runs on; arguments as `segment`."""
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
        """Checks an image, and checks or finds its boxes."""
        shape, dtype = np.shape(image), getattr(image, "dtype", None)
        if len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
            raise ValueError(
                "`image` must be a non-empty (height, width, 3) uint8 RGB array. Received: "
                f"shape={shape}, dtype={dtype}. `tfdeconv.images.read_image` gives one for any "
                "file."
            )
        boxes = np.asarray(self.find_boxes(image) if boxes is None else boxes, np.float32)
        if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.all(np.abs(boxes) < 2**29):
            raise ValueError(
                "`boxes` must be an (n, 4) array of finite top, left, bottom, right in pixels. "
                f"Received: shape={boxes.shape}, {boxes}"
            )
        return boxes

    def _labels(
        self, image: np.ndarray, boxes: np.ndarray, description: str | None = None
    ) -> np.ndarray:
        if self._windows and self.crf is None:
            return _label_rows(self._strips(image), image.shape[:2], description)
        (scores,) = self._combined([image], boxes)
        return self._label_scores(image, scores)

    def _label_scores(self, image: np.ndarray, scores: tf.Tensor) -> np.ndarray:
        if self.crf is not None:
            scores = refine(self.crf, scores, tf.convert_to_tensor(image))
        return self._label(scores, *image.shape[:2])[0].numpy()

    def _combined(self, images: list[np.ndarray], boxes: np.ndarray) -> list[tf.Tensor]:
        """Returns the scores of all networks and scales on the canvas of each image.

        Args:
            images: one image; or several of one size, when neither boxes nor windows are used.
            boxes: those of the one image.
        """
        if self._windows:
            height, width = images[0].shape[:2]
            rows, columns = canvas_size(height, width, self.num_classes).numpy().tolist()
            strips = sliding.resized(self._strips(images[0]), (height, width), (rows, columns))
            return [tf.convert_to_tensor(collected(strips, rows, columns, self.num_classes))]
        of_networks = []
        for pipelines in self._pipelines:
            of_scales = [
                [one.combined_scores(images[0], boxes)]
                if len(images) == 1
                else one.full_image_scores(images)
                for one in pipelines
            ]
            of_networks.append(
                [_join(averaging.mean_probabilities, maps) for maps in zip(*of_scales, strict=True)]
            )
        return [_join(self._join, maps) for maps in zip(*of_networks, strict=True)]

    def _strips(self, image: np.ndarray) -> Strips:
        """Yields the scores of all networks and scales of sliding windows."""
        of_networks = [
            combined(averaging.mean_probabilities, [view.strips(image) for view in windows])
            for windows in self._windows
        ]
        return combined(self._join, of_networks)


def _pipelines(
    network: Network, boxes: int, batch_size: int, aggregate: str, scales: tuple[float, ...]
) -> list[Pipeline]:
    """Returns the steps of a network, one entry a scale."""
    if network.input_size is None:
        rule = size_rule(network.model)
        return [Pipeline(network, WholeImage(rule, scale), aggregate) for scale in scales]
    if scales != (1.0,):
        raise UserError(
            "`scales` must be (1.0,) for a network that uses proposals: their crops have the size "
            f"of its input, whatever the image's. Received: scales={scales}. Add a `window`, or "
            "leave out `scales`."
        )
    return [Pipeline(network, ProposedRegions(network.input_size, boxes, batch_size), aggregate)]


def _join(combine: Any, maps: Sequence[tf.Tensor]) -> tf.Tensor:
    """Combines score maps of one size strip by strip; a single one is left as it is."""
    if len(maps) == 1:
        return maps[0]
    return collected(combined(combine, [in_strips(one) for one in maps]), *maps[0].shape)


def _label_rows(strips: Strips, size: tuple[int, int], description: str | None) -> np.ndarray:
    labels = np.empty(size, np.uint8)
    rows = (row for strip in strips for row in tf.argmax(strip, axis=-1).numpy())
    for index, row in enumerate(rows if description is None else track(rows, description, size[0])):
        labels[index] = row
    return labels


def _opened(model: keras.Model | str | os.PathLike[str]) -> keras.Model:
    return model if isinstance(model, keras.Model) else load_for_inference(model)


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}. Received: {name}={value!r}")
