"""Training recipes: hyper-parameters with their sources, optimizers and schedules.

"paper" has the numbers of the paper of a network and, where it is silent, those of its release.
"release" is what the code of DeconvNet's release did wherever that differs. "small" trains a narrow
network from scratch on a CPU in minutes.

DeconvNet's numbers are those of `training/001_stage_1` and `002_stage_2`, solver and network
prototxt. What "paper" and "release" have in common, although the paper says otherwise:

- Weight decay. Paper and solver say 0.0005; the fork of Caffe that trained both stages divides the
  decay by `iter_size` together with the gradients (`solver.cpp`), so that the published results
  were reached with 6.25e-5.
- Learning rate. The paper lowers it when the validation accuracy does not improve; the solvers fix
  the steps at which that was.

Where they differ: the prototxts give batch normalisation no multipliers, so that Caffe decays its
scale and shift like weights. "release" does; "paper" decays the kernels of convolutions alone.

In neither: the release adds 1e-9 to variances, this package 1.001e-5, the smallest value of
TensorFlow's fused kernel, which keeps channels that are nearly constant from being amplified; and
the release validates with the statistics of the batch, on windows mirrored at random, this package
with the moving averages that inference uses, on windows as they are.

FCN's numbers are those of its release: FCN-32s starts from a VGG-16 trained on ImageNet, FCN-16s
from FCN-32s, FCN-8s from FCN-16s, each with a hundredth of the learning rate before, too small for
random weights.

The small recipes take about five minutes of one core for each network, with batch normalisation
where its paper had none; training/COMPARISON.md has their results.
"""

import dataclasses
import difflib
from typing import Any

import keras

from tfdeconv.errors import UserError
from tfdeconv.training.caffe_sgd import CaffeSGD


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The numbers of a training, of one stage where a network has two.

    Attributes:
        input_size: side of the square input of the network, for DeconvNet a multiple of 32.
        width: factor on the channels of the network.
        steps: optimizer steps.
        batch_size: windows of one forward pass, over which batch normalisation takes statistics.
        optimizer: "sgd" (`CaffeSGD`) or "adam".
        learning_rate: the highest one.
        weight_decay: coefficient of weights in their gradient ("sgd"), or decoupled ("adam").
        validate_every: optimizer steps between validations and checkpoints. A validation is of at
            most three quarters as many windows as were trained on between two, and of at most 1000.
        accumulate: forward passes whose mean gradient makes one optimizer step.
        momentum: that of "sgd".
        drops: optimizer steps after which the learning rate is divided by ten. If empty, the rate
            rises linearly for a twentieth of the steps and falls along a cosine to zero.
        decay_normalisation: whether "sgd" decays scale and shift of batch normalisation, too.
        loss_reduction: "sum_over_batch_size" for the mean over the pixels of a batch, or "sum".
        head_weight: weight of the losses of auxiliary heads, those of `tfdeconv.training.heads` or
            a network's own; 0 for none.
        encoder_steps: batches of classification that stage 1 begins with when it starts from random
            weights (`tfdeconv.training.encoder`).
        background: whether stage 2 also trains on proposals of the background.
        deconv_deviation: standard deviation of the Gaussian that initializes the kernels of a new
            deconvolution network; None for bilinear kernels, with which narrow networks learn
            faster.
        fc6_kernel: side of the kernel of `fc6`; None for the full last map, as in the paper.
        first_shift: initial shift of batch normalisation in a new network.
        batch_norm: whether networks whose paper had no batch normalisation get it.
        object_size: side of the windows, centred on objects, of full-image networks on data with
            instance maps. 0 for windows of `input_size` that cover the images, as on other data.
    """

    input_size: int
    width: float
    steps: int
    batch_size: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    validate_every: int
    accumulate: int = 1
    momentum: float = 0.9
    drops: tuple[int, ...] = ()
    decay_normalisation: bool = False
    loss_reduction: str = "sum_over_batch_size"
    head_weight: float = 0.0
    encoder_steps: int = 0
    background: bool = False
    deconv_deviation: float | None = None
    fc6_kernel: int | None = None
    first_shift: float = 0.0
    batch_norm: bool = False
    object_size: int = 0

    def with_changes(self, **changes: Any) -> "Recipe":
        """Returns a copy with the changes that are not None; what counts steps is scaled.

        Raises:
            UserError: when a number is not positive.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        require_positive(**given)
        if "steps" in given:
            scale = given["steps"] / self.steps
            given["drops"] = tuple(max(1, round(scale * drop)) for drop in self.drops)
            given["validate_every"] = max(1, round(scale * self.validate_every))
            given["encoder_steps"] = round(scale * self.encoder_steps)
        return dataclasses.replace(self, **given)

    def for_objects(self) -> "Recipe":
        """Returns the recipe for windows of `object_size`, with as many pixels in a batch.

        Example:

        >>> recipe = find_recipe("small", "unet")
        >>> recipe.for_objects().input_size, recipe.for_objects().batch_size
        (64, 32)
        """
        if not self.object_size:
            return self
        windows = round(self.batch_size * (self.input_size / self.object_size) ** 2)
        return dataclasses.replace(self, input_size=self.object_size, batch_size=windows)

    @property
    def batches(self) -> int:
        """Forward passes of the full training."""
        return self.steps * self.accumulate

    def build_optimizer(self) -> keras.optimizers.Optimizer:
        """Returns a new optimizer with the learning rate schedule of the recipe.

        It is `CaffeSGD`, whose decay is part of the gradient, or Keras's Adam, whose decay is not.
        """
        accumulated = self.accumulate if self.accumulate > 1 else None
        if self.optimizer == "sgd":
            return CaffeSGD(
                self._schedule(),
                momentum=self.momentum,
                weight_decay=self.weight_decay,
                decay_normalisation=self.decay_normalisation,
                gradient_accumulation_steps=accumulated,
            )
        return keras.optimizers.Adam(
            self._schedule(),
            weight_decay=self.weight_decay,
            gradient_accumulation_steps=accumulated,
        )

    def _schedule(self) -> keras.optimizers.schedules.LearningRateSchedule:
        # A schedule counts batches where Keras accumulates gradients; a recipe counts updates.
        if self.drops:
            rates = [self.learning_rate * 0.1**power for power in range(len(self.drops) + 1)]
            # Keras keeps a rate up to and including its boundary; Caffe's update number `drop`,
            # counted from 0, is the first at the lower rate, and all its batches come after this.
            boundaries = [drop * self.accumulate - 1 for drop in self.drops]
            return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
        warmup = max(1, self.batches // 20)
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            decay_steps=max(1, self.batches - warmup),
            warmup_target=self.learning_rate,
            warmup_steps=warmup,
        )


