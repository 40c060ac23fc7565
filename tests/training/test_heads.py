"""The heads half way: what they score, what of them is measured, and that they leave no trace."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdeconv.models import DeconvNet, SegNet, UNet
from tfdeconv.training import heads
from tfdeconv.training.losses import CrossEntropy
from tfdeconv.training.recipes import PAPER, SMALL
from tfdeconv.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def network():
    return DeconvNet(3, (64, 64, 3), width=1 / 32, fc6_kernel=1)


@pytest.fixture(scope="module")
def batch():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    labels = generator.choice([0, 1, 2, 255], (2, 64, 64)).astype(np.uint8)
    return images, labels


def compiled(network, recipe=SMALL["deconvnet", 1]):
    deep = heads.with_heads(network, 64)
    deep.compile("sgd", **heads.objectives(deep, recipe))
    return deep


def cross_entropy_in_loops(labels, scores):
    total = count = 0
    for place in np.ndindex(*labels.shape):
        if labels[place] != 255:
            of_one = scores[place].astype(np.float64)
            total += np.log(np.exp(of_one - of_one.max()).sum()) + of_one.max()
            total -= of_one[labels[place]]
            count += 1
    return total / max(count, 1)


def test_scores_smaller_than_the_labels_meet_those_in_the_middle_of_their_cells():
    labels = np.array([[[0, 1, 2, 2], [1, 255, 2, 1]]], np.uint8)
    scores = np.array([[[[0.0, 9.0, 0.0], [0.0, 9.0, 0.0]]]], np.float32)
    # Cells of 2x2: the middle, rounded down, is their last pixel; the first of them is void.
    assert float(CrossEntropy()(labels, scores)) == pytest.approx(0.0, abs=1e-3)
    labels[0, 1, 3] = 2
    assert float(CrossEntropy()(labels, scores)) == pytest.approx(9.0, abs=1e-3)


def test_the_loss_is_the_sum_of_all_outputs_by_weight(network, batch):
    deep = compiled(network)
    images, labels = batch
    dataset = tf.data.Dataset.from_tensors((images, labels))
    measured = deep.evaluate(heads.repeat_labels(dataset, deep), verbose=0, return_dict=True)
    losses = []
    for scores in deep.predict(images, verbose=0):
        cell = 64 // scores.shape[1]
        coarse = labels[:, cell // 2 :: cell, cell // 2 :: cell]
        losses.append(cross_entropy_in_loops(coarse, scores))
    weight = SMALL["deconvnet", 1].head_weight
    assert measured["loss"] == pytest.approx(losses[0] + weight * sum(losses[1:]), rel=1e-4)
    alone = heads.without_heads(measured, deep)
    assert set(alone) == {"loss", "mean_iou"}
    assert alone["loss"] == pytest.approx(losses[0], rel=1e-4)


def test_without_heads_nothing_changes(network, batch):
    assert heads.objectives(network, PAPER["deconvnet", 1]).keys() == {"loss", "metrics"}
    dataset = tf.data.Dataset.from_tensors(batch)
    assert heads.repeat_labels(dataset, network) is dataset
    assert heads.without_heads({"loss": 1.0}, network) == {"loss": 1.0}


def test_every_map_that_is_unpooled_has_one_where_its_pixels_are_whole_numbers_of_the_images():
    segnet = SegNet(3, width=1 / 64)
    names = [f"head-{name}" for name in ("pool5", *(f"relu{k}_1_D" for k in (5, 4, 3, 2)))]
    for size, first in ((64, 0), (48, 1), (50, 4), (51, 5)):
        assert heads.with_heads(segnet, size).output_names == ["scores", *names[first:]]
    unet = UNet(3, width=1 / 64)
    assert heads.with_heads(unet, 64) is unet


def test_the_papers_recipes_have_none():
    assert all(recipe.head_weight == 0 for recipe in PAPER.values())


def test_they_reach_the_first_deconvolution(network, batch):
    deep = compiled(network, dataclasses.replace(SMALL["deconvnet", 1], head_weight=1.0))
    before = network.get_layer("fc6-deconv").kernel.numpy()
    dataset = heads.repeat_labels(tf.data.Dataset.from_tensors(batch), deep)
    deep.fit(dataset, shuffle=False, verbose=0)
    assert np.abs(network.get_layer("fc6-deconv").kernel.numpy() - before).max() > 0


def test_the_model_to_use_has_none_and_the_one_to_go_on_with_has_all(network, batch, tmp_path):
    run = RunFolder(tmp_path / "run")
    run.begin({})
    deep = compiled(network)
    run.save_best(deep)
    run.save_last(deep, {"step": 0, "best": -1.0, "history": []})
    used = keras.models.load_model(run.model_file)
    assert len(used.outputs) == 1
    np.testing.assert_array_equal(
        used.predict(batch[0], verbose=0), network.predict(batch[0], verbose=0)
    )
    again = keras.models.load_model(run.last / "model.keras")
    assert len(again.outputs) == 6
    for one, other in zip(deep.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
