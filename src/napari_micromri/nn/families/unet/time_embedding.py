"""Tell a convolutional network a time: sine waves of it, from which each block gets a scale and a shift."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

WAVES = 32
HIGHEST = 100.0
"""The fastest wave turns by this many radians between time 0 and 1, the slowest by one."""


class TimeEmbedding(nn.Module):
    """Scale and shift for every block of a network, from a time between 0 and 1.

    The last layers start at zero: at first the network computes what it would without a time.

    Parameters
    ----------
    widths
        Channels of each block, in the order in which the blocks run.
    """

    def __init__(self, widths: Sequence[int], features: int = 64) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.common = nn.Linear(2 * WAVES, features)
        self.blocks = nn.ModuleList(nn.Linear(features, 2 * width) for width in self.widths)
        for layer in self.blocks:
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]  # a ModuleList doesn't know what it holds
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, time: Tensor) -> list[Tensor]:
        """Give (N, 2 width, 1, 1) for each block, from times (N,)."""
        hidden = functional.silu(self.common(waves(time)))
        return [layer(hidden)[:, :, None, None] for layer in self.blocks]


def waves(time: Tensor) -> Tensor:
    """Sines and cosines of a time, (N,) -> (N, 2 WAVES), at frequencies from 1 to ``HIGHEST`` in geometric steps."""
    exponents = torch.linspace(0, math.log(HIGHEST), WAVES, device=time.device, dtype=time.dtype)
    angles = time[:, None] * exponents.exp()
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def modulate(x: Tensor, told: Tensor | None) -> Tensor:
    """Scale and shift the channels of ``x``; None leaves them as they are. Without gradients ``x`` is overwritten."""
    if told is None:
        return x
    scale, shift = told.to(x.dtype).chunk(2, dim=1)
    # In one pass, and into the memory that is there: else it costs a tenth of what the convolutions do.
    return torch.addcmul(shift, x, 1 + scale, out=None if torch.is_grad_enabled() else x)
