"""The command `lesion`: its two files and what it prints."""

import argparse
import csv
from xml.etree import ElementTree

import pytest

from tests.segmentation.blocks import residual_network, swapped_split
from tfdeconv.cli import lesion


def parse(*words) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    lesion.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def test_writes_a_table_and_a_chart(tmp_path, capsys) -> None:
    split = swapped_split(tmp_path / "data")
    residual_network().save(tmp_path / "model.keras")
    out = tmp_path / "out"
    lesion.run(parse(tmp_path / "model.keras", split.root, "--out", out, "--images", 1))
    with (out / "lesion.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["deleted"], row["blocks"]) for row in rows] == [
        ("0", ""),
        ("1", "dims"),
        ("1", "turns"),
        ("2", "dims turns"),
    ]
    assert float(rows[0]["mean_iou"]) == float(rows[1]["pixel_accuracy"]) == 1.0
    chart = ElementTree.fromstring((out / "lesion.svg").read_text())
    assert chart.get("aria-label").startswith("residual on 1 image of val")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "error (1 - mean IoU) of the full network: 0.0000"
    assert lines[1].startswith("without one block: mean 0.") and lines[1].endswith("without turns")
    assert lines[2].startswith("without 2 blocks: mean 0.")
    assert lines[3] == f"{out / 'lesion.svg'}: residual on 1 image of val"


@pytest.mark.parametrize("word", ["--images", "--draws"])
def test_numbers_are_checked(word, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse("run", "data", "--out", "x", word, 0)
    assert "must be at least 1" in capsys.readouterr().err
