"""Weights from elsewhere: Caffe's files, ImageNet's VGG-16, and batch normalisation folded away."""

from tfdeconv.weights.blob import Blob
from tfdeconv.weights.caffe import read_caffemodel
from tfdeconv.weights.folding import fold_batch_norm, is_plain
from tfdeconv.weights.imagenet import load_encoder
from tfdeconv.weights.mapping import Report, load_caffemodel

__all__ = [
    "Blob",
    "Report",
    "fold_batch_norm",
    "is_plain",
    "load_caffemodel",
    "load_encoder",
    "read_caffemodel",
]
