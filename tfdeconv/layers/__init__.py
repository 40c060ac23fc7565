"""Layers of networks that pool with switches: pooling, unpooling, preprocessing and scores."""

from tfdeconv.layers.batch_normalization import BatchNormalization
from tfdeconv.layers.bilinear import Bilinear
from tfdeconv.layers.crop import Crop
from tfdeconv.layers.dense_map import DenseMap
from tfdeconv.layers.enlarge import BilinearUpsample
from tfdeconv.layers.logits import Logits
from tfdeconv.layers.max_pool_with_argmax import MaxPoolWithArgmax
from tfdeconv.layers.mirror_pad import MirrorPad
from tfdeconv.layers.preprocess import Preprocess
from tfdeconv.layers.pyramid import AdaptiveAveragePool, Resize
from tfdeconv.layers.require_size import RequireSize
from tfdeconv.layers.unpool import Unpool

__all__ = [
    "AdaptiveAveragePool",
    "BatchNormalization",
    "Bilinear",
    "Crop",
    "DenseMap",
    "BilinearUpsample",
    "MaxPoolWithArgmax",
    "MirrorPad",
    "Preprocess",
    "RequireSize",
    "Logits",
    "Resize",
    "Unpool",
]
