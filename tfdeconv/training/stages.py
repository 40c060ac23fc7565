"""What can be trained, by name: the two stages of DeconvNet, and its neighbours over whole images.

The small recipes train each network narrow, from scratch, in about five minutes of one core, with
batch normalisation where its paper had none; training/COMPARISON.md has what they reach. They learn
from the encoder of a trained DeconvNet, too (`--init`).

FCN's paper recipes have the numbers of its release, for each network on its own: FCN-32s starts
from a VGG-16 that was trained on ImageNet, FCN-16s from FCN-32s, FCN-8s from FCN-16s, each with a
learning rate a hundredth of the one before, too small a one for random weights. The others have no
paper recipe here.
"""

import dataclasses
import difflib

from tfdeconv.choices import STAGES
from tfdeconv.errors import UserError
from tfdeconv.training import recipes
from tfdeconv.training.recipes import Recipe

# Which network a stage trains; every other name is that of a network itself.
NETWORK = "deconvnet"
OBJECT_STAGES = ("stage1", "stage2")

_PAPER_FCN32S = Recipe(
    input_size=500,  # the longer side of a photograph of PASCAL VOC
    width=1.0,
    deconv_deviation=None,
    encoder_steps=0,
    background=False,
    steps=100_000,  # solver: max_iter
    batch_size=1,
    accumulate=1,  # solver: iter_size
    optimizer="sgd",
    learning_rate=1e-10,  # voc-fcn32s/solver.prototxt: base_lr
    drops=(100_000,),  # solver: lr_policy fixed; the only drop is at the end
    weight_decay=0.0005,  # solver
    validate_every=4_000,  # solver: snapshot
    momentum=0.99,  # solver
    loss_reduction="sum",  # net.py: loss_param normalize
)
_SMALL = Recipe(
    input_size=128,
    width=0.125,
    deconv_deviation=None,
    encoder_steps=0,
    background=False,
    steps=800,
    batch_size=8,
    accumulate=1,
    optimizer="adam",
    learning_rate=3e-3,
    drops=(),
    weight_decay=1e-4,
    validate_every=200,
    head_weight=0.4,  # PSPNet's, section 3.3 of its paper
    batch_norm=True,
    object_size=64,
)
# FCN pads every window by 100 pixels.
_SMALL_FCN = _SMALL.with_changes(steps=950, input_size=200, object_size=200, batch_size=4)
# What each takes five minutes of one core for, or somewhat less.
_STEPS = {
    "segnet": 2100,
    "unet": 1700,
    "deeplab_largefov": 1800,
    "deeplab_aspp": 500,
    "deeplab_aspp_resnet101": 300,
    "pspnet50": 1100,
    "pspnet101": 800,
    "frrn_a": 650,
    "frrn_b": 600,
    "fusionnet": 1000,
    "deep_contextual": 950,
}
# Its pooling stream goes down to a 32nd: of 64 pixels two are left, most of what it sees there is
# padding, and on whole images, which have less of that, it had half the mean IoU.
_OBJECT_SIZES = {"frrn_b": 128}
WHOLE_IMAGE_RECIPES = {
    "small": {
        **dict.fromkeys(("fcn8s", "fcn16s", "fcn32s"), _SMALL_FCN),
        **{
            name: _SMALL.with_changes(steps=steps, object_size=_OBJECT_SIZES.get(name))
            for name, steps in _STEPS.items()
        },
    },
    "paper": {
        "fcn8s": dataclasses.replace(_PAPER_FCN32S, learning_rate=1e-14),  # voc-fcn8s/solver
        "fcn16s": dataclasses.replace(_PAPER_FCN32S, learning_rate=1e-12),  # voc-fcn16s/solver
        "fcn32s": _PAPER_FCN32S,
    },
}


def network_of(stage: str) -> str:
    """Returns the name of the network that a stage trains.

    Example:

    >>> network_of("stage1"), network_of("fcn8s")
    ('deconvnet', 'fcn8s')
    """
    return NETWORK if stage in OBJECT_STAGES else stage


def find_recipe(name: str, stage: str) -> Recipe:
    """Returns the recipe `name` of what is to be trained.

    Args:
        name: "small", "paper" or "release"; FCN's release is its paper's.
        stage: one of `STAGES`.

    Raises:
        UserError: for an unknown recipe or stage, or a network without a paper recipe.

    Example:

    >>> find_recipe("paper", "fcn16s").learning_rate
    1e-12
    """
    if stage not in STAGES or name not in recipes.RECIPES:
        near = difflib.get_close_matches(stage, STAGES, n=1)
        hint = f". Did you mean {near[0]!r}?" if near and near[0] != stage else ""
        raise UserError(
            f"A recipe must be one of {', '.join(recipes.RECIPES)}, and what to train one of "
            f"{', '.join(STAGES)}. Received: recipe {name!r}, stage {stage!r}{hint}"
        )
    if stage in OBJECT_STAGES:
        return recipes.find_recipe(name, stage)
    known = WHOLE_IMAGE_RECIPES["paper" if name == "release" else name]
    if stage not in known:
        raise UserError(
            f"The recipe {name!r} must be asked for one of {', '.join((*OBJECT_STAGES, *known))}. "
            f"Received: {stage!r}, which has the recipe 'small' alone."
        )
    return known[stage]
