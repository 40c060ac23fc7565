"""DeconvNet: the release's layer table, and the scores of a network written in PyTorch."""

import numpy as np
import pytest

from tfdeconv.models import DeconvNet

# name, kernel, output channels, output side: DeconvNet_inference_deploy.prototxt.
TABLE = [
    *[(f"conv1_{i}", 3, 64, 224) for i in (1, 2)],
    *[(f"conv2_{i}", 3, 128, 112) for i in (1, 2)],
    *[(f"conv3_{i}", 3, 256, 56) for i in (1, 2, 3)],
    *[(f"conv4_{i}", 3, 512, 28) for i in (1, 2, 3)],
    *[(f"conv5_{i}", 3, 512, 14) for i in (1, 2, 3)],
    ("fc6", 7, 4096, 1),
    ("fc7", 1, 4096, 1),
    ("fc6-deconv", 7, 512, 7),
    *[(f"deconv5_{i}", 3, 512, 14) for i in (1, 2, 3)],
    *[(f"deconv4_{i}", 3, n, 28) for i, n in ((1, 512), (2, 512), (3, 256))],
    *[(f"deconv3_{i}", 3, n, 56) for i, n in ((1, 256), (2, 256), (3, 128))],
    *[(f"deconv2_{i}", 3, n, 112) for i, n in ((1, 128), (2, 64))],
    *[(f"deconv1_{i}", 3, 64, 224) for i in (1, 2)],
    ("seg-score-voc", 1, 21, 224),
]
BATCH_NORMS = """
bn1_1 bn1_2 bn2_1 bn2_2 bn3_1 bn3_2 bn3_3 bn4_1 bn4_2 bn4_3 bn5_1 bn5_2 bn5_3
bnfc6 bnfc7 fc6-deconv-bn debn5_1 debn5_2 debn5_3 debn4_1 debn4_2 debn4_3
debn3_1 debn3_2 debn3_3 debn2_1 debn2_2 debn1_1 debn1_2
""".split()  # noqa: SIM905 - a table reads better than a list of quoted names


@pytest.fixture(scope="module")
def full_table():
    # The table of the full network from a symbolic build: its gigabyte of weights is not needed.
    import keras

    with keras.device("cpu:0"):
        model = DeconvNet()
    yield model
    del model


@pytest.mark.large
def test_layer_table_and_weights(full_table):
    layers = {layer.name: layer for layer in full_table.layers}
    weighted = [layer for layer in full_table.layers if hasattr(layer, "kernel")]
    assert [layer.name for layer in weighted] == [name for name, *_ in TABLE]
    for name, kernel, channels, side in TABLE:
        assert layers[name].kernel.shape[:2] == (kernel, kernel)
        assert layers[name].output.shape == (None, side, side, channels), name
    names = [layer.name for layer in full_table.layers if hasattr(layer, "gamma")]
    assert names == BATCH_NORMS
    statistics = 2 * sum(layers[name].gamma.shape[0] for name in names)
    assert full_table.count_params() - statistics == 251_805_653


def test_weights_of_the_full_network_by_arithmetic():
    # What the large test counts in the built network, from the table alone.
    weights, channels = 0, 3
    for name, kernel, filters, _ in TABLE:
        weights += kernel * kernel * channels * filters + filters
        weights += 0 if name == "seg-score-voc" else 2 * filters
        channels = filters
    assert weights == 251_805_653


def test_every_layer_is_there_at_any_width():
    model = DeconvNet(3, (64, 96, 3), width=1 / 16)
    names = {layer.name for layer in model.layers}
    assert {name for name, *_ in TABLE} <= names and set(BATCH_NORMS) <= names
    assert {f"pool{i}" for i in range(1, 6)} | {f"unpool{i}" for i in range(1, 6)} <= names
    assert model.get_layer("fc6").kernel.shape == (2, 3, 32, 256)
    assert model.get_layer("conv1_1").kernel.shape == (3, 3, 3, 4)


def randomise(model, seed=0):
    # Kernels that keep the signal alive through 29 layers, statistics that are not trivial.
    generator = np.random.default_rng(seed)
    weights = []
    for variable in model.weights:
        values = generator.normal(0, 0.1, variable.shape)
        if variable.name == "kernel":
            values *= 10 * np.sqrt(2 / np.prod(variable.shape[:3]))
        elif variable.name in ("gamma", "moving_variance"):
            values = 1 + np.abs(values)
        weights.append(values.astype("float32"))
    model.set_weights(weights)


