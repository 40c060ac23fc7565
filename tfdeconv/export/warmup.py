"""The requests by which a server warms a version up before it answers anybody.

tensorflow_model_server runs them when it has loaded the folder; without them the first caller waits
while the graph is optimised and kernels are chosen.

Reference:
    https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

import os
from pathlib import Path

from tfdeconv.export.c_api.messages import encode_prediction_log
from tfdeconv.export.c_api.records import WARMUP_FILE, encode_record
from tfdeconv.export.c_api.signature_defs import read_saved_model
from tfdeconv.export.metadata import read_metadata
from tfdeconv.export.samples import warmup_requests


def write_warmup(folder: str | os.PathLike[str]) -> Path:
    """Writes one small request for every signature of the SavedModel in `folder` into it.

    Args:
        folder: The folder of one version, with its `saved_model.pb` and its metadata.

    Returns:
        The file, `assets.extra/tf_serving_warmup_requests`.
    """
    signatures = read_saved_model((Path(folder) / "saved_model.pb").read_bytes())
    requests = warmup_requests(signatures, read_metadata(folder))
    records = (encode_prediction_log(request) for request in requests)
    path = Path(folder) / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(map(encode_record, records)))
    return path
