"""Labelled photographs: reading them, checking them, cutting windows for both stages of training.

A data set is a folder in PASCAL VOC layout (`voc.py`). What is read and planned ahead is NumPy;
what runs for every image is a graph of TensorFlow ops without Python callbacks. Import the modules
by name: `tfdeconv.data.voc` and its NumPy neighbours do not load TensorFlow.
"""
