"""From a network and an image of any size to the labels of its pixels.

`Segmenter` (`segmenter.py`) has the options and the loops; `pipeline.py` has the steps.
"""
