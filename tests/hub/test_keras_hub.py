"""KerasHub's own test case on our classes, as it is run on KerasHub's."""

from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("keras_hub", reason="keras-hub is not installed")
pytest.importorskip("grain", reason="KerasHub's test case needs grain, which is not installed")

from keras_hub.src.tests import test_case

from tfdeconv import hub

CLASSES = 3
NAMES = ("ground", "tree", "sky")
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3)).astype("uint8")
LABELS = np.random.default_rng(1).choice([0, 1, 2, 255], (2, 40, 50)).astype("uint8")
SEEN = IMAGES[:, :32, :32].astype("float32")
SMALL = {"image_shape": (32, 32, 3), "width": 1 / 32}
NETWORKS = {
    "deconvnet": (
        (hub.DeconvNetBackbone, hub.DeconvNetImageConverter),
        (hub.DeconvNetImageSegmenterPreprocessor, hub.DeconvNetImageSegmenter),
        (2, 32, 32, 2),
    ),
    "segnet": (
        (hub.SegNetBackbone, hub.SegNetImageConverter),
        (hub.SegNetImageSegmenterPreprocessor, hub.SegNetImageSegmenter),
        (2, 32, 32, 2),
    ),
    "fcn": (
        (hub.FCNBackbone, hub.FCNImageConverter),
        (hub.FCNImageSegmenterPreprocessor, hub.FCNImageSegmenter),
        {"pool3": (2, 29, 29, 8), "pool4": (2, 15, 15, 16), "fc7": (2, 2, 2, 128)},
    ),
}


@pytest.fixture
def case() -> Iterator[test_case.TestCase]:
    class Case(test_case.TestCase):
        def runTest(self) -> None:
            raise NotImplementedError

    case = Case()
    case.setUp()
    yield case
    case.tearDown()


@pytest.mark.large
@pytest.mark.parametrize("name", NETWORKS)
def test_backbones(case: test_case.TestCase, name: str) -> None:
    (backbone, _), _, shape = NETWORKS[name]
    case.run_vision_backbone_test(
        cls=backbone,
        init_kwargs=dict(SMALL),
        input_data=SEEN,
        expected_output_shape=shape,
        run_data_format_check=False,
    )


# KerasHub's own doing: its test passes what Keras deprecates, and its `fit` shuffles nothing.
@pytest.mark.filterwarnings("ignore:The `check_types` argument is deprecated")
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
@pytest.mark.large
@pytest.mark.parametrize("name", NETWORKS)
def test_tasks(case: test_case.TestCase, name: str) -> None:
    (backbone, converter), (preprocessor, segmenter), _ = NETWORKS[name]
    case.run_task_test(
        cls=segmenter,
        init_kwargs={
            "backbone": backbone(**SMALL),
            "num_classes": CLASSES,
            "preprocessor": preprocessor(converter(image_size=(32, 32))),
            "class_names": NAMES,
        },
        train_data=(IMAGES, LABELS),
        expected_output_shape=(2, 32, 32, CLASSES),
    )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("geometry", [{}, {"pad_to_aspect_ratio": False}])
def test_preprocessing_layers(
    case: test_case.TestCase, name: str, geometry: dict[str, bool]
) -> None:
    (_, converter), (preprocessor, _), _ = NETWORKS[name]
    options = {"image_size": (32, 32), **geometry}
    case.run_preprocessing_layer_test(converter, options, IMAGES)
    case.run_preprocessing_layer_test(
        preprocessor, {"image_converter": converter(**options)}, (IMAGES, LABELS)
    )


# It was saved before it had any state.
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
@pytest.mark.large
@pytest.mark.parametrize("name", NETWORKS)
def test_saved_models(case: test_case.TestCase, name: str) -> None:
    (backbone, _), (_, segmenter), _ = NETWORKS[name]
    case.run_model_saving_test(
        cls=segmenter,
        init_kwargs={"backbone": backbone(**SMALL), "num_classes": CLASSES},
        input_data=SEEN,
    )
