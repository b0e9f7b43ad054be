"""A NAFNet (Chen et al. 2022, *Simple baselines for image restoration*): gates in place of activation functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_micromri.nn.network import Network, head

if TYPE_CHECKING:
    from napari_micromri.nn.families.nafnet.config import NAFNetConfig


class NAFNet(Network):
    """Encoder-decoder of gated blocks whose skip connections are added; see `Network`."""

    config: NAFNetConfig

    def __init__(self, config: NAFNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.features << level for level in range(config.levels)]
        self.intro = nn.Conv2d(config.input_channels * config.patch_size**2, config.features, 3, padding=1)
        self.encoder = nn.ModuleList(_blocks(width, config.blocks) for width in widths)
        self.down = nn.ModuleList(nn.Conv2d(width, 2 * width, 2, stride=2) for width in widths)
        self.middle = _blocks(2 * widths[-1], config.middle_blocks)
        self.up = nn.ModuleList(_up(width) for width in reversed(widths))
        self.decoder = nn.ModuleList(_blocks(width, config.blocks) for width in reversed(widths))
        self.head = head(config.features, config)

    def body(self, x: Tensor, time: Tensor | None) -> Tensor:
        """Go down to the coarsest level and back."""
        del time
        x = self.intro(x)
        skips = []
        for blocks, down in zip(self.encoder, self.down, strict=True):
            x = blocks(x)
            skips.append(x)
            x = down(x)
        x = self.middle(x)
        for up, blocks in zip(self.up, self.decoder, strict=True):
            x = blocks(up(x) + skips.pop())
        change: Tensor = self.head(x)
        return change


class Block(nn.Module):
    """Mix pixels, gate, weigh channels; then mix channels and gate. Both parts are added to what comes in.

    Their factors start at zero, so that a new block passes its input on.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pixels = nn.Sequential(
            ChannelNorm(width),
            nn.Conv2d(width, 2 * width, 1),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width),
            Gate(),
            ChannelAttention(width),
            nn.Conv2d(width, width, 1),
        )
        self.channels = nn.Sequential(
            ChannelNorm(width), nn.Conv2d(width, 2 * width, 1), Gate(), nn.Conv2d(width, width, 1)
        )
        self.pixel_factor = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.channel_factor = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Refine (N, width, H, W)."""
        x = x + self.pixel_factor * self.pixels(x)
        refined: Tensor = x + self.channel_factor * self.channels(x)
        return refined


class ChannelNorm(nn.Module):
    """Bring the channels of each pixel to mean 0 and variance 1, then to a learned scale and offset each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, width, 1, 1))
        self.offset = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, width, H, W)."""
        centred = x - x.mean(dim=1, keepdim=True)
        return self.scale * centred * torch.rsqrt(centred.square().mean(dim=1, keepdim=True) + 1e-6) + self.offset


class Gate(nn.Module):
    """Multiply one half of the channels by the other: the only thing here that isn't linear but for the norm."""

    def forward(self, x: Tensor) -> Tensor:
        """Halve the channels of (N, 2 width, H, W)."""
        kept, gate = x.chunk(2, dim=1)
        return kept * gate


class ChannelAttention(nn.Module):
    """Weigh the channels by a linear function of their means over the whole slice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (N, width, H, W)."""
        weighed: Tensor = x * self.weigh(x.mean(dim=(2, 3), keepdim=True))
        return weighed


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(count)))


def _up(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(2 * width, 4 * width, 1, bias=False), nn.PixelShuffle(2))
