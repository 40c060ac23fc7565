"""The tasks: training on raw images with void pixels, LoRA, quantisation, and what is refused."""

import numpy as np
import pytest

pytest.importorskip("keras_hub", reason="keras-hub is not installed")

import keras
import keras_hub

from tests.hub.preset_on_backend import NAMES, shaken_task
from tfdeconv import hub
from tfdeconv.metrics import MeanIoU
from tfdeconv.models import load_model
from tfdeconv.training.losses import CrossEntropy

SMALL = {"image_shape": (32, 32, 3), "width": 1 / 32}
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 48, 60, 3)).astype("uint8")
LABELS = np.random.default_rng(1).choice([0, 1, 255], (4, 48, 60)).astype("uint8")
# `fit` of KerasHub shuffles nothing, and Keras tells so, where grain is installed.
pytestmark = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")


def deconvnet(**options):
    converter = hub.DeconvNetImageConverter(image_size=(32, 32))
    return hub.DeconvNetImageSegmenter(
        hub.DeconvNetBackbone(**SMALL),
        num_classes=2,
        preprocessor=hub.DeconvNetImageSegmenterPreprocessor(converter),
        **options,
    )


@pytest.fixture(scope="module")
def task():
    return deconvnet()


def test_the_default_compile_honours_255(task):
    assert isinstance(task.loss, CrossEntropy)
    task.fit(IMAGES, LABELS, batch_size=2, verbose=0)
    measured = task.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)
    images, labels = task.preprocessor(IMAGES, LABELS)
    scores, labels = task(images, training=False), np.asarray(labels)
    # 32x32 pixels of which a fifth are around the image.
    assert (labels == 255).mean() > 0.4 and set(np.unique(labels)) == {0, 1, 255}
    assert measured["loss"] == pytest.approx(float(CrossEntropy()(labels, scores)), rel=1e-4)
    metric = MeanIoU(2)
    metric.update_state(labels, scores)
    assert measured["mean_iou"] == pytest.approx(float(metric.result()), rel=1e-4)
    nothing = task.evaluate(IMAGES, np.full_like(LABELS, 255), verbose=0, return_dict=True)
    assert nothing == {"loss": 0.0, "mean_iou": 0.0}


def test_other_losses_and_metrics_may_be_chosen():
    model = deconvnet(compile=False)
    model.compile("sgd", loss=keras.losses.MeanSquaredError(), metrics=[])
    assert isinstance(model.loss, keras.losses.MeanSquaredError)


def test_predict_takes_raw_images_of_any_size(task):
    assert task.predict(IMAGES, verbose=0).shape == (4, 32, 32, 2)
    assert task.predict(IMAGES[:, :7, :9], verbose=0).dtype == np.float32


@pytest.mark.large
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
def test_a_keras_file_goes_on_training(tmp_path):
    model = deconvnet(class_names=("ground", "tree"))
    model.compile(keras.optimizers.SGD(0.25))
    model.save(tmp_path / "task.keras")
    again = keras.saving.load_model(tmp_path / "task.keras")
    assert type(again) is hub.DeconvNetImageSegmenter and again.class_names == ("ground", "tree")
    assert float(again.optimizer.learning_rate) == 0.25
    again.fit(IMAGES, LABELS, verbose=0)


@pytest.mark.large
def test_a_preset_of_a_trained_task_holds_weights_alone(tmp_path):
    model = deconvnet()
    model.fit(IMAGES, LABELS, verbose=0)
    model.save_to_preset(str(tmp_path / "trained"))
    assert (tmp_path / "trained" / "task.weights.h5").stat().st_size < 100_000
    again = keras_hub.models.ImageSegmenter.from_preset(str(tmp_path / "trained"))
    np.testing.assert_array_equal(
        again.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0)
    )
    plain, images = load_model(tmp_path / "trained"), model.preprocessor(IMAGES)
    np.testing.assert_allclose(
        plain(images), model.predict(IMAGES, verbose=0), rtol=1e-5, atol=1e-5
    )


