"""The numbers of a training, each with its source.

`PAPER` holds those of the paper and, where it is silent, those of its release
(`training/001_stage_1` and `002_stage_2`: solver and network prototxt). `RELEASE` is what the
release's code did wherever that is another thing; `SMALL` trains a narrow network from scratch on a
CPU in minutes.

What the two large recipes have in common, though the paper's words are others:

- Weight decay. The paper and the solver say 0.0005; the fork of Caffe that both stages were trained
  with divides the decay by `iter_size` together with the gradients (`solver.cpp`), so that 6.25e-5
  is what the published numbers were reached with.
- Learning rate. The paper lowers it when the validation accuracy does not improve; the solvers fix
  the steps at which that was.

Where they differ: the prototxts give batch normalisation no multipliers, so that Caffe decays its
scale and shift like weights. `RELEASE` does; `PAPER` decays the weights of convolutions alone.

In neither: the release adds 1e-9 to variances, this package 1.001e-5, the least that TensorFlow's
fused kernel takes, which keeps channels that are nearly constant from being blown up; and the
release validates with the statistics of the batch, on windows mirrored at random, this package with
the moving averages that inference uses, on windows as they are.
"""

import dataclasses
from typing import Any

import keras

from tfdeconv.errors import UserError
from tfdeconv.training import optimizers


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The numbers of one stage of training.

    Attributes:
        input_size: side of the square input of the network, for DeconvNet a multiple of 32.
        width: factor on the channels of the network.
        deconv_deviation: deviation of the gaussian that the kernels of a new deconvolution network
            are drawn from; None for the bilinear start, from which narrow networks learn sooner.
        encoder_steps: batches of classification that a stage 1 without a model to start from
            begins with (`tfdeconv.training.encoder`).
        background: whether stage 2 sees proposals of the background, too.
        steps: optimizer steps.
        batch_size: windows of one forward pass, over which batch normalisation takes statistics.
        accumulate: forward passes whose mean gradient makes one optimizer step.
        optimizer: "sgd" (`CaffeSGD`) or "adam".
        learning_rate: the highest one.
        drops: optimizer steps after which the learning rate is divided by ten; when there are none
            it rises linearly for a twentieth of the steps and falls along a cosine to zero.
        weight_decay: coefficient of weights in their gradient ("sgd"), or decoupled ("adam").
        validate_every: optimizer steps between validations and checkpoints.
        decay_normalisation: whether scale and shift of batch normalisation decay, too, with "sgd".
        first_shift: the shift that batch normalisation starts with in a new network.
        momentum: that of "sgd".
        fc6_kernel: side of the kernel of `fc6`; None for the whole last map, as in the paper.
        head_weight: weight of the losses half way (`tfdeconv.training.heads`) or of a network's
            own auxiliary classifiers; 0 for none.
        loss_reduction: "sum_over_batch_size" for the mean over the pixels of a batch, or "sum".
        batch_norm: whether networks whose paper had no batch normalisation get it.
        object_size: side of the windows of networks that see whole images where a data set has
            instance maps: these are centred on objects. 0 for windows of `input_size` that cover
            the images, as where it has none.
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
    decay_normalisation: bool = False
    first_shift: float = 0.0
    momentum: float = 0.9
    fc6_kernel: int | None = None
    head_weight: float = 0.0
    loss_reduction: str = "sum_over_batch_size"
    batch_norm: bool = False
    object_size: int = 0

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

    def about_objects(self) -> "Recipe":
        """Returns the recipe for windows about objects, with as many pixels in a batch.

        Example:

        >>> recipe = dataclasses.replace(PAPER["stage1"], object_size=112)
        >>> recipe.about_objects().input_size, recipe.about_objects().batch_size
        (112, 32)
        """
        if not self.object_size:
            return self
        windows = round(self.batch_size * (self.input_size / self.object_size) ** 2)
        return dataclasses.replace(self, input_size=self.object_size, batch_size=windows)

    @property
    def batches(self) -> int:
        """Forward passes of the whole training."""
        return self.steps * self.accumulate

    def build_optimizer(self) -> keras.optimizers.Optimizer:
        """Returns a fresh Keras optimizer with the schedule of the recipe."""
        return optimizers.build_optimizer(self)


_PAPER_STAGE1 = Recipe(
    input_size=224,  # section 6.1; crops of 250x250
    width=1.0,
    deconv_deviation=0.01,  # stage_1_train.prototxt: weight_filler of fc6-deconv to the scores
    encoder_steps=0,  # the paper starts from a trained VGG-16
    background=False,  # section 4.2 names proposals that overlap an object
    steps=20_000,  # solver: max_iter
    batch_size=8,  # stage_1_train.prototxt: batch_size
    accumulate=8,  # solver: iter_size; 64 windows a step, section 6.1
    optimizer="sgd",  # momentum 0.9, section 6.1
    learning_rate=0.01,  # solver: base_lr
    drops=(9_000, 18_000),  # solver: stepsize, gamma 0.1
    weight_decay=0.0005 / 8,  # solver: weight_decay over iter_size
    validate_every=500,  # solver: test_interval
    first_shift=0.001,  # shift filler of the release's BN layers
)
PAPER = {
    "stage1": _PAPER_STAGE1,
    "stage2": dataclasses.replace(
        _PAPER_STAGE1,
        steps=40_000,
        drops=(10_000, 20_000, 30_000),  # solver of stage 2
    ),
}
RELEASE = {
    stage: dataclasses.replace(recipe, decay_normalisation=True) for stage, recipe in PAPER.items()
}

# Measured on the drawn data and on nuclei (training/README.md): Adam where SGD at these lengths
# stays at all background, a warm-up because the first steps of batch normalisation are noisy.
_SMALL_STAGE1 = Recipe(
    input_size=64,
    width=0.125,
    deconv_deviation=None,
    encoder_steps=600,
    background=True,
    steps=600,
    batch_size=32,
    accumulate=1,
    optimizer="adam",
    learning_rate=3e-3,
    drops=(),
    weight_decay=1e-4,
    validate_every=150,
    fc6_kernel=1,  # a map of vectors: a single one cannot say what is where in so short a training
    head_weight=0.4,
)
SMALL = {
    "stage1": _SMALL_STAGE1,
    "stage2": dataclasses.replace(_SMALL_STAGE1, encoder_steps=0, steps=3000, validate_every=500),
}

RECIPES = {"small": SMALL, "paper": PAPER, "release": RELEASE}


def find_recipe(name: str, stage: str) -> Recipe:
    """Returns the recipe `name` ("small", "paper" or "release") of "stage1" or "stage2".

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
