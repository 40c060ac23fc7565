"""tfdeconv: semantic segmentation with DeconvNet, from labelled photographs to a served label map.

Public names are resolved when they are first used: `import tfdeconv` loads neither TensorFlow,
Keras nor OpenCV.

Where Keras is loaded already, `import tfdeconv` also registers its layers, losses, metrics and
optimizers, so that `keras.models.load_model` opens files that hold them. Where Keras is loaded
later, `import tfdeconv.models` does.
"""

import importlib
import sys
from typing import Any

from tfdeconv.version import __version__

_PUBLIC = {
    "DenseCRF": "tfdeconv.crf",
    "Segmenter": "tfdeconv.segmentation.segmenter",
    "UserError": "tfdeconv.errors",
    "class_names": "tfdeconv.models",
    "evaluate": "tfdeconv.segmentation.evaluate",
    "export_saved_model": "tfdeconv.export",
    "load_model": "tfdeconv.models",
    "propose": "tfdeconv.proposals",
    "train": "tfdeconv.training.train",
}
_PACKAGES = (
    "boxes",
    "crf",
    "data",
    "export",
    "images",
    "labels",
    "layers",
    "metrics",
    "models",
    "proposals",
    "segmentation",
    "training",
    "visual",
    "weights",
)

__all__ = ["__version__", *_PUBLIC, *_PACKAGES]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
    elif name in _PACKAGES:
        value = importlib.import_module(f"tfdeconv.{name}")
    else:
        raise AttributeError(f"module 'tfdeconv' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if sys.modules.get("keras"):
    importlib.import_module("tfdeconv.models")
if sys.modules.get("keras_hub"):
    importlib.import_module("tfdeconv.hub")
