"""DeconvNet as PyTorch users write it: the peer of the benchmarks."""

import torch
from torch import nn

from tfdeconv.models.deconvnet import DECODER_FILTERS
from tfdeconv.models.vgg16 import FC_FILTERS, STAGE_FILTERS


class TorchDeconvNet(nn.Module):
    """DeconvNet of `torch.nn` layers: `MaxPool2d(return_indices=True)` and `MaxUnpool2d`.

    Args:
        num_classes: channels of the scores.
        input_size: side of the images, a multiple of 32.
        width: factor of all numbers of channels, as of `tfdeconv.models.DeconvNet`.
    """

    def __init__(self, num_classes: int = 21, input_size: int = 224, width: float = 1.0) -> None:
        super().__init__()
        encoder = [[_scaled(count, width) for count in stage] for stage in STAGE_FILTERS]
        decoder = [[_scaled(count, width) for count in stage] for stage in DECODER_FILTERS]
        fc, side = _scaled(FC_FILTERS, width), input_size // 32
        channels, self.encoder, self.decoder = 3, nn.ModuleList(), nn.ModuleList()
        for filters in encoder:
            self.encoder.append(_stage(nn.Conv2d, channels, filters))
            channels = filters[-1]
        opened = decoder[-1][0]
        self.bottleneck = nn.Sequential(
            *_normalised(nn.Conv2d(channels, fc, side)),
            *_normalised(nn.Conv2d(fc, fc, 1)),
            *_normalised(nn.ConvTranspose2d(fc, opened, side)),
        )
        channels = opened
        for filters in reversed(decoder):
            self.decoder.append(_stage(nn.ConvTranspose2d, channels, filters))
            channels = filters[-1]
        self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
        self.score = nn.Conv2d(channels, num_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps `(batch, 3, size, size)` images to `(batch, num_classes, size, size)` scores."""
        switches = []
        for stage in self.encoder:
            x, indices = self.pool(stage(x))
            switches.append(indices)
        x = self.bottleneck(x)
        for stage, indices in zip(self.decoder, reversed(switches), strict=True):
            x = stage(self.unpool(x, indices))
        return self.score(x)


def _scaled(count: int | tuple[int, ...], width: float) -> int:
    return max(1, round(width * (count if isinstance(count, int) else count[0])))


def _normalised(convolution: nn.Module) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


def _stage(kind: type[nn.Module], channels: int, filters: list[int]) -> nn.Sequential:
    layers = []
    for count in filters:
        layers += _normalised(kind(channels, count, 3, padding=1))
        channels = count
    return nn.Sequential(*layers)
