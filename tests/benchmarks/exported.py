"""The full network as it is exported, through the C API: `regions` and `segment_bytes`."""

import tempfile

import keras
import numpy as np

from tests.benchmarks.figures import Figure, interleaved
from tests.benchmarks.segment import photographs
from tests.serving.bare_process import signature_defs, tensors_of
from tests.serving.c_api import Session
from tfdeconv.export import export_saved_model
from tfdeconv.images import read_image
from tfdeconv.models import DeconvNet
from tfdeconv.proposals import multi_scale_grid
from tfdeconv.segmentation.segmenter import Segmenter

BATCH = 4


def measure() -> list[Figure]:
    """Returns a batch through `regions`, and a photograph through `segment_bytes`."""
    keras.utils.set_random_seed(0)
    model = DeconvNet()
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        exported = export_saved_model(model, folder)
        session = Session(exported, tensors_of(signature_defs(exported)))
        segmenter = Segmenter(model)
        del model
        crops = generator.integers(0, 256, (BATCH, 224, 224, 3)).astype(np.float32)
        regions = interleaved(
            {
                "ours": lambda: session.run("regions", {"crops": crops}),
                "api": lambda: segmenter.network(crops),
            }
        )
        photograph = photographs()[0]
        data = np.array([photograph.read_bytes()], object)
        image = read_image(photograph)
        count = len(segmenter.regions(image, multi_scale_grid(*image.shape[:2])))
        many = generator.integers(0, 256, (count, 224, 224, 3)).astype(np.float32)
        size = segmenter.batch_size
        batches = [many[first : first + size] for first in range(0, count, size)]

        def network() -> None:
            for batch in batches:
                session.run("regions", {"crops": batch})

        bytes_ = interleaved(
            {"ours": lambda: session.run("segment_bytes", {"images_bytes": data}), "net": network},
            rounds=3,
            warm=1,
        )
    return [
        Figure(
            f"exported, `regions`, batch {BATCH}, C API",
            regions["ours"],
            regions["api"],
            "Segmenter",
            goal="<= 1.05",
        ),
        Figure(
            f"exported, `segment_bytes`, {count} regions of the grid",
            bytes_["ours"],
            bytes_["net"],
            "its regions through `regions`",
            goal="<= 1.15",
        ),
    ]


if __name__ == "__main__":
    for figure in measure():
        print(figure, figure.ratio, figure.reached)
