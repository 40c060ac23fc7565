"""A network with residual blocks whose answers the eye can check, and data for it."""

from pathlib import Path

import keras
import numpy as np

from tests.segmentation.networks import COLOURS, colour_network, painted
from tfdeconv import images, labels
from tfdeconv.data.voc import Split, read_split
from tfdeconv.layers import Logits


def residual_network() -> keras.Model:
    """The network of colours with blocks before it: `dims` adds nothing, `turns` swaps colours."""
    x = inputs = keras.Input((None, None, 3))
    for name, kernel in (("dims", np.zeros((3, 3))), ("turns", np.eye(3)[[1, 0, 2]] - np.eye(3))):
        branch = keras.layers.Conv2D(3, 1, use_bias=False, name=f"branch_{name}")
        x = keras.layers.Add(name=name)([x, branch(x)])
        branch.set_weights([kernel[None, None]])
    colours = keras.layers.Conv2D(3, 1, name="colours")
    outputs = Logits(("ground", "red", "green"))(colours(x))
    colours.set_weights(colour_network().layers[1].get_weights())
    return keras.Model(inputs, outputs, name="residual")


def swapped_split(root: Path) -> Split:
    """Two images painted in the colours that `turns` swaps back."""
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for name, size in (("a", (30, 44)), ("b", (21, 25))):
        truth = painted(*size)[1]
        swapped = COLOURS[np.array([0, 2, 1], np.uint8)[truth]]
        (root / f"JPEGImages/{name}.png").write_bytes(images.encode_png(swapped))
        (root / f"SegmentationClass/{name}.png").write_bytes(labels.encode_png(truth))
    (root / "ImageSets/Segmentation/val.txt").write_text("a\nb\n")
    (root / "classes.txt").write_text("ground\nred\ngreen\n")
    return read_split(root, "val")
