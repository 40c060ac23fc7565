"""The networks as KerasHub classes: backbones, image segmenters and preprocessing.

Importing this package registers the classes, and only then do `keras_hub.models.Backbone` and
`keras_hub.models.ImageSegmenter` find them in a preset. It needs the package keras-hub.
"""

try:
    import keras_hub  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"`tfdeconv.hub` must find the package keras-hub. Received: {error}. Install it with "
        '`pip install "tfdeconv[hub]"`.'
    ) from error

from tfdeconv.hub.backbones import DeconvNetBackbone, FCNBackbone, SegNetBackbone
from tfdeconv.hub.from_network import from_network
from tfdeconv.hub.preprocessing import (
    DeconvNetImageConverter,
    DeconvNetImageSegmenterPreprocessor,
    FCNImageConverter,
    FCNImageSegmenterPreprocessor,
    SegNetImageConverter,
    SegNetImageSegmenterPreprocessor,
)
from tfdeconv.hub.segmenters import (
    DeconvNetImageSegmenter,
    FCNImageSegmenter,
    SegNetImageSegmenter,
)

__all__ = [
    "DeconvNetBackbone",
    "DeconvNetImageConverter",
    "DeconvNetImageSegmenter",
    "DeconvNetImageSegmenterPreprocessor",
    "FCNBackbone",
    "FCNImageConverter",
    "FCNImageSegmenter",
    "FCNImageSegmenterPreprocessor",
    "SegNetBackbone",
    "SegNetImageConverter",
    "SegNetImageSegmenter",
    "SegNetImageSegmenterPreprocessor",
    "from_network",
]
