"""The networks: functions that return functional Keras models, and how to load a saved one.

Importing this package registers every class of tfdeconv that a saved model may hold, but for those
of `tfdeconv.hub`: Keras opens files that name them from then on.
"""

import importlib

from tfdeconv.models.cam import CAM, class_activation_maps
from tfdeconv.models.deconvnet import DeconvNet
from tfdeconv.models.deep_contextual import DeepContextual
from tfdeconv.models.deeplab import DeepLabASPP, DeepLabLargeFOV
from tfdeconv.models.fcn import FCN8s, FCN16s, FCN32s
from tfdeconv.models.frrn import FRRNA, FRRNB
from tfdeconv.models.fusionnet import FusionNet
from tfdeconv.models.pspnet import PSPNet
from tfdeconv.models.registry import build, list_models
from tfdeconv.models.saved import (
    class_names,
    load_for_inference,
    load_model,
    palette,
    set_palette,
)
from tfdeconv.models.segnet import SegNet
from tfdeconv.models.unet import UNet

__all__ = [
    "CAM",
    "DeconvNet",
    "DeepContextual",
    "DeepLabASPP",
    "DeepLabLargeFOV",
    "FCN16s",
    "FCN32s",
    "FCN8s",
    "FRRNA",
    "FRRNB",
    "FusionNet",
    "PSPNet",
    "SegNet",
    "UNet",
    "build",
    "class_activation_maps",
    "class_names",
    "list_models",
    "load_for_inference",
    "load_model",
    "palette",
    "set_palette",
]

# By name: training is built upon models.
for _module in ("tfdeconv.metrics", "tfdeconv.training", "tfdeconv.training.losses"):
    importlib.import_module(_module)
