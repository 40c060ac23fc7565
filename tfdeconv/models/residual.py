"""Residual blocks of any functional network, found in its graph, and how to switch them off.

A block is a sum of two maps of which one, the identity, is what the other, the branch, is computed
from. Without the branch the sum is the identity: the block is as if it were not there.

Reference:
    Andreas Veit, Michael Wilber, Serge Belongie. Residual Networks Behave Like Ensembles of
    Relatively Shallow Networks. NIPS 2016. Sections 3 and 4.1.
"""

from typing import Any, NamedTuple

import keras
from keras import layers, ops


class Blocks(NamedTuple):
    """The residual blocks of a network, by the names of the layers that add, first to last.

    Attributes:
        deletable: Block -> which of its two inputs is the identity, 0 or 1.
        projected: Blocks whose shortcut is a layer of its own, such as the 1x1 convolution where a
            ResNet changes the number of channels. Without the branch they still compute something:
            they cannot be deleted.
    """

    deletable: dict[str, int]
    projected: tuple[str, ...]


def residual_blocks(model: keras.Model) -> Blocks:
    """Finds the residual blocks of a network.

    A sum around other sums, such as a long skip connection of FusionNet, is no block; sums of more
    than two maps, such as DeepLab's, neither. FRRN's full-resolution units are blocks of the
    residual stream alone: without what a unit adds to it, the pooling stream still runs through
    the unit.

    Args:
        model: A functional model that calls each of its layers once.

    Returns:
        The `Blocks`.

    Example:

    >>> x = keras.Input((4, 4, 3))
    >>> y = layers.Add(name="block")([x, layers.Conv2D(3, 1)(x)])
    >>> residual_blocks(keras.Model(x, y))
    Blocks(deletable={'block': 0}, projected=())
    """
    made_by = {
        id(tensor): layer.name
        for layer in model.layers
        for tensor in keras.tree.flatten(layer.output)
    }
    before: dict[str, set[str]] = {}
    sums: dict[str, tuple[str, str]] = {}
    # Layers stand in the order of their depth: what a layer takes is known before it.
    for layer in model.layers:
        taken = [made_by[id(x)] for x in keras.tree.flatten(layer.input)]
        is_input = isinstance(layer, layers.InputLayer)
        before[layer.name] = set() if is_input else set(taken).union(*(before[n] for n in taken))
        if type(layer) in (layers.Add, Residual) and len(taken) == 2:
            sums[layer.name] = (taken[0], taken[1])
    deletable, projected = {}, []
    for name, (first, second) in sums.items():
        inside = before[first] ^ before[second]
        if first in before[second] or second in before[first]:
            if not inside & sums.keys() - {first, second}:
                deletable[name] = int(second in before[first])
        elif not inside & sums.keys():
            projected.append(name)
    return Blocks(deletable, tuple(projected))


class Residual(layers.Layer):
    """The sum of identity and branch, or the identity alone.

    Args:
        identity: Which input is the identity, 0 or 1.

    Attributes:
        kept: Scalar bool variable: whether the branch is added. It is read at every run, so that a
            traced graph follows it.
    """

    def __init__(self, identity: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.identity = identity
        self.kept = self.add_weight(
            shape=(), initializer="ones", dtype="bool", trainable=False, name="kept"
        )

    def call(self, inputs: Any) -> Any:
        """Adds the branch, where it is kept, to the identity."""
        identity, branch = inputs[self.identity], inputs[1 - self.identity]
        return identity + ops.where(self.kept, branch, ops.zeros_like(branch))

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """Returns the shape of the identity."""
        return keras.KerasTensor(inputs[0].shape, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {**super().get_config(), "identity": self.identity}


def with_switches(model: keras.Model) -> keras.Model:
    """Returns a copy of a network whose residual blocks can be deleted and put back.

    Args:
        model: As for `residual_blocks`.

    Returns:
        A functional `keras.Model` with the same weights and, until `delete` is called, the same
        scores.

    Example:

    >>> x = keras.Input((1,))
    >>> y = layers.Dense(1, use_bias=False, kernel_initializer="ones", name="branch")(x)
    >>> model = with_switches(keras.Model(x, layers.Add(name="block")([x, y])))
    >>> whole = float(model(ops.ones((1, 1)))[0, 0])
    >>> delete(model, {"block"})
    >>> whole, float(model(ops.ones((1, 1)))[0, 0])
    (2.0, 1.0)
    """
    deletable = residual_blocks(model).deletable

    def clone(layer: Any) -> Any:
        if layer.name in deletable:
            return Residual(deletable[layer.name], name=layer.name, dtype=layer.dtype_policy)
        return type(layer).from_config(layer.get_config())

    # Uncompiled: a clone of a compiled model would be compiled, too.
    graph = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    switched = keras.models.clone_model(graph, clone_function=clone)
    for layer in switched.layers:
        if layer.weights and layer.name not in deletable:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return switched


def delete(model: keras.Model, names: frozenset[str] | set[str]) -> None:
    """Deletes the named blocks of a network `with_switches`, and puts all others back.

    Raises:
        ValueError: when there is no such block.
    """
    blocks = {layer.name: layer for layer in model.layers if isinstance(layer, Residual)}
    if unknown := set(names) - blocks.keys():
        raise ValueError(
            f"`names` must be blocks that can be deleted, of {', '.join(blocks)}. "
            f"Received: {', '.join(sorted(unknown))}"
        )
    for name, block in blocks.items():
        block.kept.assign(name not in names)
