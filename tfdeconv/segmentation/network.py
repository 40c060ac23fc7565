"""A network prepared for inference: batch normalisation folded, in the precision asked for.

A network takes squares of one size, `(batch, size, size, 3)`, or images of every size,
`(batch, None, None, 3)`.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdeconv import processor
from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.layers import DenseMap
from tfdeconv.models.base import leaves
from tfdeconv.segmentation.averaging import mean_probabilities
from tfdeconv.weights import fold_batch_norm, is_plain

PRECISIONS = ("float32", "bfloat16", "float16")
AUTO = "auto"

_LEAST_CAPABILITY = (8, 0)
# Weights that are only multiplied can be stored as they are used. Others, such as the statistics of
# a batch normalisation, are used in float32 whatever the layer computes in.
_STORED_IN_HALF = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Dense,
    DenseMap,
)


class Network:
    """Runs a model on batches of pictures, under any of Keras's backends.

    Args:
        model: Keras model from RGB in [0, 255] to scores before softmax.
        precision: what its layers compute in, see `inference_network`.
        flip: whether probabilities are averaged with those of the input mirrored from left to
            right, padding included.

    Attributes:
        model: the model that is run, see `inference_network`.
        input_size: side of its input in pixels; None where it takes every size.
        num_classes: number of classes.
        graph: under Keras's TensorFlow backend the `tf.function` from float32 images to float32
            scores, traced once for every batch size; else None.

    Raises:
        UserError: when the model is no such network.

    Example:

    >>> model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3)])
    >>> Network(model)(tf.zeros((5, 4, 4, 3))).shape
    TensorShape([5, 2, 2, 2])
    """

    def __init__(
        self, model: keras.Model, precision: str | None = None, flip: bool = False
    ) -> None:
        self.input_size, self.num_classes = sizes(model)
        self.model, self.flip = inference_network(model, precision), flip
        self.graph: Any = None
        if keras.config.backend() == "tensorflow":
            # Weights as constants, whose kernels oneDNN would reorder once, gain too little to show
            # (`tests/benchmarks/README.md`) and are copied in memory several times.
            pictures = tf.TensorSpec((None, *self.model.input_shape[1:]), tf.float32)
            self.graph = tf.function(self._scores, input_signature=[pictures], autograph=False)

    def __call__(self, pictures: tf.Tensor | np.ndarray, fill_to: int = 1) -> tf.Tensor:
        """Returns the network's scores.

        Args:
            pictures: `(n, rows, columns, 3)` float32 RGB in [0, 255].
            fill_to: batch size up to which JAX and PyTorch get zeros, so that a network is compiled
                once; ignored under TensorFlow.

        Returns:
            `(n, ..., ..., classes)` float32 scores before softmax.

        Raises:
            UserError: when the network gives NaN, or cannot take the size.
        """
        scores = self._run(pictures, fill_to)
        if self.flip:
            mirrored = self._run(pictures[:, :, ::-1], fill_to)
            scores = mean_probabilities(scores, mirrored[:, :, ::-1])
        # They are combined there: from a GPU they travel once.
        with tf.device("CPU:0"):
            scores = tf.identity(scores)
        values = np.asarray(scores)
        if not (values.max() < np.inf and values.min() > -np.inf):
            raise UserError(
                "The network must give finite scores. Received: NaN or infinite scores. Its "
                "training diverged, or its activations overflow in half precision."
            )
        return scores

    def _run(self, pictures: tf.Tensor | np.ndarray, fill_to: int) -> tf.Tensor:
        try:
            if self.graph is not None:
                return self.graph(pictures)
            missing = max(0, fill_to - len(pictures))
            filled = np.pad(pictures, [(0, missing), (0, 0), (0, 0), (0, 0)])
            scores = self.model.predict_on_batch(filled)[: len(pictures)]
            return tf.convert_to_tensor(np.asarray(scores, np.float32))
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            if self.input_size is not None:
                raise
            raise UserError(
                "A network without an input size must take images of every size. Received: for "
                f"{pictures.shape[1]}x{pictures.shape[2]} pixels, {str(error).splitlines()[0]}. "
                "Build it for one size, or put a `tfdeconv.layers.RequireSize` in front."
            ) from error

    def _scores(self, pictures: tf.Tensor) -> tf.Tensor:
        return tf.cast(self.model(pictures, training=False), tf.float32)


def sizes(model: keras.Model) -> tuple[int | None, int]:
    """Returns the side of a network's input, None where it takes any, and its number of classes.

    Raises:
        UserError: when the model is no segmentation network.
    """
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
        square = inputs[1:] == (size, size, 3)
        if square and isinstance(classes, int) and 2 <= classes <= IGNORE_LABEL:
            return size, classes
    raise UserError(
        "`model` must map RGB images of one square size, (batch, size, size, 3), or of every size, "
        f"(batch, None, None, 3), to scores of 2 to {IGNORE_LABEL} classes, (batch, rows, columns, "
        f"classes). Received: inputs {inputs}, outputs {outputs}. Give a segmentation network."
    )


def inference_network(model: keras.Model, precision: str | None = None) -> keras.Model:
    """Returns a network for inference: a copy with the present weights, or the model itself.

    Args:
        model: Any Keras model from images to scores.
        precision: what its layers compute in (`chosen_precision`); None leaves them as they are. In
            half precision the kernels of convolutions are stored in it, too, at half the size.

    Returns:
        A model with the same scores: folded (`tfdeconv.weights.fold_batch_norm`) where all its
        layers are Keras's or tfdeconv's; the model itself where nothing is to be changed.

    Raises:
        ValueError: when `precision` is none of them.
        UserError: when the model computes in another type and cannot be rebuilt.

    Example:

    >>> from tfdeconv.models import DeconvNet
    >>> network = inference_network(DeconvNet(2, (32, 32, 3), width=1 / 32), "bfloat16")
    >>> network.get_layer("conv1_1").kernel.dtype, "bn1_1" in [one.name for one in network.layers]
    ('bfloat16', False)
    """
    if _is_known(model) and not is_plain(model):
        model = fold_batch_norm(model)
    if precision is None:
        return model
    precision = chosen_precision(precision)
    computing = {layer.compute_dtype for layer in leaves(model) if layer.weights}
    return model if computing <= {precision} else _rebuilt(model, precision)


def chosen_precision(precision: str) -> str:
    """Returns a precision with `"auto"` resolved for this machine.

    Args:
        precision: `"float32"`, `"bfloat16"`, `"float16"`, or `"auto"`: bfloat16 where the first
            GPU, or without GPUs the processor, has instructions that multiply it, otherwise
            float32. Times and the effect on labels are in `tests/benchmarks/README.md`.

    Raises:
        ValueError: when it is none of them.

    Example:

    >>> chosen_precision("float32"), chosen_precision("auto") in PRECISIONS
    ('float32', True)
    """
    if precision not in (*PRECISIONS, AUTO):
        raise ValueError(
            f"`precision` must be one of {(*PRECISIONS, AUTO)}. Received: precision={precision!r}"
        )
    if precision != AUTO:
        return precision
    if gpus := tf.config.get_visible_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpus[0])
        fast = details.get("compute_capability", (0, 0)) >= _LEAST_CAPABILITY
    else:
        fast = processor.multiplies_bfloat16()
    return "bfloat16" if fast else "float32"


def _is_known(model: keras.Model) -> bool:
    layers = (type(layer).__module__.split(".")[0] for layer in (model, *model.layers))
    return set(layers) <= {"keras", "tfdeconv"}


def _rebuilt(model: keras.Model, precision: str) -> keras.Model:
    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if precision == "float32" or isinstance(layer, _STORED_IN_HALF):
            config["dtype"] = precision
        else:
            config["dtype"] = f"mixed_{precision}"
        if "kernel_initializer" in config:
            # The weights follow; drawing 250 million random numbers takes seconds.
            config["kernel_initializer"] = "zeros"
        return type(layer).from_config(config)

    try:
        # Uncompiled: a clone of a compiled model would be compiled, too.
        graph = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
        rebuilt = keras.models.clone_model(graph, clone_function=clone, recursive=True)
        rebuilt.set_weights(graph.get_weights())
    except (AttributeError, ValueError, TypeError, NotImplementedError) as error:
        raise UserError(
            f"The model `{model.name}` must be a graph of layers that can be rebuilt, to compute "
            f"in {precision}. Received: {error}. Build it in {precision} before the export."
        ) from error
    return rebuilt
