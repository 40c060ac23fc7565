"""Two networks as one: mean of probabilities and product of scores, in numbers one can check."""

import keras
import numpy as np
import pytest

from tests.segmentation.networks import COLOURS, colour_network, open_network, painted
from tfdeconv.errors import UserError
from tfdeconv.segmentation.averaging import mean_probabilities, product_of_scores
from tfdeconv.segmentation.segmenter import Segmenter

COMBINE = {"mean": mean_probabilities, "product": product_of_scores}


def softmax(scores: list[float]) -> list[float]:
    exponentials = [np.exp(score - max(scores)) for score in scores]
    return [float(value / sum(exponentials)) for value in exponentials]


def test_the_mean_is_that_of_the_probabilities() -> None:
    a, b = np.log([[1 / 2, 1 / 4, 1 / 4]]) + 7, np.log([[1 / 8, 3 / 4, 1 / 8]]) - 3
    found = np.exp(mean_probabilities(a, b))
    np.testing.assert_allclose(found, [[5 / 16, 1 / 2, 3 / 16]], rtol=1e-5)


def test_the_product_is_that_of_the_scores_above_zero() -> None:
    a, b = np.array([[2.0, -5.0, 3.0, -1.0]]), np.array([[3.0, -7.0, 1.0, 4.0]])
    # Two negative scores must not make a large product: they count as zero.
    found = np.exp(product_of_scores(a, b))
    np.testing.assert_allclose(found, [softmax([6.0, 0.0, 3.0, 0.0])], rtol=1e-5)


@pytest.mark.parametrize("mode", COMBINE)
def test_both_are_logarithms_of_probabilities_by_plain_loops(mode: str) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 3, (2, 3, 5, 4)), rng.normal(0, 3, (2, 3, 5, 4))
    found = COMBINE[mode](a, b).numpy()
    assert found.dtype == np.float32 and found.shape == a.shape
    for place in np.ndindex(2, 3, 5):
        x, y = a[place].tolist(), b[place].tolist()
        if mode == "mean":
            pairs = zip(softmax(x), softmax(y), strict=True)
            expected = [(p + q) / 2 for p, q in pairs]
        else:
            expected = softmax([max(p, 0) * max(q, 0) for p, q in zip(x, y, strict=True)])
        np.testing.assert_allclose(np.exp(found[place]), expected, rtol=1e-5)
        assert found[place].argmax() == np.argmax(expected)


def test_a_pixel_that_no_region_covers() -> None:
    nothing, other = np.zeros((1, 3)), np.array([[-1.0, 5.0, 2.0]])
    # The product leaves it background, the first of equals; the mean leaves it to the other one.
    for pair in ((nothing, other), (other, nothing), (nothing, nothing)):
        product = product_of_scores(*pair).numpy()
        np.testing.assert_allclose(product, np.full((1, 3), -np.log(3)), rtol=1e-6)
        assert product.argmax() == 0
    assert mean_probabilities(nothing, other).numpy().argmax() == 1


@pytest.mark.parametrize("mode", COMBINE)
def test_nothing_is_ever_infinite_or_no_number(mode: str) -> None:
    extremes = np.array([0.0, 1e4, -1e4, 3e38, -3e38, np.inf, -np.inf, 1e-30], np.float32)
    a, b = np.meshgrid(extremes, extremes)
    a, b = (np.stack([scores, np.zeros_like(scores), -scores], axis=-1) for scores in (a, b))
    found = COMBINE[mode](a, b).numpy()
    assert np.isfinite(found).all() and (found <= 0).all()


def shifted(model: keras.Model, bias: list[float]) -> keras.Model:
    """The same network with another bias: one that prefers other classes."""
    again = keras.models.clone_model(model)
    again.set_weights([model.get_weights()[0], np.array(bias, np.float32)])
    return again


