"""Quality *best*: the mean over the eight flips and quarter turns of a slice, each denoised on its own.

A network that learned from a few anatomies treats left and right a little differently. What it makes of a slice and of
its mirror image differ by part of its error, which their mean has less of ("self-ensemble").
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

TURNS = tuple(product(range(4), (False, True)))
"""Quarter turns, and whether rows are flipped after them: the eight ways to lay a rectangle onto the grid."""


@torch.inference_mode()
def over_turns(run: Callable[[Tensor], Sequence[Tensor]], slices: Tensor) -> list[Tensor]:
    """Average what ``run`` makes of slices (N, 1, h, w) over the eight flips and turns.

    One is computed after the other and only sums are kept, so that memory stays that of one.

    Parameters
    ----------
    run
        Gives denoised slices, and with several draws their standard deviation (ddof = 0) as well. Turned by 90
        degrees, slices come to it as (N, 1, w, h).

    Returns
    -------
    list
        The same, (N, 1, H, W) each; the standard deviation is that over all draws of all turns.
    """
    first, *spreads = run(slices)  # neither turned nor flipped
    change = torch.zeros_like(first)
    square = [one.square() for one in spreads]
    for turns, flipped in TURNS[1:]:
        image, *more = (_undone(one, turns, flipped) for one in run(_done(slices, turns, flipped)))
        # Relative to the first, so that the difference of squares loses no digits.
        image = image - first
        change += image
        square = [total + one.square() + image.square() for total, one in zip(square, more, strict=True)]
    mean = change / len(TURNS)
    return [first + mean, *((one / len(TURNS) - mean.square()).clamp_min(0).sqrt() for one in square)]


def _done(slices: Tensor, turns: int, flipped: bool) -> Tensor:
    turned = torch.rot90(slices, turns, (-2, -1))
    return turned.flip(-2) if flipped else turned


def _undone(images: Tensor, turns: int, flipped: bool) -> Tensor:
    return torch.rot90(images.flip(-2) if flipped else images, -turns, (-2, -1))
