"""The encoder-decoder network (report, sections 4.1 and 4.2).

It works on slices that were already brought to the grid of the good scan. ``patch_size`` 1 is the report's network.

Three options tell it more than the image: a channel for the noise, and for a diffusion model a channel for the point of
its path and an embedding of time. Channels come in this order, after the image, so that a network with more of them
begins with the weights of one with fewer. None of them changes the names of the weights that a plain network has.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from napari_micromri.nn.families.unet.config import Activation, UNetConfig
from napari_micromri.nn.families.unet.time_embedding import TimeEmbedding, modulate
from napari_micromri.nn.network import Network, head, keep_scale

__all__ = ["UNet", "UNetConfig"]


class UNet(Network):
    """Encoder-decoder with skip connections; see `Network`."""

    config: UNetConfig

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.features_main
        channels = config.patch_size**2
        self.encoder = nn.ModuleList(
            _block(before, width, config)
            for before, width in pairwise((config.input_channels * channels, *config.features_skip))
        )
        self.down = nn.ModuleList(_down(width, config) for width in config.features_skip)
        bottom_input = config.features_skip[-1] if config.features_skip else config.input_channels * channels
        self.bottom = _block(bottom_input, widths[-1], config)
        falling = list(pairwise(reversed(widths)))
        self.up = nn.ModuleList(_up(below, width, config) for below, width in falling)
        self.decoder = nn.ModuleList(_block(2 * width, width, config) for _, width in falling)
        keep_scale(self)
        self.head = head(widths[0], config)
        blocks = (*config.features_skip, *reversed(widths))
        self.time = TimeEmbedding(blocks) if config.time_embedding else None

    def body(self, x: Tensor, time: Tensor | None) -> Tensor:
        """Go down to the coarsest level and back."""
        told = iter(() if self.time is None or time is None else self.time(time))
        skips = []
        for block, down in zip(self.encoder, self.down, strict=True):
            x = modulate(block(x), next(told, None))
            skips.append(x)
            x = down(x)
        x = modulate(self.bottom(x), next(told, None))
        for up, block in zip(self.up, self.decoder, strict=True):
            x = modulate(block(torch.cat([up(x), skips.pop()], dim=1)), next(told, None))
        change: Tensor = self.head(x)
        return change


def _activation(name: Activation) -> nn.Module:
    kinds: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "prelu": nn.PReLU}
    return kinds[name]()


def _block(before: int, width: int, config: UNetConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise((before, *(width,) * config.convolutions)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), _activation(config.activation)]
    return nn.Sequential(*layers)


def _down(width: int, config: UNetConfig) -> nn.Module:
    match config.downsampling:
        case "maxpool":
            return nn.MaxPool2d(2)
        case "meanpool":
            return nn.AvgPool2d(2)
        case "conv_strided":
            return nn.Conv2d(width, width, 2, stride=2)


def _up(below: int, width: int, config: UNetConfig) -> nn.Module:
    if config.upsampling == "upconv":
        return nn.ConvTranspose2d(below, width, 2, stride=2)
    align = None if config.upsampling == "nearest" else False
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode=config.upsampling, align_corners=align),
        nn.Conv2d(below, width, 3, padding=1),
    )