@pytest.mark.parametrize("mode", COMBINE)
@pytest.mark.parametrize("second", ["regions", "whole image"])
def test_segmenter_combines_what_each_says_of_the_image(mode: str, second: str) -> None:
    image, _ = painted(30, 44)
    first = colour_network()
    other = shifted(colour_network(12) if second == "regions" else open_network(), [0.3, -1, -0.5])
    options = {"boxes": 3, "aggregate": "mean", "proposals": "grid"}
    segmenter = Segmenter(first, **options, ensemble=other, ensemble_mode=mode)
    # The release multiplies scores, not probabilities.
    each = {**options, "aggregate": "raw_max"} if mode == "product" else options
    alone = [Segmenter(model, **each).scores(image) for model in (first, other)]
    scores = segmenter.scores(image)
    np.testing.assert_allclose(scores, COMBINE[mode](*alone), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(segmenter.segment(image), scores.argmax(axis=-1))
    boxes = np.array([[2, 3, 14, 15]], np.float32)
    alone = [Segmenter(model, **each).scores(image, boxes) for model in (first, other)]
    np.testing.assert_allclose(
        segmenter.scores(image, boxes), COMBINE[mode](*alone), rtol=0, atol=1e-5
    )


def test_two_whole_image_networks_need_no_proposals(monkeypatch) -> None:
    def never(*_):
        raise AssertionError("proposals were searched for")

    monkeypatch.setattr("tfdeconv.segmentation.regions.propose", never)
    image, labels = painted(30, 44)
    segmenter = Segmenter(open_network(), ensemble=open_network(), ensemble_mode="product")
    np.testing.assert_array_equal(segmenter.segment(image), labels)


def test_proposals_are_searched_for_once(monkeypatch) -> None:
    from tfdeconv.proposals import propose

    calls = []
    monkeypatch.setattr(
        "tfdeconv.segmentation.regions.propose", lambda image: calls.append(1) or propose(image)
    )
    segmenter = Segmenter(colour_network(), boxes=3, ensemble=colour_network(12))
    segmenter.segment(painted(30, 44)[0])
    assert len(calls) == 1


def test_a_large_image_is_combined_on_the_canvas(monkeypatch) -> None:
    monkeypatch.setattr("tfdeconv.segmentation.pipeline.MAX_SCORES", 300)
    segmenter = Segmenter(colour_network(), boxes=0, ensemble=open_network())
    image = np.broadcast_to(COLOURS[2], (40, 60, 3))
    np.testing.assert_array_equal(segmenter.segment(image), np.full((40, 60), 2))


def test_saved_models(tmp_path) -> None:
    colour_network().save(tmp_path / "first.keras")
    open_network().save(tmp_path / "model.keras")
    image, _ = painted(20, 30)
    found = Segmenter(tmp_path / "first.keras", boxes=0, ensemble=tmp_path).segment(image)
    expected = Segmenter(colour_network(), boxes=0, ensemble=open_network()).segment(image)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("names", "received"),
    [
        (
            ("ground", "green", "red"),
            r"3 \(ground, green, red\) instead of 3 \(ground, red, green\)",
        ),
        (None, r"4 \(without names\) instead of 3 \(ground, red, green\)"),
    ],
)
def test_networks_for_other_classes_are_refused(names, received: str) -> None:
    inputs = keras.Input((16, 16, 3))
    other = colour_network(class_names=names)
    if names is None:
        other = keras.Model(inputs, keras.layers.Conv2D(4, 1)(inputs))
    with pytest.raises(UserError, match=rf"`ensemble` must be .*Received: {received}"):
        Segmenter(colour_network(), ensemble=other)


def test_names_come_from_whichever_network_has_them() -> None:
    bare, named = colour_network(class_names=None), colour_network()
    assert Segmenter(bare).class_names is None
    for pair in ((bare, named), (named, bare)):
        segmenter = Segmenter(pair[0], ensemble=pair[1])
        assert segmenter.class_names == ("ground", "red", "green")


def test_another_mode_of_a_segmenter_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`ensemble_mode` must be one of .*'max'"):
        Segmenter(colour_network(), ensemble=colour_network(), ensemble_mode="max")
