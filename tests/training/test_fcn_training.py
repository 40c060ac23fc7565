"""FCN over whole images: recipes, windows, and one network started from another."""

import keras
import numpy as np
import pytest

from tests.helpers import run_tfdeconv
from tfdeconv.cli.train import STAGES as COMMAND_STAGES
from tfdeconv.data.drawn import CLASS_NAMES, draw_dataset
from tfdeconv.data.voc import read_split
from tfdeconv.errors import UserError
from tfdeconv.models import DeconvNet, FCN8s, FCN16s, FCN32s, class_names, list_models, load_model
from tfdeconv.segmentation.evaluate import evaluate
from tfdeconv.segmentation.segmenter import Segmenter
from tfdeconv.training.init import copy_weights
from tfdeconv.training.inputs import read_data, training_batches
from tfdeconv.training.recipes import NETWORKS, RECIPES, find_recipe
from tfdeconv.training.run_folder import RunFolder
from tfdeconv.training.train import train

TINY = {"width": 1 / 64, "input_size": 32, "batch_size": 2, "steps": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("drawn") / "data", images=4, val=1, seed=0)


@pytest.fixture(scope="module")
def coarse(data, tmp_path_factory) -> RunFolder:
    """A run of the command, as a user gives it."""
    out = tmp_path_factory.mktemp("runs") / "fcn32s"
    flags = [part for n, v in TINY.items() for part in (f"--{n.replace('_', '-')}", str(v))]
    result = run_tfdeconv("train", "fcn32s", str(data), "--out", str(out), *flags)
    assert result.returncode == 0, result.stderr
    assert "2 steps, loss" in result.stdout.splitlines()[-1]
    return RunFolder(out)


def test_the_command_line_knows_what_can_be_trained() -> None:
    assert ("stage1", "stage2", *NETWORKS[1:]) == COMMAND_STAGES
    assert set(NETWORKS) <= set(list_models())
    every = [("deconvnet", 1), ("deconvnet", 2), *((network, None) for network in NETWORKS[1:])]
    assert [len(found) for found in RECIPES.values()] == [len(every), 5, 5]
    for name, count in (("small", None), ("paper", 5), ("release", 5)):
        for network, stage in every[:count]:
            assert find_recipe(name, network, stage).steps > 0
    for pair in (("small", "fcn4s"), ("large", "fcn8s")):
        with pytest.raises(UserError, match=r"A recipe must be one of .*fcn8s.*Received"):
            find_recipe(*pair)


@pytest.mark.parametrize(
    ("stage", "rate"), [("fcn32s", 1e-10), ("fcn16s", 1e-12), ("fcn8s", 1e-14)]
)
def test_the_solver_of_the_release(stage: str, rate: float) -> None:
    recipe = find_recipe("paper", stage)
    assert recipe == find_recipe("release", stage)
    optimizer = recipe.build_optimizer()
    assert optimizer.momentum == 0.99 and optimizer.decay == 0.0005
    assert optimizer.gradient_accumulation_steps is None
    for step in (0, 50_000, 99_999):
        assert float(optimizer._learning_rate(step)) == pytest.approx(rate)
    assert (recipe.steps, recipe.batch_size, recipe.loss_reduction) == (100_000, 1, "sum")


def test_a_run_takes_images_of_any_size(data, coarse: RunFolder) -> None:
    model = load_model(coarse.path)
    assert class_names(model) == CLASS_NAMES and model.name == "fcn32s"
    assert model.output_shape == (None, None, None, 9)
    settings = coarse.settings()
    assert settings["network"] == "fcn32s" and settings["stage"] is None
    assert {"loss", "val_mean_iou"} <= set(coarse.load_state()["history"][-1])
    assert evaluate(Segmenter(coarse.path), read_split(data, "val")).images == 1


def test_training_moves_all_but_the_last_interpolation(coarse: RunFolder) -> None:
    # The best one may be that of the first step, whose rate is zero.
    model, fresh = load_model(coarse.last), FCN32s(9, width=1 / 64)
    fixed = model.get_layer("upscore").kernel
    np.testing.assert_array_equal(fixed, fresh.get_layer("upscore").kernel)
    assert model.get_layer("score_fr").kernel.numpy().any()


