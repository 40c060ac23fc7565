"""The command `import-caffe`: a file of Caffe goes in, a Keras model that opens comes out."""

import argparse
import sys

import numpy as np
import pytest

from tests.helpers import run_tfdeconv
from tests.reference.caffe_encoder import encode
from tests.reference.caffe_layers import Network
from tests.weights import networks
from tfdeconv.cli import import_caffe
from tfdeconv.errors import UserError
from tfdeconv.labels import VOC_CLASSES
from tfdeconv.models import class_names, load_model

IMAGES = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype("uint8")


def parse(*words) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    import_caffe.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


@pytest.fixture
def convert(tmp_path, capsys):
    def convert(blobs, *words):
        (tmp_path / "net.caffemodel").write_bytes(encode(blobs.items(), unknown=True))
        out = tmp_path / "model.keras"
        import_caffe.run(parse(tmp_path / "net.caffemodel", "--out", out, *words))
        return load_model(out), capsys.readouterr()

    return convert


def test_the_published_deconvnet(tmp_path):
    blobs = networks.deconvnet(1 / 32, 21, kernel=2)
    (tmp_path / "net.caffemodel").write_bytes(encode(blobs.items()))
    out = tmp_path / "model.keras"
    words = ["--network", "deconvnet", "--out", str(out)]
    result = run_tfdeconv("import-caffe", str(tmp_path / "net.caffemodel"), *words)
    assert result.returncode == 0 and not result.stderr, result.stderr
    assert result.stdout == f"{out}: deconvnet, 59 layers loaded\n"
    model = load_model(out)
    expected = Network(blobs).deconvnet(IMAGES)
    assert np.abs(model(IMAGES) - expected).max() < 1e-4 * np.abs(expected).max()
    assert class_names(model) == VOC_CLASSES


def test_a_training_file_says_what_it_needs(convert):
    blobs = networks.deconvnet(1 / 32, 21, kernel=1, folded=False)
    model, told = convert(blobs, "--network", "deconvnet", "--unfolded")
    assert "tfdeconv recalibrate" in told.err and told.err.count("warning") == 1
    assert np.asarray(model.get_layer("bn1_1").moving_variance).tolist() == [1.0, 1.0]
    _, told = convert(blobs, "--network", "deconvnet")
    assert "load it as unfolded" in told.err


def test_other_classes(convert):
    blobs = networks.deconvnet(1 / 32, 5, kernel=1)
    with pytest.raises(UserError, match=r"weights for 5 .* Give --num-classes 5 to load them"):
        convert(blobs, "--network", "deconvnet")
    model, told = convert(blobs, "--network", "deconvnet", "--num-classes", 5)
    assert "59 layers loaded\n" in told.out and class_names(model) is None
    np.testing.assert_array_equal(
        model.get_layer("seg-score-voc").kernel[0, 0].numpy().T,
        blobs["seg-score-voc"][0][..., 0, 0],
    )
    model, told = convert(blobs, "--network", "deconvnet", "--num-classes", 9)
    assert "58 layers loaded; not loaded, as they were: seg-score-voc" in told.out
    assert model.output_shape[-1] == 9
    assert np.asarray(model.get_layer("seg-score-voc").kernel).std() > 0


@pytest.mark.parametrize("classes", [1, 300])
def test_classes_that_the_option_refuses_are_not_offered(convert, classes):
    told = rf"weights for {classes} \(seg-score-voc\)\. Give --num-classes 21 to load the rest"
    with pytest.raises(UserError, match=told):
        convert(networks.deconvnet(1 / 32, classes, kernel=1), "--network", "deconvnet")


def test_fcn_and_vgg(convert):
    model, told = convert(networks.fcn8s(1 / 64, 21, old=True), "--network", "fcn8s")
    assert "fcn8s, 21 layers loaded" in told.out and model(IMAGES).shape == (1, 64, 64, 21)
    for classes in (0, 7):
        model, told = convert(networks.vgg16(1 / 64, classes), "--network", "vgg16")
        assert "vgg16, 15 layers loaded" in told.out
        assert model(np.zeros((1, 224, 256, 3))).shape == (1, 1, 2, 64)
    assert "in the file alone: fc8" in told.out


