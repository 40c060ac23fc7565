"""The networks: functions that return functional Keras models, and how to load a saved one."""

from tfdeconv.models.deconvnet import DeconvNet
from tfdeconv.models.fcn import FCN8s, FCN16s, FCN32s
from tfdeconv.models.registry import build, list_models
from tfdeconv.models.saved import class_names, load_model

__all__ = [
    "DeconvNet",
    "FCN16s",
    "FCN32s",
    "FCN8s",
    "build",
    "class_names",
    "list_models",
    "load_model",
]
