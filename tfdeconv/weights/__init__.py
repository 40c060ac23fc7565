"""Weights from other projects: Caffe, ImageNet, SegNet in Keras; folding of batch normalisation."""

from tfdeconv.weights.caffe import Blob, read_caffemodel
from tfdeconv.weights.classifiers import read_classifier
from tfdeconv.weights.folding import fold_batch_norm, is_plain
from tfdeconv.weights.imagenet import load_encoder
from tfdeconv.weights.mapping import Report, load_caffemodel
from tfdeconv.weights.segnet_h5 import load_segnet_h5

__all__ = [
    "Blob",
    "Report",
    "fold_batch_norm",
    "is_plain",
    "load_caffemodel",
    "load_encoder",
    "load_segnet_h5",
    "read_caffemodel",
    "read_classifier",
]
