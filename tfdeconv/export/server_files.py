"""The files that TensorFlow Serving is started with, for an exported folder.

Reference:
    https://www.tensorflow.org/tfx/serving/serving_config
"""

import json
import os
from pathlib import Path

from tfdeconv.files import ensure_writable_folder, write_text

_TEMPLATES = Path(__file__).with_name("serving")


def server_files(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Returns models.config, batching.config and compose.yaml: name -> text.

    Args:
        folder: The folder of versions on the machine of the server; clients call it `deconvnet`.

    Example:

    >>> sorted(server_files("/srv/deconvnet"))
    ['batching.config', 'compose.yaml', 'models.config']
    """
    # YAML reads text in double quotes as JSON does; compose would replace what follows a dollar.
    quoted = json.dumps(os.fspath(folder), ensure_ascii=False).replace("$", "$$")
    return {
        path.name: path.read_text("utf-8").replace("@FOLDER@", quoted)
        for path in _TEMPLATES.iterdir()
    }


def write_server_files(folder: str | os.PathLike[str], directory: str | os.PathLike[str]) -> Path:
    """Writes `server_files` of `folder`, made absolute, into `directory`, which it returns."""
    out = ensure_writable_folder(directory)
    for file, text in server_files(Path(folder).resolve()).items():
        write_text(out / file, text)
    return out