def require_positive(**numbers: float) -> None:
    """Checks numbers of a training.

    Raises:
        UserError: when one is not positive and finite.
    """
    for name, value in numbers.items():
        if not 0 < value < float("inf"):
            raise UserError(f"`{name}` must be positive and finite. Received: {name}={value}")


_PAPER_STAGE1 = Recipe(
    input_size=224,  # section 6.1; crops of 250x250
    width=1.0,
    steps=20_000,  # solver: max_iter
    batch_size=8,  # stage_1_train.prototxt: batch_size
    optimizer="sgd",  # momentum 0.9, section 6.1
    learning_rate=0.01,  # solver: base_lr
    weight_decay=0.0005 / 8,  # solver: weight_decay over iter_size
    validate_every=500,  # solver: test_interval
    accumulate=8,  # solver: iter_size; 64 windows a step, section 6.1
    drops=(9_000, 18_000),  # solver: stepsize, gamma 0.1
    background=False,  # section 4.2 names proposals that overlap an object
    deconv_deviation=0.01,  # stage_1_train.prototxt: weight_filler of fc6-deconv to the scores
    first_shift=0.001,  # shift filler of the release's BN layers
)
_PAPER_FCN32S = Recipe(
    input_size=500,  # the longer side of a photograph of PASCAL VOC
    width=1.0,
    steps=100_000,  # solver: max_iter
    batch_size=1,
    optimizer="sgd",
    learning_rate=1e-10,  # voc-fcn32s/solver.prototxt: base_lr
    weight_decay=0.0005,  # solver
    validate_every=4_000,  # solver: snapshot
    momentum=0.99,  # solver
    drops=(100_000,),  # solver: lr_policy fixed; the only drop is at the end
    loss_reduction="sum",  # net.py: loss_param normalize
)
# Measured on the drawn data and on nuclei (training/README.md): Adam where SGD at these lengths
# predicts background alone, a warm-up because the first steps of batch normalisation are noisy.
_SMALL_STAGE1 = Recipe(
    input_size=64,
    width=0.125,
    steps=600,
    batch_size=32,
    optimizer="adam",
    learning_rate=3e-3,
    weight_decay=1e-4,
    validate_every=150,
    head_weight=0.4,
    encoder_steps=600,
    background=True,
    fc6_kernel=1,  # one vector for the full map does not learn what is where in so few steps
)
_SMALL = Recipe(
    input_size=128,
    width=0.125,
    steps=800,
    batch_size=8,
    optimizer="adam",
    learning_rate=3e-3,
    weight_decay=1e-4,
    validate_every=200,
    head_weight=0.4,  # PSPNet's, section 3.3 of its paper
    batch_norm=True,
    object_size=64,
)
# FCN pads every window by 100 pixels.
_SMALL_FCN = _SMALL.with_changes(steps=950, input_size=200, object_size=200, batch_size=4)

