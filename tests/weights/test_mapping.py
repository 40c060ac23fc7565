"""Networks loaded from a .caffemodel give the scores that Caffe's layers give, in NumPy."""

import functools

import keras
import numpy as np
import pytest

from tests.reference.caffe_layers import Network, batch_norm_learn
from tests.weights import networks
from tfdeconv.errors import UserError
from tfdeconv.models import DeconvNet, FCN8s
from tfdeconv.models.blocks import BATCH_NORM_EPSILON
from tfdeconv.weights import Report, load_caffemodel

WIDTH = 1 / 32


@functools.cache
def images(count=2, height=64, width=64):
    return np.random.default_rng(7).integers(0, 256, (count, height, width, 3)).astype("uint8")


def deconvnet(classes=3, **options):
    return DeconvNet(classes, (64, 64, 3), width=WIDTH, **options)


def relative_error(scores, expected):
    assert expected.std(axis=(1, 2)).max() > 0.01 * np.abs(expected).max()
    return np.abs(keras.ops.convert_to_numpy(scores) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize(
    "options", [{}, {"layout": "new", "packed": False}, {"layout": "new", "unknown": True}]
)
def test_the_folded_file_of_the_release(file, options):
    blobs = networks.deconvnet(WIDTH, 3, kernel=2)
    model = deconvnet()
    report = load_caffemodel(model, file(blobs, **options))
    assert relative_error(model(images()), Network(blobs).deconvnet(images())) < 1e-4
    assert set(report.loaded) == set(blobs) and len(blobs) == 59
    assert str(report) == "59 layers loaded" and not report.notes


def test_an_unfolded_file_normalises_by_the_batch(file):
    blobs = networks.deconvnet(WIDTH, 3, kernel=2, folded=False)
    model = deconvnet()
    assert not load_caffemodel(model, file(blobs), folded=False).notes
    # The release adds 1e-9 to the variance; four numbers behind fc6 may have less than our 1e-5,
    # and dividing by so little is what keeps float32 from coming closer.
    norm = functools.partial(batch_norm_learn, epsilon=BATCH_NORM_EPSILON)
    expected = Network(blobs, norm).deconvnet(images(4))
    assert relative_error(model(images(4), training=True), expected) < 1e-3


def test_square_deconvolutions_are_not_transposed(file):
    # 512x512 kernels look the same either way: only their values can tell.
    blobs = networks.deconvnet(WIDTH, 3, kernel=2)
    swapped = {
        name: [found[0].swapaxes(0, 1), found[1]] if name.startswith("deconv5") else found
        for name, found in blobs.items()
    }
    model = deconvnet()
    load_caffemodel(model, file(swapped))
    assert relative_error(model(images()), Network(blobs).deconvnet(images())) > 0.05
    kernel = blobs["deconv5_1"][0]
    load_caffemodel(model, file(blobs))
    ours = keras.ops.convert_to_numpy(model.get_layer("deconv5_1").kernel)
    assert ours[0, 2, 5, 7] == kernel[7, 5, 0, 2]


@pytest.mark.parametrize("old", [True, False])
def test_fcn8s_of_both_releases(file, old):
    blobs = networks.fcn8s(1 / 64, 3, old)
    model = FCN8s(3, width=1 / 64)
    model.get_layer("upscore2").bias.assign([9.0, 9.0, 9.0])
    report = load_caffemodel(model, file(blobs, layout="old" if old else "new"))
    few = images(1, 37, 50)
    assert relative_error(model(few), Network(blobs).fcn8s(few)) < 1e-4
    assert len(report.loaded) == 21 and not report.left_out


def test_the_classifier_gives_fcn_its_fully_connected_layers(file):
    blobs = networks.fcn8s(1 / 64, 3, old=False)
    products = {
        name: [found[0].reshape(1, 1, len(found[0]), -1), found[1]]
        if name in ("fc6", "fc7")
        else found
        for name, found in blobs.items()
    }
    model, again = FCN8s(3, width=1 / 64), FCN8s(3, width=1 / 64)
    load_caffemodel(model, file(blobs))
    report = load_caffemodel(again, file(products | {"fc8": blobs["fc7"]}))
    for mine, theirs in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert report.left_out == ("fc8",) and "in the file alone: fc8" in str(report)


def test_a_head_for_other_classes(file):
    path = file(networks.deconvnet(WIDTH, 5, kernel=2))
    model = deconvnet(3)
    before = model.get_weights()
    with pytest.raises(
        UserError, match=r"weights for 5 \(seg-score-voc\).*--num-classes 5 to load.*classes 3 to"
    ):
        load_caffemodel(model, path)
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    report = load_caffemodel(model, path, new_head=True)
    assert report.kept == ("seg-score-voc",) and len(report.loaded) == 58
    assert "not loaded, as they were: seg-score-voc" in str(report)
    np.testing.assert_array_equal(model.get_layer("seg-score-voc").kernel, before[-2])
    same = load_caffemodel(deconvnet(5), path, new_head=True)
    assert not same.kept


def test_the_whole_head_of_fcn_depends_on_the_classes(file):
    path = file(networks.fcn8s(1 / 64, 5, old=True))
    report = load_caffemodel(FCN8s(3, width=1 / 64), path, new_head=True)
    assert set(report.kept) == set(networks.FCN8S) and len(report.loaded) == 15


def test_taking_one_file_of_the_release_for_the_other_is_noticed(file):
    model = deconvnet()
    inference = networks.deconvnet(WIDTH, 3, kernel=2)
    (note,) = load_caffemodel(model, file(inference), folded=False).notes
    assert "bn1_1 (0.0" in note and "load it as folded" in note
    training = networks.deconvnet(WIDTH, 3, kernel=2, folded=False)
    (note,) = load_caffemodel(model, file(training)).notes
    assert "load it as unfolded" in note


def test_a_report_names_the_layers_up_to_forty():
    names = tuple(f"layer{index}" for index in range(1, 43))
    assert str(Report((), left_out=names[:40])).endswith("layer1, " + ", ".join(names[1:40]))
    assert str(Report((), kept=names)).endswith("layer39, layer40, and 2 more")
