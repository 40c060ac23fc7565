"""COCO with 100,000 annotations: bounded memory, and an import that is killed goes on."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.data.importers.drawn import ids, photograph
from tests.helpers import CHECKOUT

IMPORT = (
    "import resource, sys; from tfdeconv.data.importers import import_data\n"
    "import_data(sys.argv[1], sys.argv[2])\n"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)


def write_source(source, count):
    """Ten polygons an image, in random order and before the images, as exports may have them."""
    generator = np.random.default_rng(0)
    first = photograph(source / "images" / "000000.jpg", 240, 320)
    for number in range(1, count):
        os.link(first, source / "images" / f"{number:06}.jpg")
    with open(source / "instances_train.json", "w") as file:
        categories = [{"id": number, "name": f"c{number}"} for number in range(1, 81)]
        file.write(f'{{"categories": {json.dumps(categories)}, "annotations": [')
        order = generator.permutation(np.repeat(np.arange(count), 10)).tolist()
        for number, image in enumerate(order):
            centre, radius = generator.uniform(0, (320, 240)), generator.uniform(5, 50)
            angles = np.sort(generator.uniform(0, 2 * np.pi, 20))
            ring = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
            value = {"id": number, "image_id": image, "iscrowd": 0, "category_id": 1 + number % 80}
            value["segmentation"] = [np.round(ring, 2).ravel().tolist()]
            file.write(("," if number else "") + json.dumps(value))
        images = [
            {"id": number, "file_name": f"{number:06}.jpg", "width": 320, "height": 240}
            for number in range(count)
        ]
        file.write(f'], "images": {json.dumps(images)}}}')
    return source


def run(source, data):
    words = [sys.executable, "-c", IMPORT, str(source), str(data)]
    return subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)


@pytest.mark.large
def test_memory_and_going_on(tmp_path):
    peaks = []
    for count in (500, 10_000):
        source = write_source(tmp_path / f"source{count}", count)
        data = tmp_path / f"data{count}"
        if count == 10_000:
            journal = tmp_path / f".data{count}.importing" / "import.jsonl"
            killed = run(source, tmp_path / f"data{count}")
            while not journal.exists() or journal.stat().st_size < 100_000:
                time.sleep(0.1)
            killed.kill()
            killed.communicate()
            assert not data.exists()
        output, _ = run(source, data).communicate()
        peaks.append(int(output))
        assert len(ids(data)) == count
    # 20 times the images in at most 16 MiB more, in units of 1 KiB.
    assert peaks[1] < peaks[0] + (16 << 10)
