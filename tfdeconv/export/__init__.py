"""Models without Python: files for servers and devices, and their verification.

Names are resolved when they are first used: the client of a server loads no TensorFlow.
"""

import importlib
from typing import Any

_PUBLIC = {
    "Client": "tfdeconv.export.client",
    "Verification": "tfdeconv.export.verification",
    "export_litert": "tfdeconv.export.portable",
    "export_onnx": "tfdeconv.export.portable",
    "export_saved_model": "tfdeconv.export.saved_model",
    "read_metadata": "tfdeconv.export.saved_model",
    "verify": "tfdeconv.export.verification",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value