def test_a_finer_network_starts_from_a_coarser_one(data, coarse: RunFolder, tmp_path) -> None:
    # So small a rate that the encoder stays where it was.
    options = {**TINY, "steps": 1, "learning_rate": 1e-12, "width": None}
    run = train("fcn16s", data, tmp_path / "run", init=coarse.path, **options)
    first, model = load_model(coarse.path), load_model(run.path)
    assert run.settings()["recipe"]["width"] == 1 / 64
    for name in ("conv1_1", "conv5_3", "fc7", "score_fr"):
        found, expected = (network.get_layer(name).get_weights() for network in (model, first))
        np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=1e-6)
    with pytest.raises(UserError, match=r"`width` must be that of the initial model, 0\.015625"):
        train("fcn16s", data, tmp_path / "other", init=coarse.path, **{**TINY, "width": 1 / 32})


def test_a_finished_run_is_resumed(data, coarse: RunFolder) -> None:
    before = coarse.model_file.read_bytes()
    train("fcn32s", data, coarse.path, resume=True, **TINY)
    assert coarse.model_file.read_bytes() == before
    with pytest.raises(UserError, match=r"other settings.*network"):
        train("fcn8s", data, coarse.path, resume=True, **TINY)


def test_windows_of_training_have_room_for_the_random_crop(data) -> None:
    recipe = find_recipe("small", "fcn8s").with_changes(input_size=224)
    found = read_data(None, data, None, recipe, seed=0)
    sides = found.windows.box[:, 2:] - found.windows.box[:, :2]
    # As large as they are cut: nothing is resized. There is one about each object, as many of each
    # class as of the most frequent one, and as many of the background.
    counts = np.bincount(found.windows.label)
    assert (sides == 250).all() and counts[0] == 4 and set(counts) == {0, 4}
    images, labels = next(iter(found.validation))
    assert images.shape[1:] == (224, 224, 3) and labels.shape[1:] == (224, 224)
    first = next(iter(training_batches(found, recipe, 0, 0, 1)))
    for pixels in (
        images.numpy()[labels.numpy() == 255],
        first[0].numpy()[first[1].numpy() == 255],
    ):
        assert np.mean((pixels == (123, 117, 104)).all(axis=-1)) > 0.9


def test_layers_of_one_name_and_shape_are_copied() -> None:
    source, target = FCN16s(3, width=1 / 64), FCN8s(3, width=1 / 64)
    for layer in source.layers:
        layer.set_weights([np.full_like(value, 0.5) for value in layer.get_weights()])
    filled = copy_weights(source, target)
    assert filled[0] == "conv1_1" and len(filled) == 18
    assert {"score_fr", "score_pool4", "upscore2"} < set(filled)
    for layer in target.layers:
        for value in layer.get_weights():
            assert (value == 0.5).all() == (layer.name in filled), layer.name


@pytest.mark.parametrize(
    ("classes", "names", "copied"),
    [(3, ("a", "b", "c"), True), (3, ("a", "c", "b"), False), (4, None, False), (3, None, True)],
)
def test_scores_are_kept_for_the_same_classes_alone(classes, names, copied: bool) -> None:
    source = FCN32s(classes, width=1 / 64, class_names=names)
    target = FCN16s(3, width=1 / 64, class_names=("a", "b", "c"))
    assert ("score_fr" in copy_weights(source, target)) is copied


def test_the_encoder_of_a_deconvnet_comes_without_its_normalisation() -> None:
    source, target = DeconvNet(3, (64, 64, 3), width=1 / 64), FCN8s(3, width=1 / 64)
    generator = np.random.default_rng(0)
    for layer in source.layers:
        layer.set_weights([v + generator.uniform(0.1, 1, v.shape) for v in layer.get_weights()])
    filled = copy_weights(source, target)
    assert filled == tuple(layer.name for layer in target.layers if layer.name[:4] == "conv")
    # FCN's first map is larger by 99 rows and columns on each side.
    images = generator.integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    one, other = (
        keras.Model(network.input, network.get_layer("relu1_1").output).predict(images, verbose=0)
        for network in (source, target)
    )
    np.testing.assert_allclose(other[:, 99:-99, 99:-99], one, rtol=1e-4, atol=1e-3)


def test_networks_without_a_layer_in_common_are_told() -> None:
    target = FCN8s(3, width=1 / 64)
    with pytest.raises(UserError, match=r"shapes with fcn8s\. Received: fcn32s, which shares none"):
        copy_weights(FCN32s(4, width=1 / 32), target)
