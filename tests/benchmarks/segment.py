"""A photograph end to end with the full network: time over that of the network, and memory."""

import functools
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.benchmarks.figures import Figure
from tests.helpers import SHARED_DATA
from tfdeconv.data import voc
from tfdeconv.data.drawn import draw_dataset
from tfdeconv.images import read_image
from tfdeconv.segmentation.segmenter import Segmenter

_MAKE = """
import sys
from tfdeconv.models import DeconvNet
DeconvNet().save(sys.argv[1])
"""
BOXES, ROUNDS, IMAGES, FEW = 50, 5, 20, 5


def measure() -> list[Figure]:
    """Returns the time of one photograph, the peak of memory and its growth over 20 of them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        # In another process: to draw random weights takes more memory than to use them.
        subprocess.run([sys.executable, "-c", _MAKE, str(path)], check=True)
        segmenter = Segmenter(path, boxes=BOXES)
    paths = photographs()
    crops = np.random.default_rng(0).integers(0, 256, (segmenter.batch_size, 224, 224, 3))
    crops = crops.astype(np.float32)
    run = functools.partial(segmenter.network, crops)
    segmenter.segment(read_image(paths[0]))
    whole, network = [], []
    for path in paths[:ROUNDS]:
        # Two batches before and two after: the speed of the machine drifts meanwhile.
        seconds = _seconds(run, 2)
        whole.append(_seconds(lambda path=path: segmenter.segment(read_image(path))))
        seconds += _seconds(run, 2)
        network.append(seconds / 4 / len(crops) * BOXES)
    figures = [
        Figure(
            f"photograph end to end, {BOXES} boxes",
            float(np.median(whole)),
            float(np.median(network)),
            f"{BOXES} regions through the network",
            goal="<= 1.15",
            note=f"{BOXES + 1} regions, with that of the whole image",
        )
    ]
    return figures + _memory(segmenter, paths)


def _seconds(function: Callable[[], object], times: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(times):
        function()
    return time.perf_counter() - start


def _memory(segmenter: Segmenter, paths: list[Path]) -> list[Figure]:
    used = []
    for path in paths:
        image = read_image(path)
        segmenter.segment(image, segmenter.find_boxes(image)[:FEW])
        used.append(_resident())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 2**30
    growth = max(used) - max(used[:3])
    return [
        Figure("memory at its peak", peak, unit="GiB", goal="<= 3.725", note="4 GB"),
        Figure(
            f"growth from the third to the {len(used)}th image",
            growth,
            unit="GiB",
            goal="<= 0.02",
        ),
    ]


def _resident() -> float:
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 2**30
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**30


def photographs() -> list[Path]:
    root = SHARED_DATA / "voc2012"
    if not root.exists():
        root = draw_dataset(Path(tempfile.mkdtemp()) / "drawn", images=1, val=IMAGES)
    split = voc.read_split(root, "val")
    return [split.image_path(image_id) for image_id in split.ids[:IMAGES]]


if __name__ == "__main__":
    for figure in measure():
        print(figure, figure.ratio, figure.reached)
