"""A trained network for other classes."""

import keras
import numpy as np
import pytest

from tfdeconv.errors import UserError
from tfdeconv.models import build, class_names, load_model
from tfdeconv.training.init import replace_head

NAMES = ("ground", "tree", "sky", "road", "car")
FCN8S = ("score_fr", "upscore2", "score_pool4", "upscore_pool4", "score_pool3", "upscore8")


def trained(network, classes=3, **options):
    if network == "deconvnet":
        options = {"input_shape": (32, 64, 3), "fc6_kernel": 1, **options}
    model = build(network, num_classes=classes, width=1 / 64, **options)
    generator = np.random.default_rng(0)
    model.set_weights([w + 0.1 * generator.random(w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize(("network", "head"), [("deconvnet", ("seg-score-voc",)), ("fcn8s", FCN8S)])
def test_all_but_the_head_is_kept(network, head, tmp_path):
    model = trained(network)
    before = model.get_weights()
    model.get_layer("conv1_1").trainable = False
    new, report = replace_head(model, 5, NAMES)
    fresh = build(network, num_classes=5, width=1 / 64, input_shape=model.input_shape[1:])
    assert report.kept == head and set(report.loaded).isdisjoint(head)
    assert {layer.name for layer in new.layers if layer.weights} == {*report.loaded, *report.kept}
    for layer in new.layers:
        weights, old = layer.get_weights(), model.get_layer(layer.name).get_weights()
        shapes = [w.shape for w in fresh.get_layer(layer.name).get_weights()]
        assert [w.shape for w in weights] == shapes or layer.name.startswith("fc6")
        assert layer.name in head or all(map(np.array_equal, weights, old))
    assert not new.get_layer("conv1_1").trainable and new.get_layer("conv1_2").trainable
    new.save(tmp_path / "new.keras")
    opened = load_model(tmp_path / "new.keras")
    assert class_names(opened) == NAMES
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 64, 3)).astype("uint8")
    scores = opened.predict(images, verbose=0)
    assert scores.shape == (1, 32, 64, 5) and np.isfinite(scores).all()
    assert all(map(np.array_equal, model.get_weights(), before))


@pytest.mark.parametrize("network", ["deeplab_largefov", "segnet", "unet"])
def test_the_head_of_the_other_networks(network):
    new, report = replace_head(trained(network), 5)
    head = {"deeplab_largefov": "fc8_voc12", "segnet": "conv1_1_D", "unet": "conv_u0d-score"}
    assert report.kept == (head[network],) and new.output_shape[-1] == 5


def test_branches_and_auxiliary_scores():
    new, report = replace_head(trained("deep_contextual", auxiliary=True), 5, NAMES)
    assert report.kept == ("c1", "c2", "c3")
    assert [shape[-1] for shape in new.output_shape] == [5] * 4 and class_names(new) == NAMES


def test_features_as_many_as_the_classes_are_features():
    # At this width DeconvNet's last map has as many channels as there are classes.
    model = build("deconvnet", num_classes=4, input_shape=(32, 32, 3), width=1 / 16)
    assert model.get_layer("deconv1_1").filters == 4
    assert replace_head(model, 9)[1].kept == ("seg-score-voc",)


def test_what_has_no_head_or_names_too_few_is_told():
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, keras.layers.BatchNormalization(name="last")(image))
    with pytest.raises(UserError, match=r"must come from a convolution.*'last'"):
        replace_head(model, 5)
    with pytest.raises(ValueError, match="Received: 5 names for num_classes=4"):
        replace_head(trained("fcn8s"), 4, NAMES)
