"""Blobs of networks as Caffe's files have them, random and of any width."""

import numpy as np

from tests.reference.caffe_layers import FCN8S, OLD_FCN8S, Blobs

FILTERS = {1: (64, 64), 2: (128, 128), 3: (256,) * 3, 4: (512,) * 3, 5: (512,) * 3}
DECONV_FILTERS = {5: (512,) * 3, 4: (512, 512, 256), 3: (256, 256, 128), 2: (128, 64), 1: (64, 64)}


class Maker:
    """Draws blobs that keep signals alive through a deep network."""

    def __init__(self, width: float, folded: bool = True, seed: int = 0) -> None:
        self.generator = np.random.default_rng(seed)
        self.width, self.folded = width, folded
        self.blobs: Blobs = {}

    def scaled(self, count: int) -> int:
        return max(1, round(self.width * count))

    def kernel(self, name: str, shape: tuple[int, ...], inputs: int, outputs: int) -> None:
        deviation = (2 / (inputs * shape[2] * shape[3])) ** 0.5
        kernel = self.generator.normal(0, deviation, shape).astype("float32")
        self.blobs[name] = [kernel, self.vector(outputs).reshape(1, 1, 1, outputs)]

    def conv(self, name: str, inputs: int, outputs: int, side: int) -> None:
        self.kernel(name, (outputs, inputs, side, side), inputs, outputs)

    def deconv(self, name: str, inputs: int, outputs: int, side: int) -> None:
        self.kernel(name, (inputs, outputs, side, side), inputs, outputs)

    def norm(self, name: str, count: int) -> None:
        shape = (1, count, 1, 1)
        scale = 1 + 0.2 * self.vector(count)
        if name == "bn1_1" and self.folded:
            scale *= 0.02  # conv1_1 sees gray levels
        self.blobs[name] = [scale.reshape(shape), self.vector(count).reshape(shape)]

    def vector(self, count: int) -> np.ndarray:
        return self.generator.normal(0, 0.1, count).astype("float32")

    def stages(self, kind: str, norm: str | None, filters: dict, channels: int) -> int:
        for stage, counts in filters.items():
            for index, count in enumerate(counts, start=1):
                make = self.deconv if kind == "deconv" else self.conv
                make(f"{kind}{stage}_{index}", channels, self.scaled(count), 3)
                channels = self.scaled(count)
                if norm:
                    self.norm(f"{norm}{stage}_{index}", channels)
        return channels


def deconvnet(
    width: float, classes: int, kernel: int = 7, folded: bool = True, seed: int = 0
) -> Blobs:
    """All blobs of the release, in the order of its file; `kernel` is the side of fc6."""
    make = Maker(width, folded, seed)
    channels = make.stages("conv", "bn", FILTERS, 3)
    fc = make.scaled(4096)
    make.conv("fc6", channels, fc, kernel)
    make.norm("bnfc6", fc)
    make.conv("fc7", fc, fc, 1)
    make.norm("bnfc7", fc)
    make.deconv("fc6-deconv", fc, channels, kernel)
    make.norm("fc6-deconv-bn", channels)
    channels = make.stages("deconv", "debn", DECONV_FILTERS, channels)
    make.conv("seg-score-voc", channels, classes, 1)
    return make.blobs


def vgg16(width: float, classes: int = 0, seed: int = 0) -> Blobs:
    """VGG_ILSVRC_16_layers_conv; with `classes`, the classifier: inner products to the end."""
    make = Maker(width, seed=seed)
    channels = make.stages("conv", None, FILTERS, 3)
    fc = make.scaled(4096)
    make.conv("fc6", channels, fc, 7)
    make.conv("fc7", fc, fc, 1)
    if classes:
        make.conv("fc8", fc, classes, 1)
        for name in ("fc6", "fc7", "fc8"):
            kernel, bias = make.blobs[name]
            make.blobs[name] = [kernel.reshape(1, 1, len(kernel), -1), bias]
    return make.blobs


def fcn8s(width: float, classes: int, old: bool, seed: int = 0) -> Blobs:
    """fcn-8s-pascal (old) with the bias of its score2, or fcn8s-heavy-pascal."""
    make = Maker(width, seed=seed)
    channels = make.stages("conv", None, FILTERS, 3)
    fc = make.scaled(4096)
    make.conv("fc6", channels, fc, 7)
    make.conv("fc7", fc, fc, 1)
    first, up2, pool4, up4, pool3, up8 = OLD_FCN8S if old else FCN8S
    for name, inputs in ((first, fc), (pool4, make.scaled(512)), (pool3, make.scaled(256))):
        make.conv(name, inputs, classes, 1)
    for name, side in ((up2, 4), (up4, 4), (up8, 16)):
        make.deconv(name, classes, classes, side)
        if not (old and name == up2):
            del make.blobs[name][1]
    return make.blobs
