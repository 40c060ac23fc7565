"""Fully connected conditional random fields: label maps that follow the edges of the image."""

from tfdeconv.crf.dense_crf import DenseCRF as DenseCRF

__all__ = ["DenseCRF"]
