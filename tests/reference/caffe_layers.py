"""The layers of Caffe, and of the DeconvNet release's fork of it, in NumPy and double precision.

Arrays are Caffe's: `(channels, height, width)`, kernels of convolutions `(out, in, height, width)`,
of deconvolutions `(in, out, height, width)`. An image is BGR minus the mean.
"""

from collections.abc import Callable

import numpy as np

MEAN = np.array([104.00698793, 116.66876762, 122.67891434])

Blobs = dict[str, list[np.ndarray]]
Norm = Callable[..., list[np.ndarray]]

FCN8S = ("score_fr", "upscore2", "score_pool4", "upscore_pool4", "score_pool3", "upscore8")
OLD_FCN8S = ("score-fr", "score2", "score-pool4", "score4", "score-pool3", "upsample")


def preprocess(image: np.ndarray) -> np.ndarray:
    """preprocess_image_bb.m: RGB (height, width, 3) to BGR minus the mean, channels first."""
    return (image[..., ::-1].astype("float64") - MEAN).transpose(2, 0, 1)


def conv(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, pad: int = 0) -> np.ndarray:
    """Convolution layer, stride 1: the kernel slides over the padded image, unflipped."""
    kernel = kernel.astype("float64")
    high, wide = kernel.shape[2:]
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    rows, columns = x.shape[1] - high + 1, x.shape[2] - wide + 1
    result = np.zeros((len(kernel), rows, columns)) + bias.reshape(-1, 1, 1)
    for i, j in np.ndindex(high, wide):
        result += np.tensordot(kernel[:, :, i, j], x[:, i : i + rows, j : j + columns], 1)
    return result


def deconv(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None = None, stride: int = 1, pad: int = 0
) -> np.ndarray:
    """Deconvolution layer: every value of `x` stamps its kernel into the result (col2im)."""
    kernel = kernel.astype("float64")
    high, wide = kernel.shape[2:]
    rows, columns = stride * (x.shape[1] - 1) + high, stride * (x.shape[2] - 1) + wide
    result = np.zeros((kernel.shape[1], rows, columns))
    for i, j in np.ndindex(*x.shape[1:]):
        stamp = np.tensordot(x[:, i, j], kernel, 1)
        result[:, stride * i : stride * i + high, stride * j : stride * j + wide] += stamp
    result = result[:, pad : rows - pad, pad : columns - pad]
    return result if bias is None else result + bias.reshape(-1, 1, 1)


