"""From the numbers of a recipe to a Keras optimizer with its learning rate schedule.

Keras counts batches, not updates, for a schedule when it accumulates gradients; a recipe counts
updates, as Caffe does.
"""

from typing import TYPE_CHECKING

import keras

from tfdeconv.training.caffe_sgd import CaffeSGD

if TYPE_CHECKING:
    from tfdeconv.training.recipes import Recipe


def build_optimizer(recipe: "Recipe") -> keras.optimizers.Optimizer:
    """Returns a fresh optimizer with the learning rate schedule of `recipe`.

    Args:
        recipe: The numbers of a stage; see `Recipe.optimizer`.

    Returns:
        `CaffeSGD`, whose decay is part of the gradient, or Keras's Adam, whose decay is not.
    """
    accumulated = recipe.accumulate if recipe.accumulate > 1 else None
    if recipe.optimizer == "sgd":
        return CaffeSGD(
            schedule(recipe),
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            decay_normalisation=recipe.decay_normalisation,
            gradient_accumulation_steps=accumulated,
        )
    return keras.optimizers.Adam(
        schedule(recipe),
        weight_decay=recipe.weight_decay,
        gradient_accumulation_steps=accumulated,
    )


def schedule(recipe: "Recipe") -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns the learning rate by batch: in steps where the recipe has drops, else a cosine."""
    if recipe.drops:
        rates = [recipe.learning_rate * 0.1**power for power in range(len(recipe.drops) + 1)]
        # Keras keeps a rate up to and including its boundary; Caffe's update number `drop`, counted
        # from 0, is the first at the lower rate, and all its batches come after this one.
        boundaries = [drop * recipe.accumulate - 1 for drop in recipe.drops]
        return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
    warmup = max(1, recipe.batches // 20)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, recipe.batches - warmup),
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup,
    )
