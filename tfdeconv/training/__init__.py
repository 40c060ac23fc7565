"""Training with plain `compile` and `fit`: recipes, losses, run folders."""

from tfdeconv.training.caffe_sgd import CaffeSGD

__all__ = ["CaffeSGD"]
