"""A SavedModel in a process without TensorFlow's Python, Keras or tfdeconv, as a server runs it.

This package stands alone (standard library, NumPy and the C++ libraries inside the tensorflow
wheel) and imports its own files relatively: `verify` runs it under the bare name `c_api`, so that
nothing of tfdeconv can help the exported graph.
"""

from .session import Session as Session
from .session import TensorFlowError as TensorFlowError
