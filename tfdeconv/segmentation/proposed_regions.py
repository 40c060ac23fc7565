"""A network for squares of one size, which sees the regions of object proposals."""

import functools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.segmentation import checks
from tfdeconv.segmentation.aggregate import Canvas
from tfdeconv.segmentation.ahead import reduce_behind
from tfdeconv.segmentation.augmented import with_mirror_image
from tfdeconv.segmentation.combiner import Combiner
from tfdeconv.segmentation.cutter import RegionCutter
from tfdeconv.segmentation.graph import runner
from tfdeconv.segmentation.picture import Picture
from tfdeconv.segmentation.score_map import ScoreMap


class ProposedRegions:
    """Runs a network over the whole image and the squares about the best proposals.

    Args:
        model: Keras model from RGB in [0, 255], `(batch, size, size, 3)`, to scores,
            `(batch, rows, columns, classes)`.
        boxes: the most proposals to use beside the whole image.
        aggregate: how the scores of regions become one (`tfdeconv.segmentation.aggregate`).
        batch_size: the most regions of a batch.
        flip: whether the network sees the mirror image of every region, too.

    Attributes:
        images_in_batch: how many images surely have no more regions together than a batch holds;
            1 where those of one image fill more than half of it.
    """

    def __init__(
        self, model: keras.Model, boxes: int, aggregate: str, batch_size: int, flip: bool
    ) -> None:
        self._cutter = RegionCutter(model.input_shape[1], boxes, batch_size)
        self._combiner = Combiner(model.output_shape[-1], aggregate)
        self.needs_boxes = boxes > 0
        self.batch_size = self._cutter.batch_size
        self.images_in_batch = max(1, batch_size // (boxes + 1))
        self.run = runner(model, self.batch_size, self.images_in_batch * self.batch_size)
        if flip:
            self.run = with_mirror_image(self.run)

    def regions(self, height: int, width: int, boxes: np.ndarray) -> np.ndarray:
        """Returns the `(m, 4)` int32 regions that the network sees; see `choose_regions`."""
        return self._cutter.regions(boxes, height, width)

    def region_scores(self, image: tf.Tensor, regions: np.ndarray) -> np.ndarray:
        """Returns what the network says of one batch of regions.

        Args:
            image: `(height, width, 3)` uint8 RGB, an array or a tensor.
            regions: `(n, 4)` int32 boxes in the image, 1 <= n <= `batch_size`.

        Returns:
            `(n, rows, columns, classes)` float32 scores before softmax, one map a region.
        """
        return checks.as_scores(self.run(self._cutter.crops(image, regions)))

    def scores(self, image: np.ndarray, boxes: np.ndarray) -> ScoreMap:
        """Returns the combined scores, on a canvas of bounded size."""
        height, width = image.shape[:2]
        regions = self.regions(height, width, boxes)
        # Once, not once a batch: a large image is copied.
        image = tf.convert_to_tensor(image)

        def add(canvas: Canvas, seen: tuple[np.ndarray, np.ndarray]) -> Canvas:
            return self._combiner.add(canvas, *seen, height, width)

        firsts = range(0, len(regions), self.batch_size)
        batches = (regions[first : first + self.batch_size] for first in firsts)
        seen = ((self.region_scores(image, batch), batch) for batch in batches)
        canvas = reduce_behind(add, seen, self._combiner.start(height, width))
        return self._combiner.score_map(canvas)

    def together(self, pictures: Sequence[Picture]) -> list[Callable[[], ScoreMap]]:
        """Runs the network once over the regions of several images.

        Args:
            pictures: the images, at most `images_in_batch`.

        Returns:
            For each what `scores` would return, to be called for: canvases are made one at a time.
        """
        crops, combining = [], []
        for image, boxes, _ in pictures:
            height, width = image.shape[:2]
            regions = self.regions(height, width, boxes)
            crops.append(self._cutter.crops(image, regions))
            combining.append(functools.partial(self._combined, height, width, regions))
        found = self.run(np.concatenate(crops))
        ends = np.cumsum([len(some) for some in crops])
        parts = np.split(found, ends[:-1])
        return [
            functools.partial(combine, scores)
            for combine, scores in zip(combining, parts, strict=True)
        ]

    def _combined(
        self, height: int, width: int, regions: np.ndarray, scores: np.ndarray
    ) -> ScoreMap:
        canvas, scores = self._combiner.start(height, width), checks.as_scores(scores)
        return self._combiner.score_map(self._combiner.add(canvas, scores, regions, height, width))
