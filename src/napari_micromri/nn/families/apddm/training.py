"""One training sample of the anchored path diffusion model: a pair becomes a point of the path between its scans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from napari_micromri.nn.families.apddm.path import AnchoredPath
    from napari_micromri.nn.families.apddm.residuals import ResidualBank


@dataclass(frozen=True)
class PathBatch:
    """Points of the path, (N, 1, H, W), their times (N,), and what they lie between."""

    x: Tensor
    t: Tensor
    anchor: Tensor
    good: Tensor


def make_batch(
    good: Tensor,
    anchor: Tensor,
    bank: ResidualBank | None,
    path: AnchoredPath,
    generator: torch.Generator,
    *,
    at_end: float = 0.5,
    noiseless: float = 1.0,
    exact: bool = True,
    apart_from: int = -1,
) -> PathBatch:
    """Place each pair of a batch at a random time of its path.

    Parameters
    ----------
    good, anchor
        Good scans, and fast ones on the same grid, normalised, (N, 1, H, W).
    bank
        Where the noise comes from; None takes Gaussian noise.
    path
        ``beta`` counts in units of the RMS of each pair's own residual.
    generator
        On the CPU; the same state gives the same batch.
    at_end
        Part of the samples that lie at t = T, which is all that inference in one step uses; the others' times are
        uniform from 1 to T. The simplified variant (report, section 6.4) has 1.
    noiseless
        Part of the samples at t = T that get no noise. All by default: there inference starts, and all draws share
        that first step.
    exact
        See `AnchoredPath.accumulate`.
    apart_from
        Number of the slice that the pairs are of, as the bank counts them: its own residuals are then never drawn.
    """
    count = len(good)
    chance = torch.rand(2, count, generator=generator)
    anywhere = torch.randint(1, path.steps + 1, (count,), generator=generator)
    t = torch.where(chance[0] < at_end, torch.full_like(anywhere, path.steps), anywhere)
    quiet = (chance[0] < at_end) & (chance[1] < noiseless)
    shape = good.shape[-2], good.shape[-1]

    def draw(images: int) -> Tensor:
        if bank is None:
            return torch.randn(images, 1, *shape, generator=generator)
        return bank.draw(images, shape, generator, apart_from=apart_from)

    residual = anchor - good
    strength = residual.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    noise = path.accumulate(torch.where(quiet, 0, t), draw, exact=exact).to(good.device) * strength
    return PathBatch(path.jump(good, residual, t.to(good.device), noise), t.to(good.device), anchor, good)
