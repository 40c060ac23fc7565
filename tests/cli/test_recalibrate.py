"""The command `recalibrate`: the right windows are measured, the right file is written."""

import argparse

import numpy as np
import pytest

from tfdeconv import boxes, files
from tfdeconv.cli import recalibrate
from tfdeconv.data.drawn import draw_dataset
from tfdeconv.data.maps import object_boxes
from tfdeconv.data.voc import read_split
from tfdeconv.errors import UserError
from tfdeconv.models import DeconvNet, FCN8s, class_names, load_model

NAMES = ("ground", "tree")


def parse(*words) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    recalibrate.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("drawn") / "data", images=4, val=1, seed=0)


@pytest.fixture
def model_file(tmp_path):
    DeconvNet(2, (32, 32, 3), width=1 / 32, class_names=NAMES).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def statistics(path):
    model = load_model(path)
    return [np.asarray(model.get_layer("bn1_1").moving_variance), *model.get_weights()[:2]]


FEW = ("--batches", 2, "--batch-size", 4)


def test_a_run_is_rewritten(data, model_file, capsys):
    before = statistics(model_file)
    recalibrate.run(parse(model_file.parent, data, *FEW))
    assert capsys.readouterr().out == (
        f"{model_file}: statistics of 29 batch normalisations from 8 windows\n"
    )
    after = statistics(model_file)
    assert (after[0] > 10 * before[0]).all() and class_names(load_model(model_file)) == NAMES
    np.testing.assert_array_equal(after[1], before[1])
    assert sorted(path.name for path in model_file.parent.iterdir()) == ["model.keras"]


def test_out_leaves_the_model_alone(data, model_file, tmp_path):
    content = model_file.read_bytes()
    recalibrate.run(parse(model_file, data, *FEW, "--out", tmp_path / "other.keras"))
    assert model_file.read_bytes() == content
    assert not np.array_equal(statistics(tmp_path / "other.keras")[0], statistics(model_file)[0])


def test_windows_are_those_of_the_run(data, model_file, tmp_path):
    split = read_split(data, "train")
    found = {}
    for image_id in split.ids:
        truth = object_boxes(split, image_id)[0].astype("float32")
        found[image_id] = boxes.Proposals(truth + 3, np.ones(len(truth), "float32"))
    boxes.save(tmp_path / "p.npz", found, {})
    notes = {"proposals": str(tmp_path / "p.npz"), "recipe": {"background": True}}
    outs = [tmp_path / f"{index}.keras" for index in range(3)]
    words = (data, *FEW, "--out")
    recalibrate.run(parse(tmp_path, *words, outs[0]))
    recalibrate.run(parse(tmp_path, *words, outs[1], "--proposals", tmp_path / "p.npz"))
    files.write_json(tmp_path / "run.json", notes)
    recalibrate.run(parse(tmp_path, *words, outs[2]))
    objects, given, noted = (statistics(path)[0] for path in outs)
    assert not np.array_equal(objects, given)
    np.testing.assert_allclose(given, noted, rtol=1e-5)


def test_mistakes(data, model_file, tmp_path):
    for name in ("missing.keras", "missing", "missing.h5"):
        with pytest.raises(UserError, match=name + r"` must be a \.keras file or a run folder"):
            recalibrate.run(parse(tmp_path / name, data))
    load_model(model_file).save(tmp_path / "old.h5")
    with pytest.raises(UserError, match=r"`--out` must be given for .* HDF5 file.*old\.h5' alone"):
        recalibrate.run(parse(tmp_path / "old.h5", data))
    with pytest.raises(UserError, match="must be a data set in PASCAL VOC layout"):
        recalibrate.run(parse(model_file, tmp_path / "missing"))
    with pytest.raises(UserError, match=r"`--out` must end in \.keras"):
        recalibrate.run(parse(model_file, data, "--out", tmp_path / "x"))
    with pytest.raises(UserError, match=r"missing\.npz"):
        recalibrate.run(parse(model_file, data, "--proposals", tmp_path / "missing.npz"))
    FCN8s(2, width=1 / 64).save(tmp_path / "fcn.keras")
    with pytest.raises(UserError, match="fcn8s has no batch norm"):
        recalibrate.run(parse(tmp_path / "fcn.keras", data))
    for words in (["--batches", "0"], ["--batch-size", "x"]):
        with pytest.raises(SystemExit, match="2"):
            parse("model", "data", *words)