# The stages of DeconvNet, section 4.2 of its paper: single objects, and object proposals.
DECONVNET, STAGES = "deconvnet", (1, 2)
# Network and stage, which is None for all networks but DeconvNet -> recipe.
PAPER: dict[tuple[str, int | None], Recipe] = {
    (DECONVNET, 1): _PAPER_STAGE1,
    (DECONVNET, 2): dataclasses.replace(
        _PAPER_STAGE1,
        steps=40_000,
        drops=(10_000, 20_000, 30_000),  # solver of stage 2
    ),
    ("fcn8s", None): dataclasses.replace(_PAPER_FCN32S, learning_rate=1e-14),  # voc-fcn8s/solver
    ("fcn16s", None): dataclasses.replace(_PAPER_FCN32S, learning_rate=1e-12),  # voc-fcn16s/solver
    ("fcn32s", None): _PAPER_FCN32S,
}
RELEASE = PAPER | {
    (DECONVNET, stage): dataclasses.replace(PAPER[DECONVNET, stage], decay_normalisation=True)
    for stage in STAGES
}
SMALL: dict[tuple[str, int | None], Recipe] = {
    (DECONVNET, 1): _SMALL_STAGE1,
    (DECONVNET, 2): dataclasses.replace(
        _SMALL_STAGE1, encoder_steps=0, steps=3000, validate_every=500
    ),
    ("fcn8s", None): _SMALL_FCN,
    ("fcn16s", None): _SMALL_FCN,
    ("fcn32s", None): _SMALL_FCN,
    # Steps of about five minutes of one core.
    ("segnet", None): _SMALL.with_changes(steps=2100),
    ("unet", None): _SMALL.with_changes(steps=1700),
    ("deeplab_largefov", None): _SMALL.with_changes(steps=1800),
    ("deeplab_aspp", None): _SMALL.with_changes(steps=500),
    ("deeplab_aspp_resnet101", None): _SMALL.with_changes(steps=300),
    ("pspnet50", None): _SMALL.with_changes(steps=1100),
    ("pspnet101", None): _SMALL.with_changes(steps=800),
    ("frrn_a", None): _SMALL.with_changes(steps=650),
    # Its pooling stream goes down to a 32nd: of 64 pixels two are left, mostly padding. On full
    # images, which have less padding, a network trained on 64 pixels had half the mean IoU.
    ("frrn_b", None): _SMALL.with_changes(steps=600, object_size=128),
    ("fusionnet", None): _SMALL.with_changes(steps=1000),
    ("deep_contextual", None): _SMALL.with_changes(steps=950),
}
RECIPES = {"small": SMALL, "paper": PAPER, "release": RELEASE}
# What can be trained, DeconvNet first.
NETWORKS = tuple(dict.fromkeys(network for network, _ in SMALL))


def find_recipe(name: str, network: str, stage: int | None = None) -> Recipe:
    """Returns the recipe `name` of a network.

    Args:
        name: "small", "paper" or "release"; FCN's release is its paper's.
        network: One of `NETWORKS`.
        stage: 1 or 2 for DeconvNet, None for all others.

    Raises:
        UserError: for an unknown recipe, network or stage, or a network without that recipe.

    Example:

    >>> find_recipe("paper", "deconvnet", 2).steps, find_recipe("paper", "fcn16s").learning_rate
    (40000, 1e-12)
    """
    if network not in NETWORKS or name not in RECIPES:
        near = difflib.get_close_matches(network, NETWORKS, n=1)
        hint = f". Did you mean {near[0]!r}?" if near and near[0] != network else ""
        raise UserError(
            f"A recipe must be one of {', '.join(RECIPES)}, and a network one of "
            f"{', '.join(NETWORKS)}. Received: recipe {name!r}, network {network!r}{hint}"
        )
    if (network, stage) not in SMALL:
        allowed = "1 or 2" if network == DECONVNET else "None"
        raise UserError(f"The stage of {network} must be {allowed}. Received: stage={stage!r}")
    found = RECIPES[name].get((network, stage))
    if found is None:
        known = dict.fromkeys(network for network, _ in RECIPES[name])
        raise UserError(
            f"The recipe {name!r} exists only for {', '.join(known)}. Received: {network!r}. Use "
            "--recipe small."
        )
    return found
