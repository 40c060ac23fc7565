"""Layers of segmentation networks: pooling with switches, resampling, preprocessing, logits."""

from tfdeconv.layers.batch_normalization import BatchNormalization
from tfdeconv.layers.dense_map import DenseMap
from tfdeconv.layers.logits import Logits
from tfdeconv.layers.pooling import MaxPoolWithArgmax, Unpool
from tfdeconv.layers.preprocess import Preprocess, RequireSize
from tfdeconv.layers.resampling import (
    AdaptiveAveragePool,
    Bilinear,
    BilinearUpsample,
    Crop,
    MirrorPad,
    Resize,
)

__all__ = [
    "AdaptiveAveragePool",
    "BatchNormalization",
    "Bilinear",
    "BilinearUpsample",
    "Crop",
    "DenseMap",
    "Logits",
    "MaxPoolWithArgmax",
    "MirrorPad",
    "Preprocess",
    "RequireSize",
    "Resize",
    "Unpool",
]
