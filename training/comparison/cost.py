"""Multiplications of a network: what its convolutions cost, whatever runs them."""

import math
from collections.abc import Iterator

import keras

from tfdeconv.data.whole_images import limited_size
from tfdeconv.segmentation.regions import size_rule


def multiply_accumulates(model: keras.Model, height: int, width: int) -> int:
    """Returns the multiply-accumulate operations of one image through the network.

    Those of convolutions, deconvolutions and dense layers count; biases, normalisation, poolings
    and interpolation do not.

    Args:
        model: A functional model. One for a fixed size is counted at that size.
        height: Rows of the image, which is shown as `Segmenter` does: at 500 pixels at most, and at
            the next size that the network takes.
        width: Columns of the image.

    Example:

    >>> image = keras.Input((None, None, 3))
    >>> model = keras.Model(image, keras.layers.Conv2D(8, 3, padding="same")(image))
    >>> multiply_accumulates(model, 10, 20) == 10 * 20 * 3 * 3 * 3 * 8
    True
    """
    sides = size_rule(model).fit(limited_size((height, width))).numpy().tolist()
    known = tuple(a or b for a, b in zip(model.input_shape[1:3], sides, strict=True))
    return sum(_of_layers(_at_size(model, known)))


def _at_size(model: keras.Model, sides: tuple[int, ...]) -> keras.Model:
    if None not in model.input_shape[1:3]:
        return model
    config = model.get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "InputLayer":
            layer["config"]["batch_shape"] = (None, *sides, 3)
    return type(model).from_config(config)


def _of_layers(model: keras.Model) -> Iterator[int]:
    for layer in model.layers:
        if not isinstance(
            layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose | keras.layers.Dense
        ):
            continue
        # A deconvolution multiplies once for every number it is given, all others for each result.
        enlarges = isinstance(layer, keras.layers.Conv2DTranspose)
        places = (layer.input if enlarges else layer.output).shape[1:-1]
        yield math.prod((*layer.kernel.shape, *places))
