"""One image -> one label map: proposals, regions, the network, aggregation, labels."""

import os

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.crf import DenseCRF
from tfdeconv.inference import checks
from tfdeconv.inference import ensemble as ensembles
from tfdeconv.inference.aggregate import MODES, Canvas
from tfdeconv.inference.combiner import Combiner
from tfdeconv.inference.cutter import RegionCutter
from tfdeconv.inference.graph import runner
from tfdeconv.inference.network import inference_network
from tfdeconv.inference.refine import refine
from tfdeconv.inference.search import PROPOSALS, find_boxes
from tfdeconv.inference.whole_image import WholeImage
from tfdeconv.models import class_names, load_for_inference


class Segmenter:
    """Segments images of any size, with one network or two.

    A network for squares of one size sees the whole image and the squares about the best object
    proposals (`tfdeconv.inference.regions`), and what it says of each is combined pixel by pixel
    (`tfdeconv.inference.aggregate`). Memory is bounded whatever the size of the image and the
    number of boxes: where height x width x classes is above 2**26 (a photograph of 2064x1548 with
    21 classes), scores are combined on a smaller canvas and enlarged strip by strip; the network
    still sees the pixels of the image itself.

    A network for images of every size, such as FCN, sees the whole image at once and no proposals
    (`tfdeconv.inference.whole_image`); the choices of boxes and aggregation do not matter to it.

    Args:
        model: Any Keras model from RGB in [0, 255], `(batch, size, size, 3)` or
            `(batch, None, None, 3)`, to scores before softmax, `(batch, rows, columns, classes)`
            with 2 to 255 classes, or where one is saved.
        boxes: the most proposals to use beside the whole image; 0 for the whole image alone.
        aggregate: `"max"`, `"mean"` or `"release"` (`tfdeconv.inference.aggregate`).
        proposals: `"edges"` or `"grid"`, where boxes come from (`tfdeconv.inference.search`).
        batch_size: the most regions that go through the network at a time.
        ensemble: None or a second model for the same classes, of either kind, or where it is saved.
        ensemble_mode: how the two become one: `"mean"` of their probabilities, as the paper has it,
            or `"product"` of their scores, as its release does (`tfdeconv.inference.ensemble`),
            for which they are aggregated as by `"release"`.
        crf: refines the labels of `segment` to the edges of the image; where it has more than 2**22
            pixels (2365x1774), it does so on a smaller one.
        precision: what the networks compute in, `"float32"`, `"bfloat16"`, `"float16"` or
            `"auto"` (`tfdeconv.inference.precision`); None for what they compute in already.

    Attributes:
        model: The network as it is run, folded (`tfdeconv.weights.fold_batch_norm`) and in the
            precision chosen. After further training of `model`, make another segmenter.

    Raises:
        UserError: when a model is no such network, or the two have different classes.
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
    ) -> None:
        checks.require_counts(boxes, batch_size)
        checks.require_choice("aggregate", aggregate, MODES)
        checks.require_choice("proposals", proposals, PROPOSALS)
        checks.require_choice("ensemble_mode", ensemble_mode, ensembles.MODES)
        model = model if isinstance(model, keras.Model) else load_for_inference(model)
        self.input_size, self.num_classes = checks.sizes(model)
        self.model = inference_network(model, precision)
        if ensemble is not None and ensemble_mode == "product":
            aggregate = "release"
        self.boxes, self.aggregate, self.proposals = boxes, aggregate, proposals
        self.ensemble_mode, self.crf = ensemble_mode, crf
        self._combiner = Combiner(self.num_classes, aggregate)
        self.batch_size = 1
        if self.input_size is None:
            self._whole = WholeImage(self.model)
        else:
            self._cutter = RegionCutter(self.input_size, boxes, batch_size)
            self.batch_size = self._cutter.batch_size
            self._run = runner(self.model, self.batch_size)
        self.ensemble: Segmenter | None = None
        if ensemble is not None:
            self.ensemble = Segmenter(
                ensemble, boxes, aggregate, proposals, batch_size, precision=precision
            )
            ensembles.require_same_classes(self.model, self.ensemble.model)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names that came with the model, or with the second one; None without any."""
        found = class_names(self.model)
        return self.ensemble.class_names if found is None and self.ensemble else found

    def segment(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """Labels every pixel of an image.

        Args:
            image: `(height, width, 3)` uint8 RGB.
            boxes: `(n, 4)` proposals, best first, to use in place of those that the segmenter would
                find; n may be 0.

        Returns:
            `(height, width)` uint8 labels; of equal scores the first class wins.

        Raises:
            ValueError: when an argument is of another kind, or the network's scores are NaN.
        """
        canvas = self._combine(image, boxes)
        if self.crf is not None:
            canvas = refine(self.crf, self._combiner.result(canvas), image)
        return self._combiner.labels(canvas, *image.shape[:2])

    def scores(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """Returns the combined scores, before the CRF; arguments and errors as `segment`.

        Returns:
            `(height, width, classes)` float32 scores before softmax, 4 bytes each, however many:
            logarithms of probabilities, which are such scores, too, unless as in the release.
        """
        canvas = self._combine(image, boxes)
        return self._combiner.scores(canvas, *image.shape[:2])

    def regions(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """Returns the `(m, 4)` int32 regions that the network sees; arguments as `segment`."""
        checks.require_image(image)
        height, width = image.shape[:2]
        if self.input_size is None:
            return np.array([[0, 0, height, width]], np.int32)
        boxes = self.find_boxes(image) if boxes is None else boxes
        return self._cutter.regions(boxes, height, width)

    def find_boxes(self, image: np.ndarray) -> np.ndarray:
        """Returns the `(n, 4)` boxes that `segment` finds; none where no network needs any."""
        checks.require_image(image)
        both = (self, self.ensemble or self)
        if all(one.input_size is None for one in both):
            return np.zeros((0, 4), np.float32)
        return find_boxes(image, self.proposals)

    def region_scores(self, image: tf.Tensor, regions: np.ndarray) -> np.ndarray:
        """Returns what the network says of one batch of regions.

        Args:
            image: `(height, width, 3)` uint8 RGB, an array or a tensor.
            regions: `(n, 4)` int32 boxes in the image, 1 <= n <= `batch_size`.

        Returns:
            `(n, rows, columns, classes)` float32 scores before softmax, one map a region.
        """
        return checks.as_scores(self._run(self._cutter.crops(image, regions)))

    def _combine(self, image: np.ndarray, boxes: np.ndarray | None) -> Canvas:
        if self.ensemble is None:
            return self._see(image, boxes)
        # Once for both.
        boxes = self.find_boxes(image) if boxes is None else boxes
        first, second = (
            one._combiner.result(one._see(image, boxes)) for one in (self, self.ensemble)
        )
        combined = ensembles.combine_maps(first, second, self.ensemble_mode)
        return Canvas(combined, tf.ones(combined.shape[:2]))

    def _see(self, image: np.ndarray, boxes: np.ndarray | None) -> Canvas:
        regions = self.regions(image, boxes)
        size = image.shape[:2]
        canvas = self._combiner.start(*size)
        if self.input_size is None:
            return self._combiner.add(canvas, *self._whole.scores(image), *size)
        # Once, not once a batch: a large image is copied.
        image = tf.convert_to_tensor(image)
        for first in range(0, len(regions), self.batch_size):
            batch = regions[first : first + self.batch_size]
            canvas = self._combiner.add(canvas, self.region_scores(image, batch), batch, *size)
        return canvas
