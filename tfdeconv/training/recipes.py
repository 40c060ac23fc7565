"""The numbers of a training, each with its source.

`PAPER` holds those of the paper and its release (`training/001_stage_1` and `002_stage_2`: solver
and network prototxt); `SMALL` trains a narrow network from scratch on a CPU in minutes.
"""

import dataclasses
from typing import Any

import keras

from tfdeconv.errors import UserError


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The numbers of one stage of training.

    Attributes:
        input_size: side of the square input of the network, a multiple of 32.
        width: factor on the channels of the network.
        deconv_deviation: deviation of the gaussian that new deconvolutions are drawn from; None for
            the bilinear start, from which narrow networks learn sooner.
        encoder_steps: batches of classification that a stage 1 without a model to start from
            begins with (`tfdeconv.training.encoder`).
        background: whether stage 2 sees proposals of the background, too.
        steps: optimizer steps.
        batch_size: windows of one forward pass, over which batch normalisation takes statistics.
        accumulate: forward passes whose mean gradient makes one optimizer step.
        optimizer: "sgd" (momentum 0.9) or "adam".
        learning_rate: the highest one.
        drops: optimizer steps after which the learning rate is divided by ten; when there are none
            it rises linearly for a twentieth of the steps and falls along a cosine to zero.
        weight_decay: decoupled weight decay.
        validate_every: optimizer steps between validations and checkpoints.
    """

    input_size: int
    width: float
    deconv_deviation: float | None
    encoder_steps: int
    background: bool
    steps: int
    batch_size: int
    accumulate: int
    optimizer: str
    learning_rate: float
    drops: tuple[int, ...]
    weight_decay: float
    validate_every: int

    def with_changes(self, **changes: Any) -> "Recipe":
        """Returns a copy with what is not None changed; all else that counts steps follows."""
        given = {name: value for name, value in changes.items() if value is not None}
        for name, value in given.items():
            if value <= 0:
                raise UserError(f"`{name}` must be positive. Received: {name}={value}")
        if "steps" in given:
            scale = given["steps"] / self.steps
            given["drops"] = tuple(max(1, round(scale * drop)) for drop in self.drops)
            given["validate_every"] = max(1, round(scale * self.validate_every))
            given["encoder_steps"] = round(scale * self.encoder_steps)
        return dataclasses.replace(self, **given)

    @property
    def batches(self) -> int:
        """Forward passes of the whole training."""
        return self.steps * self.accumulate

    def build_optimizer(self) -> keras.optimizers.Optimizer:
        """Returns a fresh Keras optimizer with the schedule of the recipe."""
        # Keras counts forward passes, not optimizer steps, when it accumulates gradients.
        accumulated = self.accumulate if self.accumulate > 1 else None
        options = {"weight_decay": self.weight_decay, "gradient_accumulation_steps": accumulated}
        if self.optimizer == "sgd":
            return keras.optimizers.SGD(self._schedule(), momentum=0.9, **options)
        return keras.optimizers.Adam(self._schedule(), **options)

    def _schedule(self) -> keras.optimizers.schedules.LearningRateSchedule:
        if self.drops:
            rates = [self.learning_rate * 0.1**power for power in range(len(self.drops) + 1)]
            boundaries = [drop * self.accumulate for drop in self.drops]
            return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
        warmup = max(1, self.batches // 20)
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            decay_steps=max(1, self.batches - warmup),
            warmup_target=self.learning_rate,
            warmup_steps=warmup,
        )


_PAPER_STAGE1 = Recipe(
    input_size=224,  # section 3.2; crops of 250x250
    width=1.0,
    deconv_deviation=0.01,  # stage_1_train.prototxt: weight_filler
    encoder_steps=0,  # the paper starts from a trained VGG-16
    background=False,  # section 4.2 names proposals that overlap an object
    steps=20_000,  # solver: max_iter
    batch_size=8,  # stage_1_train.prototxt: batch_size
    accumulate=8,  # solver: iter_size; 64 windows a step, section 4.3
    optimizer="sgd",  # momentum 0.9, section 4.3
    learning_rate=0.01,  # solver: base_lr
    drops=(9_000, 18_000),  # solver: stepsize, gamma 0.1
    # solver: weight_decay 0.0005, which the release divides by iter_size.
    weight_decay=0.0005 / 8,
    validate_every=500,  # solver: test_interval
)
PAPER = {
    "stage1": _PAPER_STAGE1,
    "stage2": dataclasses.replace(
        _PAPER_STAGE1,
        steps=40_000,
        drops=(10_000, 20_000, 30_000),  # solver of stage 2
    ),
}

# Measured on the drawn data and on nuclei (training/README.md): Adam where SGD at these lengths
# stays at all background, a warm-up because the first steps of batch normalisation are noisy.
_SMALL_STAGE1 = Recipe(
    input_size=32,
    width=0.25,
    deconv_deviation=None,
    encoder_steps=400,
    background=True,
    steps=600,
    batch_size=32,
    accumulate=1,
    optimizer="adam",
    learning_rate=2e-3,
    drops=(),
    weight_decay=1e-4,
    validate_every=150,
)
SMALL = {
    "stage1": _SMALL_STAGE1,
    "stage2": dataclasses.replace(_SMALL_STAGE1, encoder_steps=0, steps=750),
}

RECIPES = {"small": SMALL, "paper": PAPER}


def find_recipe(name: str, stage: str) -> Recipe:
    """Returns the recipe `name` ("small" or "paper") of "stage1" or "stage2".

    Raises:
        UserError: for an unknown recipe or stage.

    Example:

    >>> find_recipe("paper", "stage2").steps
    40000
    """
    if name not in RECIPES or stage not in RECIPES[name]:
        raise UserError(
            f"A recipe must be one of {', '.join(RECIPES)} and a stage one of "
            f"{', '.join(PAPER)}. Received: recipe {name!r}, stage {stage!r}"
        )
    return RECIPES[name][stage]