def torch_scores(model, images):
    """The same network written with PyTorch's own layers, from the paper's Table 2 alone."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    functional = torch.nn.functional

    def parameters(name):
        return [torch.from_numpy(w) for w in model.get_layer(name).get_weights()]

    def norm(x, name):
        gamma, beta, mean, variance = parameters(name)
        return functional.relu(functional.batch_norm(x, mean, variance, gamma, beta, eps=1.001e-5))

    def conv(x, name, bn, padding=1):
        kernel, bias = parameters(name)
        return norm(functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=padding), bn)

    def deconv(x, name, bn, padding=1):
        kernel, bias = parameters(name)
        kernel = kernel.permute(3, 2, 0, 1)
        return norm(functional.conv_transpose2d(x, kernel, bias, padding=padding), bn)

    means = torch.tensor([104.00698793, 116.66876762, 122.67891434])
    x = (torch.from_numpy(images).float().flip(-1) - means).permute(0, 3, 1, 2)
    switches = []
    for stage, count in enumerate((2, 2, 3, 3, 3), start=1):
        for i in range(1, count + 1):
            x = conv(x, f"conv{stage}_{i}", f"bn{stage}_{i}")
        size = x.shape
        x, index = functional.max_pool2d(x, 2, return_indices=True)
        switches.append((stage, count, index, size))
    x = conv(x, "fc6", "bnfc6", padding=0)
    x = conv(x, "fc7", "bnfc7", padding=0)
    x = deconv(x, "fc6-deconv", "fc6-deconv-bn", padding=0)
    for stage, count, index, size in reversed(switches):
        x = functional.max_unpool2d(x, index, 2, output_size=size[2:])
        for i in range(1, count + 1):
            x = deconv(x, f"deconv{stage}_{i}", f"debn{stage}_{i}")
    kernel, bias = parameters("seg-score-voc")
    return functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias).permute(0, 2, 3, 1).numpy()


def check_against_torch(model, shape):
    randomise(model)
    images = np.random.default_rng(1).integers(0, 256, shape).astype("uint8")
    expected = torch_scores(model, images)
    scores = model.predict_on_batch(images)
    assert scores.dtype == np.float32 and scores.shape == expected.shape
    assert np.abs(scores - expected).max() <= 1e-4 * np.abs(expected).max()
    # Scores that do not depend on the place would hide a wrong switch.
    assert expected.std(axis=(1, 2)).max() > 0.05 * np.abs(expected).max()


@pytest.mark.parametrize("side", [(64, 96), (32, 32)])
def test_scores_are_those_of_a_pytorch_network(side):
    check_against_torch(DeconvNet(5, (*side, 3), width=1 / 16), (2, *side, 3))


def test_scores_of_a_larger_image_are_pytorchs_too():
    open_model = DeconvNet(5, (None, None, 3), width=1 / 16, fc6_kernel=2)
    check_against_torch(open_model, (1, 96, 128, 3))


@pytest.mark.large
def test_scores_of_the_full_network_are_pytorchs():
    check_against_torch(DeconvNet(), (1, 224, 224, 3))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((100, 64, 3), "multiples of 32.*nearest is 96 in place of 100"),
        ((64, 0, 3), "nearest is 32 in place of 0"),
        ((64, 64, 1), r"must be \(height, width, 3\)"),
        ((64, 64), r"must be \(height, width, 3\)"),
    ],
)
def test_input_shapes_that_cannot_be(shape, message):
    with pytest.raises(ValueError, match=message):
        DeconvNet(3, shape, width=1 / 16)


def test_an_open_network_refuses_sizes_and_names_the_nearest():
    model = DeconvNet(3, (None, None, 3), width=1 / 16, fc6_kernel=2)
    assert model(np.zeros((1, 64, 96, 3))).shape == (1, 64, 96, 3)
    with pytest.raises(ValueError, match=r"multiples of 32.*nearest size is \(96, 64\)"):
        model(np.zeros((1, 100, 40, 3)))


@pytest.mark.parametrize("count", [1, 256])
def test_number_of_classes(count):
    with pytest.raises(ValueError, match="`num_classes` must be 2 to 255"):
        DeconvNet(count, (32, 32, 3))


def test_a_name_for_every_class():
    with pytest.raises(ValueError, match=r"one name a class\. Received: 1 names"):
        DeconvNet(2, (32, 32, 3), class_names=("ground",))


def test_layers_of_one_shape_start_with_kernels_of_their_own():
    model = DeconvNet(3, (32, 32, 3), width=1 / 16)
    first, second = (model.get_layer(name).get_weights()[0] for name in ("deconv5_1", "deconv5_2"))
    assert not np.array_equal(first, second)
