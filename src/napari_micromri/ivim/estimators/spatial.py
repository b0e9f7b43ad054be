"""The posterior of `bayes` with a prior that also comes from the neighbours.

In every voxel the prior is, but for a small part, the mean posterior of the voxels around it in its slice, which is
computed again from the new posteriors, for some rounds. Unlike smoothing, this assumes nothing of the voxel itself:
where an organ ends the neighbours offer both tissues, and the voxel's own signal chooses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_micromri.errors import CancelledError, InputError
from napari_micromri.ivim.estimators.bayes import Bayes, TableStore, estimates
from napari_micromri.ivim.estimators.voxelwise import joined

if TYPE_CHECKING:
    from torch import Tensor

    from napari_micromri.ivim.model import Estimates, Voxels
    from napari_micromri.progress import Progress, ShouldStop

ROUNDS = 12
REACH, WIDTH = 2, 1.5
"""Voxels to each side that count as neighbours, and the standard deviation of their Gaussian weights."""

GLOBAL = 0.02
"""Part of the prior that stays the scan's, so that a voxel unlike its neighbours can be what it is."""

USED = 1e-3
"""Atoms that no voxel of a slice believes in with at least this probability are left out there."""


@dataclass(frozen=True)
class Spatial(Bayes):
    """The method `spatial`."""

    name: str = "spatial"

    def posterior(self, voxels: Voxels, progress: Progress, should_stop: ShouldStop) -> tuple[Voxels, Estimates]:
        """Treat slice after slice."""
        if len(voxels.grid) < 2 or min(voxels.grid[-2:]) < 2:
            raise InputError(
                f"'spatial' needs slices, and the signals have the grid {voxels.grid}. Use 'bayes' for single voxels."
            )
        store = TableStore(self, voxels)
        pixels = int(np.prod(voxels.grid[-2:]))
        numbers = voxels.where // pixels
        parts = []
        for number in np.unique(numbers):
            one = voxels.chosen(numbers == number)
            parts.append(self._slice(one, store, should_stop))
            progress(int((numbers <= number).sum()), len(voxels))
        return voxels, joined(parts) if parts else estimates(torch.empty(0, 4), torch.empty(0, 4))

    def _slice(self, voxels: Voxels, store: TableStore, should_stop: ShouldStop) -> Estimates:
        used, likelihood = self._likelihood(voxels, store)
        height, width = voxels.grid[-2:]
        place = torch.as_tensor(voxels.where % (height * width), device=likelihood.device)
        prior = store.log_weights.exp()[used]
        share = likelihood * prior
        share /= share.sum(1, keepdim=True)
        inside = torch.zeros(height * width, 1, device=likelihood.device)
        inside[place] = 1
        weight = _around(inside, height, width)[place]
        for _ in range(ROUNDS):
            if should_stop():
                raise CancelledError("The fit was stopped.")
            image = torch.zeros(height * width, len(used), device=likelihood.device)
            image[place] = share
            around = _around(image, height, width)[place]
            # A voxel without neighbours has the scan's prior alone.
            local = torch.where(weight > 0, around / weight.clamp_min(1e-6), prior)
            share = likelihood * ((1 - GLOBAL) * local + GLOBAL * prior)
            share /= share.sum(1, keepdim=True)
        mean, sd = torch.empty(2, len(voxels), 4)
        for which, table, phi in store.levels(voxels):
            chosen = torch.as_tensor(which, device=share.device)
            found = table.posterior(phi, share[chosen], used)
            mean[which], sd[which] = found.mean.cpu(), found.sd.cpu()
        return estimates(mean, sd)

    def _likelihood(self, voxels: Voxels, store: TableStore) -> tuple[Tensor, Tensor]:
        """Give the atoms that any voxel may need, and each voxel's likelihood (N, K used) of them, at most 1."""
        levels = [(torch.as_tensor(which), table.scores(phi)) for which, table, phi in store.levels(voxels)]
        peak = torch.stack([torch.softmax(scores + store.log_weights, 1).amax(0) for _, scores in levels]).amax(0)
        used = torch.nonzero(peak > USED)[:, 0]
        likelihood = torch.empty(len(voxels), len(used), device=store.device)
        for which, scores in levels:
            chosen = scores[:, used]
            likelihood[which.to(store.device)] = torch.exp(chosen - chosen.amax(1, keepdim=True))
        return used, likelihood


def _around(image: Tensor, height: int, width: int) -> Tensor:
    """Gaussian sum over the neighbours, without the voxel itself, of an image (height * width, K)."""
    total = _sum_along(_sum_along(image.view(height, width, -1), 0), 1)
    return total.reshape(height * width, -1) - image


def _sum_along(image: Tensor, axis: int) -> Tensor:
    total, length = image.clone(), image.shape[axis]
    for offset in range(1, min(REACH, length - 1) + 1):
        weight = float(np.exp(-(offset**2) / (2 * WIDTH**2)))
        kept = length - offset
        total.narrow(axis, offset, kept).add_(image.narrow(axis, 0, kept), alpha=weight)
        total.narrow(axis, 0, kept).add_(image.narrow(axis, offset, kept), alpha=weight)
    return total
