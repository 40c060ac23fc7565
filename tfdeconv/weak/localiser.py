"""A trained classifier that is asked where it sees the classes of an image."""

from collections.abc import Callable
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfdeconv.models.cam import MAPS
from tfdeconv.weak.candidates import best_candidate
from tfdeconv.weak.maps import mean_heat
from tfdeconv.weak.outline import outlined
from tfdeconv.weak.tags import resized

# Sides of squares, the training's being 1: larger ones for smaller objects.
SQUARES = (1 / 3, 1 / 2, 2 / 3, 1.0, 4 / 3, 2.0)
# Those of heatmaps and of scores: where large objects break up, both are worse.
HEAT_SQUARES = (2 / 3, 1.0, 4 / 3)

# Maps `(rows, columns, classes)`, and scores `(classes,)`.
Seen: TypeAlias = tuple[np.ndarray, np.ndarray]


class Localiser:
    """Shows images and their mirror images to a classifier, on squares of several sides.

    Args:
        model: A trained `CAM`.
        size: Side of the square at the end of its training.
    """

    def __init__(self, model: keras.Model, size: int) -> None:
        outputs = [model.get_layer(MAPS).output, model.outputs[0]]
        self._network = keras.Model(model.inputs[0], outputs)
        self._heat_sides = [round(square * size) for square in HEAT_SQUARES]
        sides = [round(square * size) for square in SQUARES]
        self._runs = {side: self._shown_on(side) for side in sides}

    def heats(self, image: np.ndarray, labels: list[int]) -> tuple[dict[int, np.ndarray], int]:
        """Returns the heatmap of every one of `labels`, and the label of the highest score.

        Args:
            image: `(height, width, 3)` uint8 RGB.
            labels: Classes from 1.

        Returns:
            Label -> `(height, width)` float32 in [0, 1], and a label.
        """
        return self._heats(self._look(image, self._heat_sides), image, labels)

    def find(
        self, image: np.ndarray, labels: list[int], candidates: np.ndarray
    ) -> tuple[dict[int, tuple[np.ndarray, np.ndarray]], int]:
        """Returns what `heats` does, and with every heatmap the box of the class.

        It is the best of `candidates`, moved to the edges of colours.

        Args:
            image: `(height, width, 3)` uint8 RGB.
            labels: Classes from 1.
            candidates: `(n, 4)` boxes inside the image, best first, at least one: object proposals.

        Returns:
            Label -> heatmap and `(4,)` int32 top, left, bottom, right in pixels, and a label.
        """
        seen = self._look(image, list(self._runs))
        heats, first = self._heats(seen, image, labels)
        sights = {}
        for label, heat in heats.items():
            maps = {side: found[..., label - 1] for side, (found, _) in seen.items()}
            box = best_candidate(maps, candidates, *image.shape[:2])
            sights[label] = heat, outlined(image, box)
        return sights, first

    def _heats(
        self, seen: dict[int, Seen], image: np.ndarray, labels: list[int]
    ) -> tuple[dict[int, np.ndarray], int]:
        chosen = [seen[side] for side in self._heat_sides]
        scores = np.mean([scores for _, scores in chosen], axis=0)
        heats = {
            label: mean_heat([maps[..., label - 1] for maps, _ in chosen], *image.shape[:2])
            for label in labels
        }
        return heats, 1 + int(scores.argmax())

    def _look(self, image: np.ndarray, sides: list[int]) -> dict[int, Seen]:
        found = {side: self._runs[side](tf.constant(image)) for side in sides}
        return {side: (maps.numpy(), scores.numpy()) for side, (maps, scores) in found.items()}

    def _shown_on(self, side: int) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
        def run(image: tf.Tensor) -> list[tf.Tensor]:
            shown = resized(tf.cast(image, tf.float32), side)
            activations, scores = self._network(
                tf.stack([shown, tf.reverse(shown, [1])]), training=False
            )
            activations = (activations[0] + tf.reverse(activations[1], [1])) / 2
            return [activations, tf.reduce_mean(scores, axis=0)]

        # TensorFlow takes the calls of several sides for needless traces of one function.
        return run.get_concrete_function()
