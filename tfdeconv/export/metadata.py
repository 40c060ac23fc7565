"""What an exported folder says of itself, and where it is."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from tfdeconv.errors import UserError
from tfdeconv.segmentation.whole_image import SizeRule

METADATA_FILE = Path("assets.extra", "tfdeconv.json")


class Metadata(NamedTuple):
    """What an exported folder says of itself, as saved in `assets.extra/tfdeconv.json`.

    Attributes:
        input_size: side of the crops in pixels; None where the network takes images of every size:
            it sees them whole, and there are no boxes.
        num_classes: number of classes, the background included.
        class_names: their names in the order of the labels, or None where the model has none.
        boxes: the most boxes of an image that the network is shown beside the whole image.
        aggregate: "max", "mean" or "release", how the scores of regions are joined.
        crf: arguments of the `DenseCRF` by which the labels are refined, or None.
        precision: "float32", "bfloat16" or "float16", what the network computes in.
        max_pixels: the most pixels that an image may have.
        versions: package -> version that wrote the folder.
        crop_multiple: what the sides of crops must be multiples of; None where `input_size` is one.
        least_crop: the least height and width of crops; None where `input_size` is one.
    """

    input_size: int | None
    num_classes: int
    class_names: list[str] | None
    boxes: int
    aggregate: str
    crf: dict[str, Any] | None
    precision: str
    max_pixels: int
    versions: dict[str, str]
    crop_multiple: int | None = None
    least_crop: list[int] | None = None

    def crop_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the least height and width from these on that crops may have."""
        if self.input_size is not None:
            return self.input_size, self.input_size
        rows, columns = self.least_crop or (1, 1)
        fitted = SizeRule(self.crop_multiple or 1, (rows, columns)).fit((height, width))
        return tuple(fitted.numpy().tolist())


def write_metadata(folder: str | os.PathLike[str], metadata: Metadata) -> None:
    """Writes what the exported `folder` (one version) says of itself."""
    path = Path(folder) / METADATA_FILE
    path.parent.mkdir(exist_ok=True)
    # NumPy's numbers, which a CRF takes too, are none of JSON's.
    text = json.dumps(
        metadata._asdict(), indent=2, ensure_ascii=False, default=lambda number: number.item()
    )
    path.write_text(text + "\n", encoding="utf-8")


def read_metadata(folder: str | os.PathLike[str]) -> Metadata:
    """Reads what the exported `folder` (one version) says of itself.

    Raises:
        UserError: when it was not written by `export_saved_model`.
    """
    path = Path(folder) / METADATA_FILE
    try:
        metadata = Metadata(**json.loads(path.read_text(encoding="utf-8")))
        if not isinstance(metadata.crf, dict | None):
            raise TypeError(f"crf={metadata.crf!r}")
        return metadata
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"`{path}` must be the metadata of a folder written by `tfdeconv export`. "
            f"Received: {error}. Export the model again."
        ) from error


def newest_version(path: str | os.PathLike[str]) -> Path:
    """Returns the version that `path` is, or the newest one that it holds.

    Raises:
        UserError: when there is none.
    """
    folder = Path(path)
    if versions := existing_versions(folder):
        folder = folder / str(max(versions))
    if not (folder / "saved_model.pb").is_file():
        raise UserError(
            f"`{path}` must be a folder written by `tfdeconv export`, or a version in it. "
            f"Received: no saved_model.pb in `{folder}`. Export the model first."
        )
    return folder


def existing_versions(directory: str | os.PathLike[str]) -> list[int]:
    """Returns the numbers of the versions in a folder, in no order."""
    folder = Path(directory)
    entries = folder.iterdir() if folder.is_dir() else ()
    return [int(entry.name) for entry in entries if entry.name.isdecimal()]
