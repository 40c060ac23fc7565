"""Where a trained classifier finds objects, and how often it is right.

Reference:
    Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative
    Localization, CVPR 2016, section 3.2; the measure is that of ILSVRC's localisation task.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfdeconv import boxes, images
from tfdeconv.data import maps
from tfdeconv.data.voc import Split
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.models.cam import MAPS
from tfdeconv.progress import track
from tfdeconv.weak.boxes import best_candidate, refine_box
from tfdeconv.weak.maps import box_of, mean_heat
from tfdeconv.weak.train import resized

# Squares that images are resized to, as multiples of the training's: larger for smaller objects.
SQUARES = (1 / 3, 1 / 2, 2 / 3, 1.0, 4 / 3, 2.0)
# Those of heatmaps and of scores: at the others large objects break up, and both are worse.
HEAT_SQUARES = (2 / 3, 1.0, 4 / 3)
# ILSVRC: a box is right from this intersection over union on.
RIGHT = 0.5

# Maps `(rows, columns, classes)`, and scores `(classes,)`.
_Outputs: TypeAlias = tuple[np.ndarray, np.ndarray]


class Localiser:
    """Runs a classifier on an image and its mirror image, resized to squares of different sides.

    Args:
        model: A trained `CAM`.
        size: Side of the square at the end of its training.
    """

    def __init__(self, model: keras.Model, size: int) -> None:
        outputs = [model.get_layer(MAPS).output, model.outputs[0]]
        self._network = keras.Model(model.inputs[0], outputs)
        self._heat_sides = [round(square * size) for square in HEAT_SQUARES]
        sides = [round(square * size) for square in SQUARES]
        self._runs = {side: self._traced(side) for side in sides}

    def heats(self, image: np.ndarray, labels: list[int]) -> tuple[dict[int, np.ndarray], int]:
        """Returns the heatmap of each of `labels`, and the label with the highest score.

        Args:
            image: `(height, width, 3)` uint8 RGB.
            labels: Classes from 1.

        Returns:
            Label -> `(height, width)` float32 in [0, 1], and a label.
        """
        return self._heats(self._run(image, self._heat_sides), image, labels)

    def find(
        self, image: np.ndarray, labels: list[int], candidates: np.ndarray
    ) -> tuple[dict[int, tuple[np.ndarray, np.ndarray]], int]:
        """Returns what `heats` does, with the box of each class: the best candidate, refined.

        Args:
            image, labels: See `heats`.
            candidates: `(n, 4)` object proposals inside the image, best first, at least one.

        Returns:
            Label -> heatmap and `(4,)` int32 top, left, bottom, right in pixels, and a label.
        """
        outputs = self._run(image, list(self._runs))
        heats, first = self._heats(outputs, image, labels)
        found = {}
        for label, heat in heats.items():
            of_class = {side: maps[..., label - 1] for side, (maps, _) in outputs.items()}
            box = best_candidate(of_class, candidates, *image.shape[:2])
            found[label] = heat, refine_box(image, box)
        return found, first

    def _heats(
        self, outputs: dict[int, _Outputs], image: np.ndarray, labels: list[int]
    ) -> tuple[dict[int, np.ndarray], int]:
        chosen = [outputs[side] for side in self._heat_sides]
        scores = np.mean([scores for _, scores in chosen], axis=0)
        heats = {
            label: mean_heat([maps[..., label - 1] for maps, _ in chosen], *image.shape[:2])
            for label in labels
        }
        return heats, 1 + int(scores.argmax())

    def _run(self, image: np.ndarray, sides: list[int]) -> dict[int, _Outputs]:
        outputs = {side: self._runs[side](tf.constant(image)) for side in sides}
        return {side: (maps.numpy(), scores.numpy()) for side, (maps, scores) in outputs.items()}

    def _traced(self, side: int) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
        def run(image: tf.Tensor) -> list[tf.Tensor]:
            square = resized(tf.cast(image, tf.float32), side)
            activations, scores = self._network(
                tf.stack([square, tf.reverse(square, [1])]), training=False
            )
            activations = (activations[0] + tf.reverse(activations[1], [1])) / 2
            return [activations, tf.reduce_mean(scores, axis=0)]

        # TensorFlow would warn that one function is retraced for every side.
        return run.get_concrete_function()


class Found(NamedTuple):
    """One class of one image, and where it was found.

    Attributes:
        image_id: The image.
        label: The class, from 1, that the image is known to have.
        first: Whether its score is the highest of all classes.
        heat: `(height, width)` float32 in [0, 1]; may be set to None to save memory.
        box: `(4,)` int32, from `Localiser.find`.
        part: `(4,)` int32, from `box_of` with the paper's threshold.
        truth: `(n, 4)` int32 boxes of the objects of the class.
    """

    image_id: str
    label: int
    first: bool
    heat: np.ndarray | None
    box: np.ndarray
    part: np.ndarray
    truth: np.ndarray

    @property
    def iou(self) -> float:
        """Intersection over union with the object that fits best."""
        return float(boxes.iou(self.box, self.truth).max())


class Localisation(NamedTuple):
    """How often boxes were right, as shares of the pairs of image and class.

    Attributes:
        known: The box is right: its IoU is at least `RIGHT`.
        first: The box is right and the class has the highest score.
        classified: The class has the highest score.
        part: The paper's box is right.
        judged: Number of pairs.
    """

    known: float
    first: float
    classified: float
    part: float
    judged: int


def localise(
    localiser: Localiser, split: Split, candidates: Mapping[str, boxes.Proposals]
) -> Iterator[Found]:
    """Yields every class of every image, in the order of the split.

    Args:
        localiser: The network.
        split: Images with label maps; true boxes are those of objects where there are instance
            maps, and otherwise of all pixels of the class.
        candidates: Object proposals of the images, from `propose_files`.
    """
    for image_id in track(split.ids, f"Localising {split.name}"):
        truth, objects = maps.read_maps(split, image_id)
        path = split.image_path(image_id)
        image, labels = images.read_image(path), classes_in(truth)
        found, first = localiser.find(image, labels, candidates[path.stem].boxes)
        for label, (heat, box) in found.items():
            true = class_boxes(truth, objects, label)
            yield Found(image_id, label, label == first, heat, box, box_of(heat), true)


def summary(found: list[Found]) -> Localisation:
    """Returns how often boxes were right; NaN where nothing was found."""
    if not found:
        return Localisation(math.nan, math.nan, math.nan, math.nan, 0)
    right = np.array([one.iou >= RIGHT for one in found])
    part = np.array([boxes.iou(one.part, one.truth).max() >= RIGHT for one in found])
    first = np.array([one.first for one in found])
    known, both, classified, plain = (
        float(one.mean()) for one in (right, right & first, first, part)
    )
    return Localisation(known, both, classified, plain, len(found))


def classes_in(labels: np.ndarray) -> list[int]:
    """Returns the classes of a label map in ascending order, without 0 and 255."""
    return [int(label) for label in np.unique(labels) if 0 < label < IGNORE_LABEL]


def class_boxes(labels: np.ndarray, objects: np.ndarray | None, label: int) -> np.ndarray:
    """Returns the boxes of a class: of each of its objects, or of all its pixels.

    Args:
        labels: `(height, width)` uint8 label map that has the class.
        objects: `(height, width)` uint16 instance map, or None.
        label: The class.

    Returns:
        `(n, 4)` int32, top, left, bottom, right.

    Example:

    >>> class_boxes(np.array([[0, 3, 255], [0, 3, 3]], np.uint8), None, 3).tolist()
    [[0, 1, 2, 3]]
    """
    if objects is not None:
        found = maps.find_objects(objects, labels)
        if len(chosen := found.boxes[found.classes() == label]):
            return chosen
    return maps.find_objects((labels == label).astype(np.uint8), labels).boxes
