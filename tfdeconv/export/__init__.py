"""Models that run without Python: a SavedModel for servers, and the proof that it does the same."""

from tfdeconv.export.saved_model import export_saved_model, read_metadata
from tfdeconv.export.verify import Verification, verify

__all__ = ["Verification", "export_saved_model", "read_metadata", "verify"]
