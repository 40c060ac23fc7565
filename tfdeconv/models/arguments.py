"""What all networks share: checks of their arguments, their two ends, the loading of weights."""

import os
import warnings
import zipfile
from pathlib import Path

import keras

from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.layers import Logits, Preprocess, RequireSize


def check_classes(num_classes: int, class_names: tuple[str, ...] | None) -> None:
    """Checks that there are 2 to 255 classes, and a name for each where names are given.

    Raises:
        ValueError: otherwise. 255 is the void label, which is no class.
    """
    if not 2 <= num_classes <= IGNORE_LABEL:
        raise ValueError(
            f"`num_classes` must be 2 to {IGNORE_LABEL}, the background included. "
            f"Received: num_classes={num_classes}"
        )
    if class_names is not None and len(class_names) != num_classes:
        raise ValueError(
            f"`class_names` must hold one name a class. Received: {len(class_names)} names for "
            f"num_classes={num_classes}"
        )


def fc6_kernel(
    input_shape: tuple[int | None, int | None, int],
    kernel: int | tuple[int, int] | None,
    stride: int,
) -> tuple[int, int]:
    """Returns the size of the `fc6` kernel and checks that the input fits it.

    Args:
        input_shape: `(height, width, 3)`; height and width may be None.
        kernel: The size asked for, or None for input/stride (7 where the input is open).
        stride: By how much the encoder reduces the image.

    Returns:
        `(height, width)` of the kernel.

    Raises:
        ValueError: when the input has not 3 channels, is no multiple of `stride` or smaller than
            the kernel covers.
    """
    check_channels(input_shape)
    if kernel is None:
        height, width = (7 if side is None else side // stride for side in input_shape[:2])
    else:
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    for side, size in zip(input_shape[:2], (height, width), strict=True):
        if side is not None and (side % stride or side < stride * size or size < 1):
            lowest = stride * max(size, 1)
            nearest = max(round(side / stride) * stride, lowest)
            raise ValueError(
                f"`input_shape` must have sides that are multiples of {stride}, from {lowest} on. "
                f"Received: input_shape={input_shape}. The nearest is {nearest} in place of {side}"
            )
    return height, width


def check_channels(input_shape: tuple[int | None, int | None, int]) -> None:
    """Checks that images have height, width and 3 channels.

    Raises:
        ValueError: otherwise.
    """
    if len(input_shape) != 3 or input_shape[2] != 3:
        raise ValueError(
            f"`input_shape` must be (height, width, 3), RGB. Received: input_shape={input_shape}"
        )


def begin(
    num_classes: int,
    class_names: tuple[str, ...] | None,
    input_shape: tuple[int | None, int | None, int],
    multiple: int = 1,
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Checks what all fully convolutional networks are given, and begins one.

    Args:
        num_classes: Number of classes.
        class_names: None or a name for each.
        input_shape: `(height, width, 3)`; height and width may be None.
        multiple: What the sides of images must be multiples of.

    Returns:
        The images and what the first layer of the network is to see of them.

    Raises:
        ValueError: when the classes are wrong, the input has not 3 channels, or a side that is
            known is no multiple of `multiple`.
    """
    check_classes(num_classes, class_names)
    check_channels(input_shape)
    for side in input_shape[:2]:
        if side is not None and (side < 1 or side % multiple):
            nearest = max(round(side / multiple), 1) * multiple
            raise ValueError(
                f"`input_shape` must have sides that are multiples of {multiple}. Received: "
                f"input_shape={input_shape}. The nearest is {nearest} in place of {side}"
            )
    x = inputs = keras.Input(input_shape, name="image")
    if multiple > 1 and None in input_shape:
        x = RequireSize(multiple, (multiple, multiple), name="require_size")(x)
    return inputs, Preprocess(name="preprocess")(x)


def finish(
    inputs: keras.KerasTensor,
    x: keras.KerasTensor,
    class_names: tuple[str, ...] | None,
    weights: str | os.PathLike[str] | None,
    name: str,
) -> keras.Model:
    """Returns the model from `inputs` to the scores `x`, with its class names and weights."""
    model = keras.Model(inputs, Logits(class_names, name="scores")(x), name=name)
    if weights is not None:
        load_weights(model, weights)
    return model


def load_weights(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Loads a `.weights.h5` or `.keras` file of the same network into `model`.

    Raises:
        UserError: when the file is missing, of another kind, or of another network.
    """
    if not Path(path).is_file():
        raise UserError(f"`{path}` must be a weights file. Received: no such file.")
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that the file lacks, and leaves them random.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except (ValueError, OSError, KeyError, UserWarning, zipfile.BadZipFile) as error:
        raise UserError(
            f"`{path}` must hold the weights of this network ({model.name}, input "
            f"{model.input_shape[1:]}, output {model.output_shape[1:]}). Received: {error}"
        ) from error
