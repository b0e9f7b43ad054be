"""Empirical Bayes: the posterior mean and standard deviation of each voxel under a prior learned from the scan itself.

The prior is a mixture of the cells of a `dictionary`; its weights are those that make the scan's own signals most
likely (expectation maximisation on some thousand voxels of the foreground). The prior on S0 is flat.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_micromri.errors import InputError
from napari_micromri.inference.devices import resolve_device
from napari_micromri.ivim.estimators.dictionary import D_RANGE, DP_RANGE, F_RANGE, NAMES, Atoms, Tables
from napari_micromri.ivim.estimators.lsq import Lsq
from napari_micromri.ivim.estimators.voxelwise import batches, joined
from napari_micromri.ivim.fit import Flag
from napari_micromri.ivim.model import Estimates, FitOptions, Voxels, to_fit, to_voxels
from napari_micromri.ivim.noise import image_noise, residual_noise
from napari_micromri.progress import each, never, no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from napari_micromri.ivim.fit import Fit
    from napari_micromri.progress import Progress, ShouldStop

ROUNDS = 800
SAMPLE = 4000
"""Voxels that the prior is learned from."""

FLOOR = 0.01
"""Part of the prior that stays evenly spread, so that no tissue is impossible for being rare."""

NEGLIGIBLE = 1e-8
"""Weight below which learning drops an atom."""

NOISE_STEP = 0.1
"""Voxels whose noise over S0 differs by less than this part share tables."""

MORE_THAN_AIR = 1.5
"""Times the noise of the images from which on the scatter around the curves is believed instead."""

LESS_THAN_TEXTURE = 0.5
"""Times the noise of the images below which it is, too. Rician statistics alone go down to 0.66, in air."""

TAU_RANGE = (1e-3, 1.0)
BATCH = 2048


@dataclass(frozen=True)
class Prior:
    """What `Bayes.learn` found: log-weights (K,) of the atoms, and the noise of one image."""

    log_weights: Tensor
    sigma: float
    tables: dict[tuple[Any, ...], Tables] = field(default_factory=dict, compare=False, repr=False)
    """By noise level and b-values: slices of one scan share them."""


@dataclass(frozen=True)
class Bayes:
    """The method `bayes`."""

    options: FitOptions
    name: str = "bayes"
    prior: Prior | None = None

    def learn(
        self,
        signals: NDArray[Any],
        b_values: Sequence[float],
        mask: ArrayLike | None = None,
        *,
        progress: Progress = no_progress,
        should_stop: ShouldStop = never,
    ) -> Bayes:
        """Estimate the noise and learn the prior; see `Model.learn`."""
        voxels, _ = to_voxels(signals, b_values, mask, self.options.average)
        sigma = self.options.sigma or self._noise(np.asarray(signals), voxels, should_stop)
        if len(voxels) and sigma >= voxels.s0.max():
            raise InputError(
                f"The noise, {sigma:.4g}, is as large as the brightest signal, {voxels.s0.max():.4g}. "
                "Give its sigma in the units of the scan."
            )
        return replace(self, prior=Prior(self._learn_prior(voxels, sigma, should_stop), sigma))

    def fit(
        self,
        signals: NDArray[Any],
        b_values: Sequence[float],
        mask: ArrayLike | None = None,
        *,
        progress: Progress = no_progress,
        should_stop: ShouldStop = never,
    ) -> Fit:
        """See `Model.fit`; without `learn` before, it learns from these signals."""
        if self.prior is None:
            model = self.learn(signals, b_values, mask, should_stop=should_stop)
            return model.fit(signals, b_values, mask, progress=progress, should_stop=should_stop)
        voxels, flags = to_voxels(signals, b_values, mask, self.options.average)
        voxels, found = self.posterior(voxels, progress, should_stop)
        return to_fit(self.name, voxels, found, flags, sigma=self.prior.sigma)

    def posterior(self, voxels: Voxels, progress: Progress, should_stop: ShouldStop) -> tuple[Voxels, Estimates]:
        """Give the estimates, and the voxels in their order."""
        store = TableStore(self, voxels)
        # Voxels with the same noise share tables, so they come together.
        voxels = voxels.chosen(np.argsort(store.level, kind="stable"))
        found = []
        for part in batches(voxels, progress, should_stop, BATCH):
            mean, sd = torch.empty(2, len(part), 4)
            for which, table, phi in store.levels(part):
                moments = table.posterior(phi, torch.softmax(table.scores(phi) + store.log_weights, 1))
                mean[which], sd[which] = moments.mean.cpu(), moments.sd.cpu()
            found.append(estimates(mean, sd))
        return voxels, joined(found)

    def marginals(
        self, signals: NDArray[Any], b_values: Sequence[float], points: int = 200
    ) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Give the posterior densities of one voxel, for a plot: D, f, Dp -> values and density there.

        Of `spatial` it is that without neighbours, too.

        Parameters
        ----------
        signals
            (volumes,) of the voxel.

        Raises
        ------
        InputError
            Nothing was learned yet, or the voxel can't be fitted.
        """
        if self.prior is None:
            raise InputError("The prior was not learned yet: call 'learn' with some slices first.")
        voxels, _ = to_voxels(np.asarray(signals)[:, None], b_values, None, self.options.average)
        if not len(voxels):
            raise InputError("The voxel can't be fitted: a signal is missing, or the first one isn't positive.")
        store = TableStore(self, voxels)
        [(_, table, phi)] = store.levels(voxels)
        share = torch.softmax(table.scores(phi) + store.log_weights, 1)
        found = {}
        for name, (low, high) in {"D": D_RANGE, "f": F_RANGE, "Dp": DP_RANGE}.items():
            at = torch.linspace(0 if name != "Dp" else low, high, points, device=phi.device)
            density = table.marginal(phi, share, name, at)
            found[name] = (at.cpu().double().numpy(), density.cpu().double().numpy())
        return found

    def _noise(self, signals: NDArray[Any], voxels: Voxels, should_stop: ShouldStop) -> float:
        """Take the noise of the images, unless the curves show that signals scatter far more, or far less.

        Air that a scanner has masked or filtered says little of that; nor does it know of pulsation and motion. With a
        sigma far too small the posterior would be sure of values that no dictionary holds. Fine texture of tissue
        looks like noise in an image, but not along a curve.
        """
        seen = image_noise(signals, should_stop)
        if seen is None:
            return self._residual_noise(voxels, should_stop)
        try:
            left = self._residual_noise(voxels, should_stop)
        except InputError:
            return seen
        return seen if LESS_THAN_TEXTURE * seen <= left <= MORE_THAN_AIR * seen else left

    def _residual_noise(self, voxels: Voxels, should_stop: ShouldStop) -> float:
        part = _sample(voxels)
        fit = Lsq(self.options).fit(
            (part.signals * part.s0[:, None]).T, part.b_values.tolist(), should_stop=should_stop
        )
        return residual_noise(fit, voxels.counts, len(voxels.b_values))

    def _learn_prior(self, voxels: Voxels, sigma: float, should_stop: ShouldStop) -> Tensor:
        """Maximise the likelihood of some voxels by expectation maximisation."""
        part = _sample(voxels)
        tables = TableStore(replace(self, prior=Prior(torch.zeros(0), sigma)), part)
        scores = torch.cat([table.scores(phi) for _, table, phi in each(tables.levels(part), should_stop)])
        likelihood = torch.exp(scores - scores.amax(1, keepdim=True))
        count = likelihood.shape[1]
        weights, kept = torch.full((count,), 1 / count), torch.arange(count)
        weights, kept = weights.to(likelihood), kept.to(likelihood.device)
        for number in each(range(ROUNDS), should_stop):
            # w <- mean over the voxels of w L / (L w), as two products with the matrix L
            weights = weights * (likelihood.T @ (1 / (likelihood @ weights))) / len(likelihood)
            if number % 20 == 19:  # what has died out doesn't come back
                alive = weights > NEGLIGIBLE
                weights, kept, likelihood = weights[alive], kept[alive], likelihood[:, alive].contiguous()
        prior = torch.full((count,), FLOOR / count).to(weights)
        prior[kept] += (1 - FLOOR) * weights / weights.sum()
        return prior.log()


