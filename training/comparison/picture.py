"""Photographs, their truth, and what each network makes of them, on one sheet."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tfdeconv import files, images
from tfdeconv.data import maps, voc
from tfdeconv.visual.pictures import PAPER, captioned, colorize, panels
from training.comparison.report import NAMES, ranked

OF_EACH = 3
_CELL = (110, 150)


def draw(
    file: Path, out: Path, data: dict[str, Path], results: dict[str, dict[str, dict[str, Any]]]
) -> None:
    """Writes the sheet, a PNG: three columns for each data set, a row for each network.

    Args:
        file: Where to write.
        out: Folder of the comparison, which has the label maps.
        data: Name -> folder of every data set.
        results: What was measured; networks stand in the order of their mean IoU on the first one.
    """
    trained = {name: one for name, one in results.items() if one}
    if not trained:
        return
    networks = ranked(next(iter(trained.values())))
    columns = [
        column
        for name in trained
        for column in _columns(voc.read_split(data[name], "val"), out / name, networks)
    ]
    titles = ["photograph", "truth", *(NAMES[network] for network in networks)]
    names = [captioned(np.full((_CELL[0] - 42, _CELL[1], 3), PAPER, np.uint8), t) for t in titles]
    rows = [list(row) for row in zip(names, *columns, strict=True)]
    files.write_bytes(file, images.encode_png(panels(rows)))


def _columns(split: voc.Split, folder: Path, networks: list[str]) -> list[list[np.ndarray]]:
    chosen = np.linspace(0, len(split.ids) - 1, OF_EACH + 2).round().astype(int)[1:-1]
    return [_column(split, split.ids[index], folder, networks) for index in chosen]


def _column(split: voc.Split, image_id: str, folder: Path, networks: list[str]) -> list[np.ndarray]:
    image = images.read_image(split.image_path(image_id))
    truth = maps.read_labels(split, image_id, maps.read_header(split, image_id))
    shown = [image, colorize(truth)]
    for network in networks:
        found = folder / network / "labels" / f"{image_id}.png"
        # White where a network was not trained on these data.
        blank = np.full_like(image, PAPER[0])
        shown.append(colorize(images.read_labels(found)) if found.exists() else blank)
    scale = min(_CELL[0] / image.shape[0], _CELL[1] / image.shape[1])
    size = round(scale * image.shape[1]), round(scale * image.shape[0])
    return [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in shown]
