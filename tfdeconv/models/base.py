"""`SegmentationModel`, the base class of all networks, and checks of their arguments."""

import os
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import keras

from tfdeconv.errors import UserError
from tfdeconv.labels import IGNORE_LABEL
from tfdeconv.layers import Preprocess, RequireSize

Tensor: TypeAlias = keras.KerasTensor
InputShape: TypeAlias = tuple[int | None, int | None, int]
Weights: TypeAlias = str | os.PathLike[str] | None
ClassNames: TypeAlias = tuple[str, ...] | None

# What a functional model is saved as.
_GRAPH = ("name", "trainable", "layers", "input_layers", "output_layers")


class SegmentationModel(keras.Model):
    """A functional model that stores its constructor arguments and its encoder, decoder and head.

    Networks are subclasses whose constructor draws the graph and passes it on. The layers are one
    flat graph, as in any functional model: they can be frozen, folded, quantised, adapted by LoRA
    or replaced, and `save` keeps what was done to them.

    Every network has these arguments:

    - num_classes: Number of classes, 2 to 255, the background included.
    - input_shape: `(height, width, 3)`; None for a variable height or width.
    - width: Factor on the number of channels. The published network has 1.
    - weights: None for random weights, or the path of a `.weights.h5` or `.keras` file of the same
      network.
    - class_names: None, or one name per class, in the order of the labels. They are saved with the
      model.
    - kernel_initializer: Keras initializer of the kernels.
    - name: Name of the model.

    All raise ValueError when an argument is out of range, and UserError when the file in `weights`
    does not fit the network.

    Args:
        inputs: The images, a symbolic tensor.
        outputs: The scores; or a list of them and of the scores of auxiliary heads.
        encoder: Every tensor that the rest of the network takes from the encoder, the deepest map
            first. Skip connections, pooling switches and images that scores are cropped to count.
        decoder: Every tensor that the head takes, likewise.
        arguments: Those of the constructor of the network, its `locals()`.

    Input shape:
        `(batch, height, width, 3)`, RGB in [0, 255], uint8 or float.

    Output shape:
        `(batch, height, width, num_classes)`, float32 logits.

    Attributes:
        arguments: The arguments that the network was built with, without `name` and `weights`:
            `type(model)(**model.arguments)` is an equal network with new weights.
        encoder_outputs: The tensors `encoder`.
        decoder_outputs: The tensors `decoder`.

    Example:

    >>> from tfdeconv.models import UNet
    >>> model = UNet(num_classes=3, width=1 / 32)
    >>> model.arguments["width"], model.encoder_outputs[0].shape
    (0.03125, (None, None, None, 32))
    >>> [layer.name for layer in model.head().layers if layer.weights]
    ['conv_u0d-score']
    """

    def __init__(
        self,
        inputs: Tensor,
        outputs: Any,
        encoder: Sequence[Tensor],
        decoder: Sequence[Tensor],
        arguments: dict[str, Any],
        trainable: bool = True,
    ) -> None:
        known = {key: arguments[key] for key in arguments if key not in ("self", "__class__")}
        name, weights = known.pop("name"), known.pop("weights", None)
        super().__init__(inputs=inputs, outputs=outputs, name=name, trainable=trainable)
        self._arguments = known
        self._encoder = tuple(_place(tensor) for tensor in encoder)
        self._decoder = tuple(_place(tensor) for tensor in decoder)
        if weights is not None:
            load_weights(self, weights)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that the network was built with."""
        return dict(self._arguments)

    @property
    def encoder_outputs(self) -> list[Tensor]:
        """What the rest of the network takes from the encoder, the deepest map first."""
        return [_tensor(self, *place) for place in self._encoder]

    @property
    def decoder_outputs(self) -> list[Tensor]:
        """What the head takes, the map that it scores first."""
        return [_tensor(self, *place) for place in self._decoder]

    # These are methods because Keras saves every attribute that is a model.
    def encoder(self) -> keras.Model:
        """Returns the model from the images to `encoder_outputs`. It shares the layers."""
        return keras.Model(self.input, self.encoder_outputs, name=f"{self.name}_encoder")

    def decoder(self) -> keras.Model:
        """Returns the model from `encoder_outputs` to `decoder_outputs`. It shares the layers."""
        return self._part(self.encoder_outputs, self.decoder_outputs, "decoder")

    def head(self) -> keras.Model:
        """Returns the model from `decoder_outputs` to the scores. It shares the layers."""
        return self._part(self.decoder_outputs, self.outputs[0], "head")

    def with_outputs(self, outputs: Any) -> "SegmentationModel":
        """Returns the network with other outputs, the scores first. It shares the layers.

        Args:
            outputs: A tensor of this graph, or a list: `model.outputs[0]` leaves out the auxiliary
                heads.

        Returns:
            A network of the same class, name and parts, not compiled.
        """
        return self._of_graph(
            self.input,
            outputs,
            self.encoder_outputs,
            self.decoder_outputs,
            {**self._arguments, "name": self.name},
            self.trainable,
        )

    def fit(self, *args: Any, class_weight: Any = None, **options: Any) -> Any:
        """Trains the model as `keras.Model.fit` does, whose arguments and result these are.

        Raises:
            ValueError: for `class_weight`, which Keras has for one label an image alone; and for
                what Keras cannot do on several replicas of `tf.distribute`.
        """
        if class_weight is not None:
            raise ValueError(
                "`class_weight` of `fit` must be None for label maps. Received: class_weight="
                f"{class_weight}. Weight classes in the loss: `CrossEntropy(class_weights=[...])`."
            )
        strategy = getattr(self, "distribute_strategy", None)
        replicas = strategy.num_replicas_in_sync if strategy else 1
        if self.compiled and replicas > 1:
            unable = {
                "gradient_accumulation_steps": self.optimizer.gradient_accumulation_steps,
                "use_ema": self.optimizer.use_ema,
                "steps_per_execution": self.steps_per_execution > 1,
                "jit_compile": self.jit_compile,
            }
            if chosen := [name for name, value in unable.items() if value]:
                raise ValueError(
                    f"`{chosen[0]}` must be left out on several replicas, where Keras has no "
                    f"support for it. Received: {replicas} replicas."
                )
        return super().fit(*args, **options)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, the parts, and the graph with what was changed in its layers."""
        graph = keras.Model(self.input, self.output, name=self.name, trainable=self.trainable)
        return {
            **keras.saving.serialize_keras_object(dict(self._arguments)),
            "encoder_outputs": self._encoder,
            "decoder_outputs": self._decoder,
            **graph.get_config(),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "SegmentationModel":
        """Returns the network of a configuration, or of arguments alone, with new weights."""
        graph = {key: config[key] for key in _GRAPH if key in config}
        parts = [config.get(f"{part}_outputs", ()) for part in ("encoder", "decoder")]
        rest = config.keys() - {*_GRAPH, "encoder_outputs", "decoder_outputs"}
        arguments = keras.saving.deserialize_keras_object(
            {key: config[key] for key in config if key in rest}, custom_objects
        )
        for key, value in arguments.items():
            arguments[key] = tuple(value) if isinstance(value, list) else value
        if "layers" not in graph:
            return cls(**arguments, **{key: graph[key] for key in graph if key == "name"})
        plain = keras.Model.from_config(graph, custom_objects=custom_objects)
        encoder, decoder = ([_tensor(plain, *place) for place in part] for part in parts)
        arguments["name"] = plain.name
        return cls._of_graph(
            plain.input, plain.output, encoder, decoder, arguments, plain.trainable
        )

    @classmethod
    def _of_graph(cls, *args: Any) -> "SegmentationModel":
        # The constructor of the network would draw the graph again.
        model = cls.__new__(cls)
        SegmentationModel.__init__(model, *args)
        return model

    def _part(self, begin: list[Tensor], end: Any, name: str) -> keras.Model:
        # Not keras.Model(begin, end), which loses tensors that are both taken and passed on.
        inputs = [keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in begin]
        return keras.Model(
            inputs, keras.Function(begin, end).call(inputs), name=f"{self.name}_{name}"
        )


def _place(tensor: Tensor) -> tuple[str, int]:
    layer, _, index = tensor._keras_history
    return layer.name, index


def _tensor(model: keras.Model, name: str, index: int) -> Tensor:
    return keras.tree.flatten(model.get_layer(name).output)[index]


def leaves(model: keras.Model) -> Iterator[keras.Layer]:
    """Yields the layers of a model and, in place of models inside it, theirs."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer


def begin(
    num_classes: int, class_names: ClassNames, input_shape: InputShape, multiple: int = 1
) -> tuple[Tensor, Tensor]:
    """Checks the arguments that all fully convolutional networks share, and begins one.

    Args:
        num_classes: Number of classes.
        class_names: None, or one name per class.
        input_shape: `(height, width, 3)`; height and width may be None.
        multiple: What the sides of images must be multiples of.

    Returns:
        The images, and what the first layer of the network takes.

    Raises:
        ValueError: when the classes are wrong, the input does not have 3 channels, or a known side
            is not a multiple of `multiple`.
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
    return image_input(input_shape, multiple, (multiple, multiple))


def image_input(
    input_shape: InputShape, multiple: int = 1, smallest: tuple[int, int] = (1, 1)
) -> tuple[Tensor, Tensor]:
    """Returns the images and what the first layer takes; open sides are checked at each call."""
    x = inputs = keras.Input(input_shape, name="image")
    if multiple > 1 and None in input_shape:
        x = RequireSize(multiple, smallest, name="require_size")(x)
    return inputs, Preprocess(name="preprocess")(x)


def check_classes(num_classes: int, class_names: ClassNames) -> None:
    """Checks that there are 2 to 255 classes, and one name per class where names are given.

    Raises:
        ValueError: otherwise. 255 is the label of ignored pixels.
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


def check_channels(input_shape: InputShape) -> None:
    """Checks that images have height, width and 3 channels.

    Raises:
        ValueError: otherwise.
    """
    if len(input_shape) != 3 or input_shape[2] != 3:
        raise ValueError(
            f"`input_shape` must be (height, width, 3), RGB. Received: input_shape={input_shape}"
        )


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