def pool(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Max pooling 2x2/2 and its mask: the place in the plane; the first maximum wins.

    Sides are rounded up: the last window of an odd side is half outside.
    """
    channels, height, width = x.shape
    shape = (channels, (height + 1) // 2, (width + 1) // 2)
    pooled, mask = np.full(shape, -np.inf), np.zeros(shape, int)
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        part = x[:, i::2, j::2]
        rows, columns = part.shape[1:]
        places = np.arange(i, height, 2)[:, None] * width + np.arange(j, width, 2)
        best, where = pooled[:, :rows, :columns], mask[:, :rows, :columns]
        where[:] = np.where(part > best, places, where)
        best[:] = np.maximum(part, best)
    return pooled, mask


def unpool(x: np.ndarray, mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Unpooling layer MAX with a mask: every value where its maximum stood, zeros elsewhere."""
    result = np.zeros((len(x), height * width))
    for plane, values, places in zip(result, x, mask, strict=True):
        plane[places.ravel()] = values.ravel()
    return result.reshape(-1, height, width)


def batch_norm(x: list[np.ndarray], scale: np.ndarray, shift: np.ndarray) -> list[np.ndarray]:
    """BN layer in INFERENCE mode: statistics have been folded in."""
    return [scale.reshape(-1, 1, 1) * one + shift.reshape(-1, 1, 1) for one in x]


def statistics(x: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of every channel over a batch."""
    values = np.stack(x)
    mean = values.mean(axis=(0, 2, 3))
    return mean, (values**2).mean(axis=(0, 2, 3)) - mean**2


def batch_norm_learn(
    x: list[np.ndarray], scale: np.ndarray, shift: np.ndarray, epsilon: float = 1e-9
) -> list[np.ndarray]:
    """BN layer in LEARN mode: by the statistics of the batch."""
    mean, variance = (values.reshape(-1, 1, 1) for values in statistics(x))
    normalised = [(one - mean) / np.sqrt(variance + epsilon) for one in x]
    return batch_norm(normalised, scale, shift)


def crop(x: np.ndarray, like: np.ndarray, offset: int) -> np.ndarray:
    height, width = like.shape[1:]
    return x[:, offset : offset + height, offset : offset + width]


class Network:
    """Layers by name over a batch, as a list of images; `seen` keeps the inputs of every BN layer.

    Args:
        blobs: Those of the file.
        norm: `batch_norm` (mode INFERENCE) or `batch_norm_learn` (mode LEARN).
    """

    def __init__(self, blobs: Blobs, norm: Norm = batch_norm) -> None:
        self.blobs = blobs
        self.norm = norm
        self.seen: Blobs = {}

    def activate(self, x: list[np.ndarray], bn: str) -> list[np.ndarray]:
        if bn in self.blobs:
            self.seen[bn] = x
            x = self.norm(x, *self.blobs[bn])
        return [np.maximum(one, 0.0) for one in x]

    def conv(self, x: list[np.ndarray], name: str, bn: str = "", pad: int = 0) -> list[np.ndarray]:
        return self.activate([conv(one, *self.blobs[name], pad=pad) for one in x], bn)

    def deconv(self, x: list[np.ndarray], name: str, bn: str, pad: int) -> list[np.ndarray]:
        return self.activate([deconv(one, *self.blobs[name], pad=pad) for one in x], bn)

    def vgg16(self, images: np.ndarray, pad: int = 1) -> tuple[list[np.ndarray], list]:
        """conv1_1 (with `pad`) to pool5."""
        x, pools = [preprocess(image) for image in images], []
        for stage, count in enumerate((2, 2, 3, 3, 3), start=1):
            for index in range(1, count + 1):
                name = f"{stage}_{index}"
                x = self.conv(x, f"conv{name}", f"bn{name}", pad if name == "1_1" else 1)
            size = x[0].shape[1:]
            x, masks = (list(parts) for parts in zip(*map(pool, x), strict=True))
            pools.append((stage, count, masks, size, x))
        return x, pools

    def deconvnet(self, images: np.ndarray) -> np.ndarray:
        """DeconvNet_inference_deploy.prototxt: RGB images to scores, channels last."""
        x, pools = self.vgg16(images)
        x = self.conv(x, "fc6", "bnfc6")
        x = self.conv(x, "fc7", "bnfc7")
        x = self.deconv(x, "fc6-deconv", "fc6-deconv-bn", pad=0)
        for stage, count, masks, size, _ in reversed(pools):
            x = [unpool(one, mask, *size) for one, mask in zip(x, masks, strict=True)]
            for index in range(1, count + 1):
                name = f"{stage}_{index}"
                x = self.deconv(x, f"deconv{name}", f"debn{name}", pad=1)
        scores = [conv(one, *self.blobs["seg-score-voc"]) for one in x]
        return np.stack(scores).transpose(0, 2, 3, 1)

    def fcn8s(self, images: np.ndarray) -> np.ndarray:
        """voc-fcn8s/deploy.prototxt, or fcn-8s-pascal-deploy.prototxt where score2 has a bias."""
        x, pools = self.vgg16(images, pad=100)
        x = self.conv(self.conv(x, "fc6"), "fc7")
        names = OLD_FCN8S if "score-fr" in self.blobs else FCN8S
        first, up2, pool4, up4, pool3, up8 = (self.blobs[name] for name in names)
        results = []
        for index, one in enumerate(x):
            score = deconv(conv(one, *first), *up2, stride=2)
            score = score + crop(conv(pools[3][4][index], *pool4), score, 5)
            score = deconv(score, *up4, stride=2)
            score = score + crop(conv(pools[2][4][index], *pool3), score, 9)
            like = np.empty((1, *images.shape[1:3]))
            results.append(crop(deconv(score, *up8, stride=8), like, 31))
        return np.stack(results).transpose(0, 2, 3, 1)
