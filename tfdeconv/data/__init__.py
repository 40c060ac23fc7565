"""Labelled photographs: reading, checking, planning windows and the `tf.data` pipelines.

A data set is a folder in PASCAL VOC layout (`voc.py`). What is read and planned beforehand is
NumPy; what runs for every image is a graph of TensorFlow ops without Python callbacks. Import the
modules by name: `voc`, `maps`, `windows`, `check` and `drawn` do not load TensorFlow.
"""
