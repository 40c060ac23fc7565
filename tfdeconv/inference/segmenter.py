"""One image -> one label map: proposals, regions, the network, aggregation, labels."""

import os

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.data.crops import crop_images
from tfdeconv.errors import UserError
from tfdeconv.inference.aggregate import MODES, Canvas
from tfdeconv.inference.combiner import Combiner
from tfdeconv.inference.regions import choose_regions
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.models import load_model
from tfdeconv.proposals import multi_scale_grid, propose

PROPOSALS = ("edges", "grid")


class Segmenter:
    """Segments images of any size with a network that sees squares of one size.

    The network sees the whole image and the squares about the best object proposals
    (`tfdeconv.inference.regions`), and what it says of each is combined pixel by pixel
    (`tfdeconv.inference.aggregate`). Memory is bounded whatever the size of the image and the
    number of boxes: where height x width x classes is above 2**26 (a photograph of 2064x1548 with
    21 classes), scores are combined on a smaller canvas and enlarged strip by strip; the network
    still sees the pixels of the image itself.

    Args:
        model: Any Keras model from RGB in [0, 255], `(batch, size, size, 3)`, to scores before
            softmax, `(batch, rows, columns, classes)` with 2 to 255 classes, or where one is saved.
        boxes: the most proposals to use beside the whole image; 0 for the whole image alone.
        aggregate: `"max"` or `"mean"`.
        proposals: `"edges"` searches for boxes in the image (`tfdeconv.propose`); `"grid"` takes
            the first of `tfdeconv.proposals.multi_scale_grid`, at most 58 beside the whole image.
        batch_size: the most regions that go through the network at a time.

    Raises:
        UserError: when `model` is no such network.
        ValueError: when another argument is out of range.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> segmenter = Segmenter(DeconvNet(2, (32, 32, 3), width=1 / 32), boxes=4, proposals="grid")
    >>> segmenter.segment(np.zeros((40, 70, 3), np.uint8)).shape
    (40, 70)

    Reference:
        Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015,
        section 4.4: the best 50 of about 2000 proposals, pixelwise maximum.
    """

    def __init__(
        self,
        model: keras.Model | str | os.PathLike[str],
        boxes: int = 50,
        aggregate: str = "max",
        proposals: str = "edges",
        batch_size: int = 16,
    ) -> None:
        if boxes < 0 or batch_size < 1:
            raise ValueError(
                "`boxes` must be at least 0 and `batch_size` at least 1. "
                f"Received: boxes={boxes}, batch_size={batch_size}"
            )
        for name, value, choices in (
            ("aggregate", aggregate, MODES),
            ("proposals", proposals, PROPOSALS),
        ):
            if value not in choices:
                raise ValueError(f"`{name}` must be one of {choices}. Received: {name}={value!r}")
        self.model = model if isinstance(model, keras.Model) else load_model(model)
        self.input_size, self.num_classes = _sizes(self.model)
        self.boxes, self.aggregate, self.proposals = boxes, aggregate, proposals
        # All batches alike, so that the network is compiled once, and as full as can be: 51 regions
        # are 4 batches of 13, not 3 of 16 and one of 3.
        self.batch_size = -(-(boxes + 1) // -(-(boxes + 1) // batch_size))
        self._combiner = Combiner(self.num_classes, aggregate)
        size = tf.TensorSpec((), tf.int32)
        boxes_and_size = [tf.TensorSpec((None, 4)), size, size]
        self._choose = tf.function(self._choose_regions, input_signature=boxes_and_size)
        batch = [tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((None, 4), tf.int32)]
        self._crop = tf.function(self._crop_batch, input_signature=batch)

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
        return self._combiner.labels(canvas, *image.shape[:2])

    def scores(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """Returns the combined scores; arguments and errors as `segment`.

        Returns:
            `(height, width, classes)` float32 scores before softmax: 4 bytes each, however many.
        """
        canvas = self._combine(image, boxes)
        return self._combiner.scores(canvas, *image.shape[:2])

    def regions(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """Returns the `(m, 4)` int32 regions that the network sees; arguments as `segment`."""
        _require_image(image)
        height, width = image.shape[:2]
        if boxes is None and self.proposals == "edges":
            boxes = propose(image).boxes
        elif boxes is None:
            boxes = multi_scale_grid(height, width)
        boxes = np.asarray(boxes, np.float32)
        if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.all(np.abs(boxes) < 2**29):
            raise ValueError(
                "`boxes` must be an (n, 4) array of finite top, left, bottom, right in pixels. "
                f"Received: shape={boxes.shape}, {boxes}"
            )
        return self._choose(boxes, height, width).numpy()

    def region_scores(self, image: tf.Tensor, regions: np.ndarray) -> np.ndarray:
        """Returns what the network says of one batch of regions.

        Args:
            image: `(height, width, 3)` uint8 RGB, an array or a tensor.
            regions: `(n, 4)` int32 boxes in the image, 1 <= n <= `batch_size`.

        Returns:
            `(n, rows, columns, classes)` float32 scores before softmax, one map a region.
        """
        crops = self._crop(image, regions).numpy()
        scores = np.asarray(self.model.predict_on_batch(crops)[: len(regions)], np.float32)
        if np.isnan(scores.max()):
            raise UserError(
                "The network must give numbers. Received: NaN scores. Its training went wrong, or "
                "its numbers overflow in half precision."
            )
        return scores

    def _combine(self, image: np.ndarray, boxes: np.ndarray | None) -> Canvas:
        regions = self.regions(image, boxes)
        size = image.shape[:2]
        # Once, not once a batch: a large image is copied.
        image = tf.convert_to_tensor(image)
        canvas = self._combiner.start(*size)
        for first in range(0, len(regions), self.batch_size):
            batch = regions[first : first + self.batch_size]
            canvas = self._combiner.add(canvas, self.region_scores(image, batch), batch, *size)
        return canvas

    def _choose_regions(self, boxes: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        return choose_regions(boxes, height, width, self.boxes, self.input_size)

    def _crop_batch(self, image: tf.Tensor, regions: tf.Tensor) -> tf.Tensor:
        crops = crop_images(image, regions, self.input_size)
        missing = self.batch_size - tf.shape(regions)[0]
        return tf.pad(crops, [[0, missing], [0, 0], [0, 0], [0, 0]])


def _sizes(model: keras.Model) -> tuple[int, int]:
    try:
        inputs, outputs = model.input_shape, model.output_shape
    except (AttributeError, ValueError):
        inputs = outputs = None
    # A model with several inputs or outputs has lists or dictionaries of shapes.
    if (
        isinstance(inputs, tuple)
        and isinstance(outputs, tuple)
        and len(inputs) == len(outputs) == 4
    ):
        size, classes = inputs[1], outputs[3]
        square = isinstance(size, int) and inputs[1:] == (size, size, 3)
        if square and isinstance(classes, int) and 2 <= classes <= IGNORE_LABEL:
            return size, classes
    raise UserError(
        "`model` must map RGB images of one square size, (batch, size, size, 3), to scores of 2 to "
        f"{IGNORE_LABEL} classes, (batch, rows, columns, classes). Received: inputs {inputs}, "
        f"outputs {outputs}. Give a segmentation network, built for one size."
    )


def _require_image(image: np.ndarray) -> None:
    shape, dtype = np.shape(image), getattr(image, "dtype", None)
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
        raise ValueError(
            "`image` must be a non-empty (height, width, 3) uint8 RGB array. Received: "
            f"shape={shape}, dtype={dtype}. `tfdeconv.images.read_image` gives one for any file."
        )
