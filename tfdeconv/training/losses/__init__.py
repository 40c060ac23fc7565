"""Losses over label maps, in float32 and without the ignored pixels."""

from tfdeconv.training.losses.cross_entropy import CrossEntropy
from tfdeconv.training.losses.focal import Focal
from tfdeconv.training.losses.lovasz import LovaszSoftmax
from tfdeconv.training.losses.overlap import Dice, Jaccard, Tversky

__all__ = ["CrossEntropy", "Dice", "Focal", "Jaccard", "LovaszSoftmax", "Tversky"]