@pytest.mark.parametrize(
    ("blobs", "words", "message"),
    [
        (networks.fcn8s(1 / 64, 21, old=False), ["deconvnet"], "'bn1_1' is missing"),
        ({"conv1": [np.zeros((96, 3, 11, 11), "f4")]}, ["vgg16"], "conv1_1 missing, fc6 missing"),
        (
            {"conv1_1": [np.zeros((9999, 1, 1, 1), "f4")], "fc6": [np.zeros((8, 8), "f4")]},
            ["vgg16"],
            r"Received: conv1_1 \(9999, 1, 1, 1\)",
        ),
        (networks.vgg16(1 / 64), ["vgg16", "--num-classes", 4], "`--num-classes` must be left out"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_written(convert, tmp_path, blobs, words, message):
    with pytest.raises(UserError, match=message):
        convert(blobs, "--network", *words)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".keras"] == []


def test_mistakes(tmp_path, capsys):
    with pytest.raises(UserError, match=r"`--out` must end in \.keras"):
        import_caffe.run(parse("x.caffemodel", "--network", "vgg16", "--out", "x.h5"))
    with pytest.raises(UserError, match=r"`x\.caffemodel` must be a \.caffemodel file"):
        import_caffe.run(parse("x.caffemodel", "--network", "vgg16", "--out", "x.keras"))
    for words in (["--network", "alexnet"], ["--network", "vgg16", "--num-classes", "1"]):
        with pytest.raises(SystemExit, match="2"):
            parse("x", "--out", "x.keras", *words)


def test_a_preset_opens_in_keras_hub_and_here(tmp_path, capsys):
    keras_hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    blobs = networks.deconvnet(1 / 32, 21, kernel=2)
    (tmp_path / "net.caffemodel").write_bytes(encode(blobs.items()))
    words = [tmp_path / "net.caffemodel", "--network", "deconvnet", "--preset", tmp_path / "preset"]
    for _ in range(2):  # a preset may be written over
        import_caffe.run(parse(*words))
        assert f"{tmp_path / 'preset'}: deconvnet, 59 layers" in capsys.readouterr().out
    task = keras_hub.models.ImageSegmenter.from_preset(str(tmp_path / "preset"))
    assert type(task).__name__ == "DeconvNetImageSegmenter" and task.class_names == VOC_CLASSES
    assert task.preprocessor.image_size == (64, 64)
    model = load_model(tmp_path / "preset")
    expected = Network(blobs).deconvnet(IMAGES)
    for scores in (model(IMAGES), task.predict(IMAGES, verbose=0)):
        assert np.abs(scores - expected).max() < 1e-4 * np.abs(expected).max()


def test_a_preset_needs_keras_hub_and_a_place_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(UserError, match="must be a new directory, or one that holds a preset"):
            import_caffe.run(parse("x.caffemodel", "--network", "deconvnet", "--preset", place))
    monkeypatch.delitem(sys.modules, "tfdeconv.hub", raising=False)
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(UserError, match=r'needs keras-hub.*`pip install "tfdeconv\[hub\]"`'):
        import_caffe.run(parse("x.caffemodel", "--network", "fcn8s", "--preset", tmp_path / "new"))
    with pytest.raises(UserError, match="`--preset` must be left out with vgg16"):
        import_caffe.run(parse("x.caffemodel", "--network", "vgg16", "--preset", tmp_path / "new"))
    with pytest.raises(SystemExit, match="2"):
        parse("x", "--network", "fcn8s", "--preset", tmp_path / "new", "--out", "x.keras")


def test_the_help_tells_the_licence_and_that_no_weights_come_with_it():
    text = " ".join(run_tfdeconv("import-caffe", "--help").stdout.split())
    assert "individual research only. They may not be redistributed, and neither may" in text
    assert "tfdeconv ships no weights." in text
