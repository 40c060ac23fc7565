"""What TensorFlow Serving is started with: models.config, batching.config and compose.yaml.

Reference:
    https://www.tensorflow.org/tfx/serving/serving_config
"""

import json
import os
from pathlib import Path

from tfdeconv.files import ensure_writable_folder, write_text

_MODELS = """\
# The model and where it lies in the container. The newest version is served; a new one that
# appears beside it is loaded, warmed up, and takes over.
model_config_list {
  config {
    name: "deconvnet"
    base_path: "/models/deconvnet"
    model_platform: "tensorflow"
    model_version_policy { latest { num_versions: 1 } }
  }
}
"""

_BATCHING = """\
# Joins requests of several clients, for a GPU and many small requests for `regions` and
# `regions_uint8`. compose.yaml does not use it; add there
#   - --enable_batching=true
#   - --batching_parameters_file=/config/batching.config
# Off, since it joins requests of every signature: photographs of different sizes for `segment` or
# different numbers of boxes cannot be joined and are refused, one mistake fails the requests of
# others beside it, and the segment signatures work on one photograph after the other anyway.
max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: 4 }
"""

_COMPOSE = """\
# docker compose -f compose.yaml up
services:
  deconvnet:
    # Any from 2.15 on; name the version that you tested. For a GPU, latest-gpu.
    image: tensorflow/serving:latest
    command:
      - --model_config_file=/config/models.config
      - --enable_model_warmup=true
      # A full-size network on a CPU needs longer for a photograph than the 30 seconds allowed.
      - --rest_api_timeout_in_ms=300000
    environment:
      # oneDNN also on processors without AVX512, where a photograph takes 0.73 of the time.
      TF_ENABLE_ONEDNN_OPTS: "1"
    ports:
      # This machine only: the server asks nobody who they are. gRPC, then REST.
      - "127.0.0.1:8500:8500"
      - "127.0.0.1:8501:8501"
    volumes:
      - type: bind
        source: @FOLDER@
        target: /models/deconvnet
        read_only: true
      - type: bind
        source: .
        target: /config
        read_only: true
    restart: unless-stopped
"""


def server_files(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Returns the files that a server of an exported folder is started with: name -> text.

    Args:
        folder: The folder of versions on the machine of the server; clients call it `deconvnet`.

    Example:

    >>> sorted(server_files("/srv/deconvnet"))
    ['batching.config', 'compose.yaml', 'models.config']
    """
    # YAML reads text in double quotes as JSON does; compose would replace what follows a dollar.
    quoted = json.dumps(os.fspath(folder), ensure_ascii=False).replace("$", "$$")
    compose = _COMPOSE.replace("@FOLDER@", quoted)
    return {"models.config": _MODELS, "batching.config": _BATCHING, "compose.yaml": compose}


def write_server_files(folder: str | os.PathLike[str], directory: str | os.PathLike[str]) -> Path:
    """Writes `server_files` of `folder`, made absolute, into `directory`, which it returns."""
    out = ensure_writable_folder(directory)
    for file, text in server_files(Path(folder).resolve()).items():
        write_text(out / file, text)
    return out
