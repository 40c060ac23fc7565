"""Switches: traced as by hand, read from networks, and drawn."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.layers_helpers import switch_network
from tests.reference import switches as reference
from tfdeconv.errors import UserError
from tfdeconv.layers import MaxPoolWithArgmax
from tfdeconv.visual.pictures import class_colours
from tfdeconv.visual.switches import (
    Level,
    Pooled,
    coloured_places,
    draw_switches,
    network_switches,
    trace,
)


def pooled(size, window, channels, seed):
    maps = np.random.default_rng(seed).integers(0, 6, (*size, channels)).astype(np.float32)
    values, argmax = MaxPoolWithArgmax(window)(maps[None])
    return maps, Pooled(np.asarray(values)[0], np.asarray(argmax)[0], size, window)


@pytest.mark.parametrize(
    ("sizes", "window"),
    [
        ([(8, 12), (4, 6)], (2, 2)),
        ([(7, 11), (4, 6), (2, 3)], (2, 2)),
        # Convolutions in between may change the size of a map.
        ([(9, 9), (7, 5), (3, 6)], (3, 2)),
        ([(5, 4)], (2, 2)),
    ],
)
def test_traces_are_those_of_one_window_at_a_time(sizes, window) -> None:
    chain = [pooled(size, window, 2 + k, k)[1] for k, size in enumerate(sizes)]
    plain = [(one.values, one.argmax, one.size) for one in chain]
    for channel in range(chain[-1].values.shape[-1]):
        np.testing.assert_array_equal(trace(chain, channel), reference.traced(plain, channel))


def test_a_level_tells_place_middle_and_trace_of_a_network() -> None:
    keras.utils.set_random_seed(1)
    model = switch_network((10, 14, 3))
    image = np.random.default_rng(0).integers(0, 256, (10, 14, 3)).astype(np.float32)
    shown = network_switches(model, image)
    pools = [one for one in model.layers if isinstance(one, MaxPoolWithArgmax)]
    before = keras.Model(model.input, [one.input for one in pools]).predict(image[None], verbose=0)
    assert [one.layer for one in shown.levels] == [one.name for one in pools]
    assert [one.values.shape for one in shown.levels] == [(5, 7), (3, 4)]
    for level, map_ in zip(shown.levels, before, strict=True):
        for row, column in np.ndindex(level.values.shape):
            maxima = np.zeros((*level.values.shape, map_.shape[-1]), np.float32)
            maxima[..., level.channel] = level.values
            place = reference.place_in_window(
                maxima, map_[0], row, column, level.channel, (2, 2), (0, 0)
            )
            assert level.places[row, column] == place
    first, second = shown.levels
    np.testing.assert_allclose(first.traced * [10, 14] % 1, 0.5)
    # The last of three rows of windows sticks out of the 5 rows that were pooled.
    np.testing.assert_allclose(second.middles[:, 0, 0], [0.2, 0.6, 1.0])
    np.testing.assert_allclose(first.middles[0, :2, 1] * 14, [1, 3])


def test_a_trace_ends_where_a_bright_pixel_is() -> None:
    x = inputs = keras.Input((8, 8, 3))
    for _ in range(3):
        x, _ = MaxPoolWithArgmax(2)(x)
    scores = layers.UpSampling2D(8)(layers.Conv2D(2, 1)(x))
    image = np.zeros((8, 8, 3), np.float32)
    image[6, 3] = 200
    last = network_switches(keras.Model(inputs, scores), image).levels[-1]
    assert last.traced.tolist() == [[[6.5 / 8, 3.5 / 8]]]


def test_networks_without_switches_are_told() -> None:
    inputs = keras.Input((8, 8, 3))
    plain = keras.Model(inputs, layers.MaxPooling2D()(inputs), name="plain")
    with pytest.raises(UserError, match=r"must have switches .*for --switches.*'plain', which has"):
        network_switches(plain, np.zeros((8, 8, 3)))


def level(values, places) -> Level:
    shares = np.full((*np.shape(values), 2), 0.5)
    return Level("pool", 0, np.float32(values), np.array(places), (2, 2), shares, shares)


def test_places_have_colours_and_zeros_none() -> None:
    drawn = coloured_places(level([[4.0, 0.0], [4.0, 1.0]], [[0, 1], [3, 3]]))
    assert drawn[0, 0].tolist() == class_colours()[1].tolist()
    assert drawn[1, 0].tolist() == class_colours()[4].tolist()
    assert drawn[0, 1].max() < 40
    assert (drawn[1, 1] < drawn[1, 0]).all()


def test_the_sheet_has_two_panels_for_every_pooling() -> None:
    keras.utils.set_random_seed(1)
    image = np.full((10, 14, 3), 90, np.uint8)
    shown = network_switches(switch_network((10, 14, 3)), image)
    # Panels are 336 pixels wide, and as high as the image's proportions have it.
    assert draw_switches(image, shown).shape == (8 + 2 * (240 + 42 + 8) + 44, 8 + 3 * 344, 3)
    without = draw_switches(image, shown, ("ground", "tree", "sky"))
    assert without.shape == draw_switches(image, shown).shape
