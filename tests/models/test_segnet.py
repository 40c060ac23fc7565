"""SegNet: the layers of its release, and the scores of a network of PyTorch's layers."""

import pytest

from tests.models.neighbours import (
    Row,
    Torch,
    check_learns,
    check_scores,
    check_table,
    count_of_chain,
    predicted,
    random_images,
    randomise,
    weights_without_statistics,
)
from tfdeconv.models import SegNet

# segnet_train.prototxt; `upsample5` and `upsample4` give 23x30 and 45x60 there.
SIDES = {1: (360, 480), 2: (180, 240), 3: (90, 120), 4: (45, 60), 5: (23, 30)}
ENCODER = {1: (64, 64), 2: (128, 128), 3: (256,) * 3, 4: (512,) * 3, 5: (512,) * 3}
DECODER = {5: (512,) * 3, 4: (512, 512, 256), 3: (256, 256, 128), 2: (128, 64), 1: (64, 11)}
TABLE = [
    *[Row(f"conv{s}_{i}", 3, n, SIDES[s]) for s in ENCODER for i, n in enumerate(ENCODER[s], 1)],
    *[
        Row(f"conv{s}_{len(DECODER[s]) - i}_D", 3, n, SIDES[s])
        for s in DECODER
        for i, n in enumerate(DECODER[s])
    ],
]


NORMALISED = {row.name for row in TABLE if row.name != "conv1_1_D"}


def test_layer_table_of_the_full_network() -> None:
    model = SegNet(11, (360, 480, 3), kernel_initializer="zeros")
    check_table(model, TABLE)
    names = {layer.name for layer in model.layers}
    assert {name for name in names if name.endswith("_bn")} == {f"{n}_bn" for n in NORMALISED}
    relus = {name.replace("conv", "relu") for name in NORMALISED}
    assert {name for name in names if name.startswith("relu")} == relus
    for i, side in SIDES.items():
        assert model.get_layer(f"upsample{i}").output.shape[1:3] == side
        assert f"pool{i}" in names
    assert weights_without_statistics(model) == count_of_chain(TABLE, NORMALISED) == 29_449_355


def test_weights_for_the_classes_of_voc() -> None:
    table = [*TABLE[:-1], TABLE[-1]._replace(filters=21)]
    assert f"{count_of_chain(table, NORMALISED):,}" in (SegNet.__doc__ or "")


@pytest.mark.parametrize("size", [(37, 51), (1, 2)])
def test_scores_are_those_of_a_pytorch_network_at_every_size(size: tuple[int, int]) -> None:
    model = randomise(SegNet(5, width=1 / 16))
    images = random_images(2, *size, 3)
    net = Torch(model)
    x = net.images(images)
    switches = []
    for stage, filters in ENCODER.items():
        for i in range(1, len(filters) + 1):
            x = net.conv(x, f"conv{stage}_{i}", f"conv{stage}_{i}_bn")
        size = x.shape[2:]
        x, index = net.functional.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
        switches.append((stage, len(filters), index, size))
    for stage, count, index, size in reversed(switches):
        x = net.functional.max_unpool2d(x, index, 2, output_size=size)
        for i in range(count, 0, -1):
            last = stage == i == 1
            name = f"conv{stage}_{i}_D"
            x = net.conv(x, name, None if last else f"{name}_bn", relu=not last)
    check_scores(predicted(model, images), x)


def test_training_lowers_the_loss() -> None:
    check_learns("segnet")


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match=r"`input_shape` must be \(height, width, 3\)"):
        SegNet(3, (32, 32, 1), width=1 / 16)
    with pytest.raises(ValueError, match="`num_classes` must be 2 to 255"):
        SegNet(1, width=1 / 16)
    with pytest.raises(ValueError, match="one name a class"):
        SegNet(2, width=1 / 16, class_names=("road",))