@pytest.mark.large
def test_lora_trains_little_and_is_saved(tmp_path):
    model = deconvnet()
    before = model.backbone.get_layer("deconv1_1").get_weights()[0]
    everything = len(model.backbone.trainable_weights)
    model.backbone.enable_lora(rank=2)
    # 13 convolutions, fc6 and fc7; two factors and a bias each.
    assert len(model.backbone.trainable_weights) == 15 * 3 < everything
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(IMAGES, LABELS, verbose=0)
    np.testing.assert_array_equal(before, model.backbone.get_layer("deconv1_1").get_weights()[0])
    model.backbone.save_lora_weights(str(tmp_path / "few.lora.h5"))
    model.save_to_preset(str(tmp_path / "merged"))
    again = hub.DeconvNetImageSegmenter.from_preset(str(tmp_path / "merged"))
    np.testing.assert_allclose(
        again.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), rtol=1e-4, atol=1e-5
    )


def test_mixed_precision_keeps_scores_whole():
    backbone = hub.DeconvNetBackbone(**SMALL, dtype="mixed_bfloat16")
    model = hub.DeconvNetImageSegmenter(backbone, num_classes=2)
    assert model.get_layer("seg-score-voc").compute_dtype == "bfloat16"
    assert model.predict(np.zeros((1, 32, 32, 3)), verbose=0).dtype == np.float32
    assert keras.config.dtype_policy().name == "float32"


def test_names_travel():
    task = shaken_task("segnet")
    config = keras.saving.serialize_keras_object(task)
    again = keras.saving.deserialize_keras_object(config)
    assert again.class_names == NAMES and again.palette == task.palette


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_names": ("one",)}, "`class_names` must hold one name a class"),
        ({"palette": [(0, 0, 0)]}, "`palette` must hold one RGB colour"),
        ({"palette": [(0, 0, 0), (0, 0, 256)]}, "`palette` must hold one RGB colour"),
        ({"palette": [(0, 0, 0), (0, 0)]}, "`palette` must hold one RGB colour"),
    ],
)
def test_what_does_not_fit_the_classes_is_told(options, message):
    with pytest.raises(ValueError, match=message):
        deconvnet(**options)


def test_an_fcn_of_another_stride_is_told():
    with pytest.raises(ValueError, match="`stride` must be 8, 16 or 32"):
        hub.FCNImageSegmenter(None, num_classes=2, stride=4)


@pytest.mark.parametrize(
    "kind",
    [hub.DeconvNetBackbone, hub.SegNetBackbone, hub.FCNBackbone],
    ids=lambda kind: kind.__name__,
)
def test_an_argument_that_a_backbone_has_not_is_an_error(kind):
    reason = rf"`{kind.__name__}` must be given arguments that it has: image_shape, width.*name"
    with pytest.raises(TypeError, match=rf"{reason}.*input_shape\. Give `image_shape`$"):
        kind(input_shape=(32, 32, 3), width=1 / 32)
    with pytest.raises(TypeError, match=rf"{reason}.*Received: depth\.$"):
        kind(image_shape=(32, 32, 3), depth=3)


def test_an_argument_that_a_task_has_not_is_an_error():
    for kind, backbone in (
        (hub.DeconvNetImageSegmenter, hub.DeconvNetBackbone(**SMALL)),
        (hub.SegNetImageSegmenter, hub.SegNetBackbone(**SMALL)),
        (hub.FCNImageSegmenter, hub.FCNBackbone(**SMALL)),
    ):
        with pytest.raises(TypeError, match=r"num_classes.*class_names.*Received: classes\.$"):
            kind(backbone, num_classes=2, classes=2)
    for kind in (hub.DeconvNetImageConverter, hub.DeconvNetImageSegmenterPreprocessor):
        with pytest.raises(ValueError, match="Unrecognized keyword arguments"):
            kind(size=(32, 32))


def test_channels_come_last_whatever_the_setting():
    keras.config.set_image_data_format("channels_first")
    try:
        model = deconvnet()
        labels = model.preprocessor(IMAGES, LABELS)[1]
        assert model.predict(IMAGES, verbose=0).shape == (4, 32, 32, 2)
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(labels, deconvnet().preprocessor(IMAGES, LABELS)[1])
