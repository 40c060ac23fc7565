"""Where a trained classifier sees objects, and how often it is right.

Reference:
    Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for Discriminative
    Localization, CVPR 2016, section 3.2; the measure is that of ILSVRC's localisation task.
"""

from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfdeconv import boxes, images
from tfdeconv.data import maps
from tfdeconv.data.voc import Split
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.models.cam import MAPS
from tfdeconv.progress import track
from tfdeconv.weak.maps import box_of, heatmap
from tfdeconv.weak.tags import resized

# ILSVRC: a box is right from this intersection over union on.
RIGHT = 0.5


class Found(NamedTuple):
    """One class of one image, and where it was seen.

    Attributes:
        image_id: The image.
        label: The class, from 1, that the image is known to have.
        first: Whether its score is the highest of all classes.
        heat: `(height, width)` float32 in [0, 1]; None once nobody needs it, to save memory.
        box: `(4,)` int32, from `box_of`.
        truth: `(n, 4)` int32 boxes of the objects of the class.
    """

    image_id: str
    label: int
    first: bool
    heat: np.ndarray | None
    box: np.ndarray
    truth: np.ndarray

    @property
    def iou(self) -> float:
        """Intersection over union with the object that fits best."""
        return float(boxes.iou(self.box, self.truth).max())


class Localisation(NamedTuple):
    """How often boxes were right, of all classes of all images.

    Attributes:
        known: Share with IoU of at least `RIGHT`, the class being given.
        first: Share where, besides, the class has the highest score.
        classified: Share where the class has the highest score.
        judged: Number of classes of images.
    """

    known: float
    first: float
    classified: float
    judged: int


class Localiser:
    """Shows images and their mirror images to a classifier, and enlarges the mean of its maps.

    Args:
        model: A trained `CAM`.
        size: Side of the square that images are resized to: that of the training. Larger ones make
            finer maps of small objects, but break up large ones (`training/README.md`).
    """

    def __init__(self, model: keras.Model, size: int) -> None:
        outputs = [model.get_layer(MAPS).output, model.outputs[0]]
        self._network = keras.Model(model.inputs[0], outputs)

        @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
        def run(image: tf.Tensor) -> list[tf.Tensor]:
            shown = resized(tf.cast(image, tf.float32), size)
            activations, scores = self._network(
                tf.stack([shown, tf.reverse(shown, [1])]), training=False
            )
            activations = (activations[0] + tf.reverse(activations[1], [1])) / 2
            return [activations, tf.reduce_mean(scores, axis=0)]

        self._run = run

    def heats(self, image: np.ndarray, labels: list[int]) -> tuple[dict[int, np.ndarray], int]:
        """Returns the heatmap of every one of `labels`, and the label of the highest score.

        Args:
            image: `(height, width, 3)` uint8 RGB.
            labels: Classes from 1.
        """
        activations, scores = (found.numpy() for found in self._run(image))
        height, width = image.shape[:2]
        heats = {label: heatmap(activations[..., label - 1], height, width) for label in labels}
        return heats, 1 + int(scores.argmax())


def localise(localiser: Localiser, split: Split, share: float) -> Iterator[Found]:
    """Yields every class of every image, in the order of the split.

    Args:
        localiser: The network.
        split: Images with label maps; boxes are those of objects where there are instance maps,
            and otherwise of all pixels of the class.
        share: The threshold of `box_of`.
    """
    for image_id in track(split.ids, f"Localising {split.name}"):
        truth, objects = maps.read_maps(split, image_id)
        labels = present(truth)
        heats, first = localiser.heats(images.read_image(split.image_path(image_id)), labels)
        for label, heat in heats.items():
            found = class_boxes(truth, objects, label)
            yield Found(image_id, label, label == first, heat, box_of(heat, share), found)


def summary(found: list[Found]) -> Localisation:
    """Returns how often boxes were right; NaN where there is nothing to judge."""
    right = np.array([one.iou >= RIGHT for one in found])
    first = np.array([one.first for one in found])
    if not found:
        return Localisation(float("nan"), float("nan"), float("nan"), 0)
    known, both, classified = (float(part.mean()) for part in (right, right & first, first))
    return Localisation(known, both, classified, len(found))


def present(labels: np.ndarray) -> list[int]:
    """Returns the classes of a label map, without background and void, in ascending order."""
    return [int(label) for label in np.unique(labels) if 0 < label < IGNORE_LABEL]


def class_boxes(labels: np.ndarray, objects: np.ndarray | None, label: int) -> np.ndarray:
    """Returns the boxes of a class: of each of its objects, or of all its pixels.

    Args:
        labels: `(height, width)` uint8 label map that has the class.
        objects: `(height, width)` uint8 instance map, or None.
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
