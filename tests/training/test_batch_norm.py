"""Statistics measured over windows: against Caffe's layers in NumPy, batch by batch."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.reference.caffe_encoder import encode
from tests.reference.caffe_layers import Network, batch_norm_learn, statistics
from tests.weights import networks
from tfdeconv import files
from tfdeconv.errors import UserError
from tfdeconv.layers import BatchNormalization
from tfdeconv.models import DeconvNet, FCN8s
from tfdeconv.training.batch_norm import measurable, recalibrate, trained_on, window_images
from tfdeconv.weights import load_caffemodel

WIDTH = 1 / 32


@pytest.fixture
def unfolded(tmp_path):
    """A training file of the release, and the network that it was loaded into."""
    blobs = networks.deconvnet(WIDTH, 3, kernel=1, folded=False)
    (tmp_path / "net.caffemodel").write_bytes(encode(blobs.items()))
    model = DeconvNet(3, (32, 32, 3), width=WIDTH)
    load_caffemodel(model, tmp_path / "net.caffemodel", folded=False)
    return model, blobs


def photographs(batches, count=6):
    return np.random.default_rng(5).integers(0, 256, (batches, count, 32, 32, 3)).astype("uint8")


def test_makes_the_release_testable(unfolded):
    model, blobs = unfolded
    batches = photographs(3)
    assert recalibrate(model, batches) == 29
    measured: dict = {}
    for images in batches:
        network = Network(blobs, batch_norm_learn)
        network.deconvnet(images)
        for name, x in network.seen.items():
            measured.setdefault(name, []).append(statistics(x))
    assert len(measured) == 29
    for name, found in measured.items():
        mean, variance = np.mean(found, axis=0)
        layer = model.get_layer(name)
        # Six numbers behind fc6 may hardly differ, and what is divided by that is known less well.
        np.testing.assert_allclose(layer.moving_mean, mean, rtol=0.01, atol=0.01)
        np.testing.assert_allclose(layer.moving_variance, variance, rtol=0.01, atol=0.01)
    folded = dict(blobs)
    for name in measured:
        mean, variance = np.mean(measured[name], axis=0)
        scale, shift = (blob.ravel() for blob in blobs[name])
        by = scale / np.sqrt(variance + 1e-9)
        folded[name] = [by, shift - mean * by]
    expected = Network(folded).deconvnet(batches[0])
    error = np.abs(np.asarray(model(batches[0])) - expected).max()
    assert error < 0.01 * np.abs(expected).max()


def test_every_batch_counts_alike_and_nothing_else_changes():
    x = keras.Input((2, 2, 1))
    dropped = layers.Dropout(0.5)(BatchNormalization(momentum=0.7)(x))
    frozen = layers.BatchNormalization(trainable=False)
    inner = keras.Sequential([keras.Input((2, 2, 1)), layers.BatchNormalization()])
    model = keras.Model(x, frozen(inner(layers.SpatialDropout2D(0.25)(dropped))))
    before = frozen.get_weights()
    model.layers[1].moving_mean.assign([9.0])
    batches = [np.array([0, 0, 0, 4, 2, 2, 2, 6.0]).reshape(2, 2, 2, 1), np.full((1, 2, 2, 1), 5.0)]
    assert recalibrate(model, batches) == 2
    # Means 2 and 5; variances 4 and 0.
    assert [float(w[0]) for w in model.layers[1].get_weights()[2:]] == [3.5, 2.0]
    normalised = inner.layers[0].get_weights()[2:]
    np.testing.assert_allclose(normalised, [[0.0], [0.5]], atol=1e-3)
    for mine, theirs in zip(frozen.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert model.layers[1].momentum == 0.7
    assert [layer.rate for layer in model.layers if hasattr(layer, "rate")] == [0.5, 0.25]


def test_settings_come_back_after_an_error():
    x = keras.Input((2, 2, 1))
    model = keras.Model(x, BatchNormalization(momentum=0.7)(x))

    def broken():
        yield np.ones((2, 2, 2, 1))
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        recalibrate(model, broken())
    assert model.layers[1].momentum == 0.7


def test_what_cannot_be_measured_is_told(tmp_path):
    with pytest.raises(UserError, match="fcn8s has no batch norm"):
        measurable(FCN8s(2, width=1 / 64))
    blobs = networks.deconvnet(WIDTH, 3, kernel=1)
    (tmp_path / "net.caffemodel").write_bytes(encode(blobs.items()))
    model = DeconvNet(3, (32, 32, 3), width=WIDTH)
    load_caffemodel(model, tmp_path / "net.caffemodel")
    with pytest.raises(UserError, match="folded into its scales"):
        measurable(model)
    for shape in ((None, None, 3), (32, 64, 3)):
        with pytest.raises(UserError, match="square input of fixed size"):
            window_images(DeconvNet(2, shape, width=WIDTH, fc6_kernel=1), tmp_path, None)


def test_a_run_tells_what_it_was_trained_on(tmp_path):
    assert trained_on(tmp_path) == (None, False)
    notes = {"proposals": "/somewhere/p.npz", "recipe": {"background": True}}
    files.write_json(tmp_path / "run.json", notes)
    assert trained_on(tmp_path) == ("/somewhere/p.npz", True)
    files.write_text(tmp_path / "run.json", "[]")
    with pytest.raises(
        UserError, match=r"run\.json` must be an intact file of a training. Received: list"
    ):
        trained_on(tmp_path)
    files.write_json(tmp_path / "run.json", {"network": "cam", "recipe": {}})
    with pytest.raises(UserError, match=r"must be a run of `tfdeconv train`.*without 'proposals'"):
        trained_on(tmp_path)
