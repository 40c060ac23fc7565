"""Every network knows how it was built and where its parts end, and keeps both when saved."""

import json

import keras
import numpy as np
import pytest

from tests.models.neighbours import predicted, random_images, randomise
from tfdeconv.models import (
    CAM,
    DeconvNet,
    DeepContextual,
    FCN16s,
    PSPNet,
    SegmentationModel,
    UNet,
    build,
    list_models,
    load_model,
)
from tfdeconv.models.base import leaves

NAMES = ("ground", "tree", "sky")
OPTIONS = {"num_classes": 3, "width": 1 / 32, "class_names": NAMES}
BUILDS = {
    # Of the two PSPNets one is enough, below.
    **{
        name: lambda name=name: build(name, **OPTIONS)
        for name in list_models()
        if not name.startswith("pspnet")
    },
    "deconvnet": lambda: DeconvNet(input_shape=(32, 64, 3), fc6_kernel=1, **OPTIONS),
    "cam": lambda: CAM(**OPTIONS),
    "unet_valid": lambda: UNet(padding="valid", batch_norm=True, **OPTIONS),
    "pspnet": lambda: PSPNet(depth=50, auxiliary=True, **OPTIONS),
    "contexts": lambda: DeepContextual(auxiliary=True, kernel_initializer="zeros", **OPTIONS),
}


@pytest.fixture(scope="module", params=BUILDS)
def model(request: pytest.FixtureRequest) -> SegmentationModel:
    return randomise(BUILDS[request.param]())


def test_a_configuration_gives_the_same_graph(model: SegmentationModel) -> None:
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))["config"]
    again = type(model).from_config(config)
    assert type(again) is type(model) and again.name == model.name
    assert again.arguments == model.arguments
    assert json.dumps(again.get_config()) == json.dumps(model.get_config())


def test_the_arguments_alone_give_the_same_graph(model: SegmentationModel) -> None:
    parts = {f"{part}_outputs" for part in ("encoder", "decoder")}
    graph = {"trainable", "layers", "input_layers", "output_layers", *parts}
    config = {key: value for key, value in model.get_config().items() if key not in graph}
    again = type(model).from_config(config)
    assert json.dumps(again.get_config()) == json.dumps(model.get_config())


def test_the_parts_put_together_give_the_scores(model: SegmentationModel) -> None:
    images = random_images(1, 32, 64, 3)
    scores = keras.tree.flatten(predicted(model, images))[0]
    features = model.encoder()(images, training=False)
    mapped = model.decoder()(features, training=False)
    np.testing.assert_array_equal(predicted(model.head(), mapped), scores)
    assert np.abs(scores).max() > 0
    # The parts are drawn again with the same layers, which the network itself does not notice.
    np.testing.assert_array_equal(keras.tree.flatten(predicted(model, images))[0], scores)


def test_the_parts_share_no_layer_and_leave_none_out(model: SegmentationModel) -> None:
    parts = [
        [layer.name for layer in part.layers if layer.weights]
        for part in (model.encoder(), model.decoder(), model.head())
    ]
    names = [name for part in parts for name in part]
    weighted = {layer.name for layer in model.layers if layer.weights}
    auxiliary = {name for name in weighted if name.startswith("aux_")}
    assert len(set(names)) == len(names) and {*names, *auxiliary} == weighted
    assert parts[0] and parts[2]


def test_what_was_done_to_the_layers_is_saved(tmp_path) -> None:
    model = FCN16s(**OPTIONS)
    model.get_layer("conv1_1").trainable = False
    model.get_layer("fc6").enable_lora(1)
    model.get_layer("preprocess").mean = (1.0, 2.0, 3.0)
    model.save(tmp_path / "model.keras")
    opened = load_model(tmp_path / "model.keras")
    assert type(opened) is FCN16s and opened.arguments == model.arguments
    assert not opened.get_layer("conv1_1").trainable and opened.get_layer("conv1_2").trainable
    assert opened.get_layer("preprocess").mean == (1.0, 2.0, 3.0)
    images = random_images(1, 40, 50, 3)
    np.testing.assert_array_equal(predicted(opened, images), predicted(model, images))


def test_other_outputs_leave_the_network_what_it_is(tmp_path) -> None:
    model = PSPNet(depth=50, auxiliary=True, **OPTIONS)
    alone = model.with_outputs(model.outputs[0])
    assert type(alone) is PSPNet and alone.arguments == model.arguments and len(alone.outputs) == 1
    alone.save(tmp_path / "model.keras")
    opened = load_model(tmp_path / "model.keras")
    assert type(opened) is PSPNet and len(opened.outputs) == 1
    assert "aux_conv" not in [layer.name for layer in opened.layers]
    assert opened.get_layer("conv5_4") in opened.decoder().layers


def test_a_network_inside_another_model_is_saved(tmp_path) -> None:
    inner = UNet(**OPTIONS)
    image = keras.Input((32, 32, 3))
    keras.Model(image, keras.layers.Softmax()(inner(image))).save(tmp_path / "model.keras")
    opened = load_model(tmp_path / "model.keras")
    assert isinstance(opened.get_layer("unet"), UNet)
    assert opened.get_layer("unet").get_layer("conv_u0d-score") in list(leaves(opened))


def test_initializers_of_ones_own_are_kept() -> None:
    initializer = keras.initializers.RandomNormal(stddev=0.01, seed=3)
    model = DeconvNet(2, (32, 32, 3), width=1 / 64, deconv_initializer=initializer)
    again = DeconvNet.from_config(model.get_config())
    kept = again.arguments["deconv_initializer"]
    assert kept.get_config() == initializer.get_config()
    np.testing.assert_array_equal(
        again.get_layer("fc6-deconv").kernel, model.get_layer("fc6-deconv").kernel
    )


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'padding'"):
        DeconvNet(2, (32, 32, 3), padding="same")
