"""The networks: functions that return functional Keras models, and how to load a saved one."""

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
