"""The encoder-decoder network (report, sections 4.1 and 4.2).

It works on slices that were already brought to the grid of the good scan. ``patch_size`` 1 is the report's network.
With ``patch_size`` 2 each 2 x 2 block of pixels becomes four channels first (pixel unshuffle) and the reverse at the
end: the convolutions then run on the grid of the fast scan, where all of its information is, at a quarter of the cost
per weight.

Three options tell it more than the image: a channel for the noise, and for a diffusion model a channel for the point of
its path and an embedding of time. Channels come in this order, after the image, so that a network with more of them
begins with the weights of one with fewer. None of them changes the names of the weights that a plain network has.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_micromri.nn.families.unet.config import PRESETS, Activation, UNetConfig
from napari_micromri.nn.families.unet.time_embedding import TimeEmbedding, modulate

__all__ = ["PRESETS", "UNet", "UNetConfig", "count_parameters"]


class UNet(nn.Module):
    """Encoder-decoder with skip connections, (N, C, H, W) -> (N, 1, H, W) for any H and W, C ``config.input_channels``.

    With ``config.residual`` the first input channel is added to the output, so the network learns what to change.
    """

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
        self.head = nn.Conv2d(widths[0], channels, 3, padding=1)
        blocks = (*config.features_skip, *reversed(widths))
        self.time = TimeEmbedding(blocks) if config.time_embedding else None
        if config.residual:  # start as the identity: the first steps then improve on the input instead of on noise
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # Conv2d's bias is optional, here it is there

    def forward(self, image: Tensor, time: Tensor | None = None) -> Tensor:
        """Denoise a batch (N, C, H, W); ``time`` (N,) between 0 and 1 where the network has an embedding for it."""
        height, width = image.shape[-2:]
        padded = _pad_to_multiple(image, self.config.multiple)
        change = functional.pixel_shuffle(
            self._body(functional.pixel_unshuffle(padded, self.config.patch_size), time), self.config.patch_size
        )
        result = padded[:, :1] + change if self.config.residual else change
        return result[..., :height, :width]

    def _body(self, x: Tensor, time: Tensor | None) -> Tensor:
        told = iter(() if self.time is None or time is None else self.time(time))
        skips = []
        for block, down in zip(self.encoder, self.down, strict=True):
            x = modulate(block(x), next(told, None))
            skips.append(x)
            x = down(x)
        x = modulate(self.bottom(x), next(told, None))
        for up, block in zip(self.up, self.decoder, strict=True):
            x = modulate(block(torch.cat([up(x), skips.pop()], dim=1)), next(told, None))
        head: Tensor = self.head(x)
        return head


def count_parameters(module: nn.Module) -> int:
    """Count the trainable numbers."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


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


def _pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    height, width = image.shape[-2:]
    pad = (0, -width % multiple, 0, -height % multiple)
    # Where the network is traced for another program, it has to pad as well: that program brings other sizes.
    if not torch.compiler.is_compiling() and not any(pad):
        return image
    return functional.pad(image, pad, mode="replicate")