class TableStore:
    """The tables for the noise levels of a scan's voxels, made when they are needed."""

    def __init__(self, model: Bayes, voxels: Voxels) -> None:
        assert model.prior is not None  # noqa: S101
        self.model, self.prior = model, model.prior
        self.device = resolve_device(model.options.device)
        self.atoms = Atoms.on_grid(device=self.device)
        self.log_weights = self.prior.log_weights.to(self.device)
        self.level = self._level(voxels)
        self._key = (*voxels.b_values.tolist(), *voxels.counts.tolist(), model.options.noise)

    def _level(self, voxels: Voxels) -> NDArray[np.int64]:
        tau = np.clip(self.prior.sigma / voxels.s0, *TAU_RANGE)
        level: NDArray[np.int64] = np.round(np.log(tau) / NOISE_STEP).astype(np.int64)
        return level

    def levels(self, voxels: Voxels) -> Iterator[tuple[NDArray[np.bool_], Tables, Tensor]]:
        """Give for each noise level among the voxels: which these are, tables, and features of their signals."""
        level = self._level(voxels)
        for number in np.unique(level):
            which = level == number
            table = self.prior.tables.get((int(number), *self._key)) or self._make(int(number), voxels)
            yield which, table, table.phi(torch.as_tensor(voxels.signals[which], device=self.device))

    def _make(self, number: int, voxels: Voxels) -> Tables:
        b = torch.as_tensor(voxels.b_values, dtype=torch.float64, device=self.device)
        counts = torch.as_tensor(voxels.counts, dtype=torch.float64, device=self.device)
        tau, rician = float(np.exp(number * NOISE_STEP)), self.model.options.noise == "rician"
        made = self.prior.tables[number, *self._key] = Tables(self.atoms, b, counts, tau, rician=rician)
        return made


def estimates(mean: Tensor, sd: Tensor) -> Estimates:
    """Name posterior means and standard deviations (N, 4), with means kept where parameters can be."""
    # A cell at the grid's edge reaches a little beyond it; what had to be brought back is flagged. Where that is S0,
    # there is no signal that could determine the others.
    within = mean.clamp(mean.new_zeros(4), mean.new_tensor([np.inf, np.inf, 1.0, np.inf]))
    moved = within != mean
    flags = sum(
        torch.where(moved[:, k] | moved[:, 0], int(flag), 0)
        for k, flag in enumerate((Flag.D_AT_BOUND, Flag.F_AT_BOUND, Flag.DP_AT_BOUND), start=1)
    )
    values, spread = (dict(zip(NAMES, moment.T.numpy(), strict=True)) for moment in (within, sd))
    return Estimates(values, spread, torch.as_tensor(flags).numpy().astype(np.uint8))


def _sample(voxels: Voxels) -> Voxels:
    """Choose some voxels, evenly spread over the grid, of the brighter ones: background has nothing to teach."""
    bright = np.flatnonzero(voxels.s0 > 0.2 * np.quantile(voxels.s0, 0.98)) if len(voxels) else np.arange(0)
    return voxels.chosen(bright[np.linspace(0, len(bright) - 1, min(SAMPLE, len(bright))).astype(int)])
