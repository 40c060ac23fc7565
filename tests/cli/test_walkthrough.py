"""The command `walkthrough`: what the page tells is what segmentation does."""

import argparse
import base64
import html
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.segmentation.networks import colour_network, open_network, painted
from tfdeconv import boxes, images, labels
from tfdeconv.cli import walkthrough
from tfdeconv.cli.walkthrough import walk
from tfdeconv.crf import DenseCRF
from tfdeconv.errors import UserError
from tfdeconv.segmentation.segmenter import Segmenter


def run(*words) -> None:
    parser = argparse.ArgumentParser()
    walkthrough.add_arguments(parser)
    walkthrough.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A network for regions, one for whole images, a photograph and its truth."""
    root = tmp_path_factory.mktemp("walkthrough")
    colour_network().save(root / "colours.keras")
    open_network(16).save(root / "open.keras")
    photograph, truth = painted(30, 44)
    truth[:2] = 255
    (root / "photo.png").write_bytes(images.encode_png(photograph))
    (root / "truth.png").write_bytes(labels.encode_png(truth))
    (root / "small.png").write_bytes(labels.encode_png(truth[1:]))
    (root / "other.png").write_bytes(labels.encode_png(truth + np.uint8(3)))
    return root


@pytest.fixture
def without_crf(monkeypatch) -> None:
    """Its graph takes seconds to build."""
    monkeypatch.setattr("tfdeconv.segmentation.pipeline.refine", lambda crf, scores, image: scores)


def test_the_command_writes_a_page(folder, tmp_path, capsys, without_crf) -> None:
    out = tmp_path / "new" / "page.html"
    run(folder / "open.keras", folder / "photo.png", "--out", out, "--truth", folder / "truth.png")
    assert re.fullmatch(rf"{out}: \d\.\d MB, \d+\.\d s\n", capsys.readouterr().out)
    page = out.read_text("utf-8")
    assert "photo.png, step by step" in page and "mean IoU with the truth" in page


@pytest.mark.large
def test_what_is_told_is_what_segmentation_does() -> None:
    image, truth = painted(30, 44)
    segmenter = Segmenter(colour_network(), boxes=12, proposals="grid", aggregate="mean")
    found = walk(segmenter, image, None, truth, "photo", {})
    np.testing.assert_array_equal(found.labels, segmenter.segment(image))
    refining = Segmenter(
        colour_network(), boxes=12, proposals="grid", aggregate="mean", crf=DenseCRF()
    )
    np.testing.assert_array_equal(found.refined, refining.segment(image))
    assert found.proposed is not None and found.proposed.edges is None
    np.testing.assert_array_equal(found.proposed.regions, segmenter.regions(image))
    assert list(found.proposed.growth) == ["mean", "max"]
    for grown in found.proposed.growth.values():
        assert list(grown) == [1, 5, 10, 13]
    np.testing.assert_array_equal(found.proposed.growth["mean"][13], found.labels)
    np.testing.assert_allclose(found.probabilities.sum(-1), 1, atol=1e-5)
    sides = [int(np.ptp(sample.region[::2])) for sample in found.proposed.samples]
    assert sides == sorted(sides, reverse=True) and len(sides) == 5
    assert {*found.times} == {
        "proposals",
        "network and aggregation, 13 regions",
        "the CRF",
    }


@pytest.mark.large
def test_whole_images_are_told_as_they_are_seen() -> None:
    image, truth = painted(30, 44)
    segmenter = Segmenter(open_network(16), crf=DenseCRF())
    found = walk(segmenter, image, None, None, "photo", {})
    assert (
        found.proposed is None
        and found.network_input is not None
        and found.network_input.shape == (32, 48, 3)
    )
    np.testing.assert_array_equal(found.labels, truth)
    np.testing.assert_array_equal(found.refined, segmenter.segment(image))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--truth", "small.png"), r"must be as large as the photograph, 44x30. Received: 44x29"),
        (("--truth", "other.png"), r"must have labels below 3.* Received: 5"),
        (("--truth", "missing.png"), r"missing.png` must be a file"),
        (("--proposals", "missing.npz"), r"missing.npz"),
        (("--out", "page.png"), r"`--out` must end in \.html. Received: `page.png`"),
    ],
)
def test_mistakes_are_told_before_the_work(folder, tmp_path, monkeypatch, words, message) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=message):
        run("colours.keras", "photo.png", "--out", tmp_path / "page.html", *words)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.large
@pytest.mark.parametrize("name", ["colours", "open"])
def test_the_page_stays_inside_of_a_narrow_window(folder, tmp_path, name) -> None:
    out = tmp_path / "page.html"
    found = {"photo": boxes.Proposals(np.float32([[3, 3, 20, 20]]), np.ones(1, "f4"))}
    boxes.save(tmp_path / "found.npz", found, {})
    words = ("--truth", folder / "truth.png", "--proposals", tmp_path / "found.npz")
    run(folder / f"{name}.keras", folder / "photo.png", "--out", out, *words)
    page = out.read_text("utf-8")
    assert ("2. Proposals" in page) == (name == "colours")
    for source in re.findall(r'src="data:image/\w+;base64,([^"]+)"', page):
        images.decode_image(base64.b64decode(source))
    for width in (1200, 400):
        assert widest(page, width, tmp_path) <= width


def widest(page: str, width: int, folder: Path) -> int:
    """How wide a browser makes the page in a frame of so many pixels."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed to look at the page with")
    frame = f'<iframe id="f" style="width:{width}px" srcdoc="{html.escape(page)}"></iframe>'
    script = "onload = () => { document.title = f.contentDocument.documentElement.scrollWidth }"
    (folder / "frame.html").write_text(f"{frame}<script>{script}</script>", "utf-8")
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
    seen = subprocess.run(
        [browser, *words, "--dump-dom", (folder / "frame.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    (title,) = re.findall(r"<title>(\d+)</title>", seen.stdout)
    return int(title)
