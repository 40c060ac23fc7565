"""`CaffeSGD`: gradient descent with momentum as Caffe's solver writes it."""

from typing import Any

import keras
from keras import ops

# What Keras calls the scale and the shift of a normalisation.
_NORMALISATION = ("gamma", "beta")


@keras.saving.register_keras_serializable(package="tfdeconv")
class CaffeSGD(keras.optimizers.Optimizer):
    """Stochastic gradient descent with momentum, step for step that of the release's solver.

    For every weight `w` with its gradient `g`

        history = momentum * history + rate * (g + decay * w)
        w = w - history

    The learning rate is inside the history. Keras's SGD is written the same way, but its
    `weight_decay` stands outside of the gradient and of the momentum, and it knows neither biases
    nor normalisation: here weights take `rate = learning_rate` and `decay = weight_decay`, biases
    `rate = bias_multiplier * learning_rate` and no decay, scale and shift of normalisations
    `learning_rate` and, if asked for, the decay.

    With `gradient_accumulation_steps` the gradient is the mean over so many batches, in Keras as in
    Caffe. The fork of Caffe that the release was trained with divides the decay by that number,
    too: pass the decay that is left, `0.0005 / 8` for the release.

    Args:
        learning_rate: float or Keras schedule. Keras counts batches for a schedule, not updates.
        momentum: float in [0, 1).
        weight_decay: float. Coefficient of the weight in its gradient (L2), at least 0.
        bias_multiplier: float. Factor on the learning rate of biases.
        decay_normalisation: bool. Whether `gamma` and `beta` decay as weights do.
        gradient_accumulation_steps: int, at least 2, or None. Batches of one update.
        loss_scale_factor: float or None, as in `keras.optimizers.Optimizer`.
        name: Name of the optimizer.

    Raises:
        ValueError: when a number is out of its range.

    Example:

    >>> weight = keras.Variable([1.0], name="kernel")
    >>> optimizer = CaffeSGD(learning_rate=0.5, weight_decay=0.5)
    >>> optimizer.apply([ops.ones(1)], [weight])
    >>> float(weight[0])  # 1 - 0.5 * (1 + 0.5 * 1)
    0.25

    Reference:
        `SGDSolver::ComputeUpdateValue` of Caffe; `solver.prototxt` and the multipliers `blobs_lr`
        and `weight_decay` of `stage_1_train.prototxt` in the release. The paper gives learning
        rate, momentum and decay.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        bias_multiplier: float = 2.0,
        decay_normalisation: bool = False,
        gradient_accumulation_steps: int | None = None,
        loss_scale_factor: float | None = None,
        name: str = "caffe_sgd",
    ) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"`momentum` must be in [0, 1). Received: momentum={momentum}")
        if weight_decay < 0 or bias_multiplier < 0:
            raise ValueError(
                "`weight_decay` and `bias_multiplier` must not be negative. Received: "
                f"weight_decay={weight_decay}, bias_multiplier={bias_multiplier}"
            )
        super().__init__(
            learning_rate,
            gradient_accumulation_steps=gradient_accumulation_steps,
            loss_scale_factor=loss_scale_factor,
            name=name,
        )
        self.momentum = momentum
        # Not `weight_decay`: what Keras finds under that name it takes off the weights itself.
        self.decay = weight_decay
        self.bias_multiplier = bias_multiplier
        self.decay_normalisation = decay_normalisation

    def build(self, variables: list[Any]) -> None:
        """Creates a history for each of `variables`, the weights to train."""
        if self.built:
            return
        super().build(variables)
        self._histories = self.add_optimizer_variables(variables, "history")
        # By name and once: an update may see the variables of the backend, which have other names.
        self._factors = tuple(self._factors_of(variable.name) for variable in variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one of the weights and its history."""
        index = self._get_variable_index(variable)
        rate_factor, decay = self._factors[index]
        dtype = variable.dtype
        rate = ops.cast(learning_rate, dtype) * ops.cast(rate_factor, dtype)
        gradient = ops.cast(gradient, dtype)
        if decay:
            gradient = gradient + ops.cast(decay, dtype) * variable
        history = self._histories[index]
        updated = ops.cast(self.momentum, dtype) * history + rate * gradient
        self.assign(history, updated)
        self.assign_sub(variable, updated)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the optimizer."""
        config = super().get_config()
        shared = ("name", "learning_rate", "gradient_accumulation_steps", "loss_scale_factor")
        return {
            **{name: config[name] for name in shared},
            "momentum": self.momentum,
            "weight_decay": self.decay,
            "bias_multiplier": self.bias_multiplier,
            "decay_normalisation": self.decay_normalisation,
        }

    def _factors_of(self, name: str) -> tuple[float, float]:
        if name == "bias":
            return self.bias_multiplier, 0.0
        if name in _NORMALISATION and not self.decay_normalisation:
            return 1.0, 0.0
        return 1.0, self.decay
