"""A dictionary of curves whose atoms are small Gaussian cells of parameters, and the posterior of signals under it.

Atom k stands for parameters theta ~ N(theta_k, C_k) around a point of a grid, with the standard deviations C_k of half
the grid's steps, so that the cells together make a smooth prior. Within a cell the model is taken to be linear, so a
signal of atom k is Gaussian, and its posterior within the cell is Gaussian, too: a mixture of linear estimators. So a
coarse grid is exact at any noise, where a dictionary of points needs a step well below the posterior's width.

Everything is one product with quadratic features of the signal, a softmax over atoms, and a second product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

NAMES = ("S0", "D", "f", "Dp")

D_RANGE, F_RANGE, DP_RANGE = (5e-5, 5e-3), (0.0, 0.9), (0.005, 0.2)
POINTS = (12, 10, 8)
"""Of the grid along D and f (even steps) and D* (even ratios)."""

CELL = 0.5
"""Standard deviation of a cell as a part of the grid's step."""

S0_FREEDOM = 10.0
"""Standard deviation of the prior on S0 around the measured one, in multiples of the noise: as good as flat."""

LEFT_OUT = 0.05
"""Largest root mean square over the atoms, in units of the noise, of what the reduced signals leave out."""


@dataclass(frozen=True)
class Atoms:
    """The grid: parameters ``theta`` and cells' standard deviations ``width``, both (K, 4) in the order of `NAMES`."""

    theta: Tensor
    width: Tensor

    @classmethod
    def on_grid(cls, points: tuple[int, int, int] = POINTS, device: torch.device | None = None) -> Atoms:
        """Lay the atoms out evenly."""
        D, f = (torch.linspace(*r, n, dtype=torch.float64) for r, n in zip((D_RANGE, F_RANGE), points, strict=False))
        low, high = (math.log(value) for value in DP_RANGE)
        Dp = torch.linspace(low, high, points[2], dtype=torch.float64).exp()
        grid = torch.cartesian_prod(D, f, Dp)
        # Where D* isn't above D the two parts would change their names.
        grid = grid[grid[:, 2] > grid[:, 0]]
        width = torch.stack(
            [
                torch.full_like(grid[:, 0], float(D[1] - D[0])),
                torch.full_like(grid[:, 0], float(f[1] - f[0])),
                grid[:, 2] * float((Dp[1] / Dp[0]).log()),
            ],
            1,
        )
        one, zero = torch.ones(len(grid), 1, dtype=torch.float64), torch.zeros(len(grid), 1, dtype=torch.float64)
        return cls(torch.cat([one, grid], 1).to(device), torch.cat([zero, CELL * width], 1).to(device))

    def __len__(self) -> int:
        return len(self.theta)


@dataclass(frozen=True)
class Posterior:
    """Mean and standard deviation (N, 4) of the parameters in the order of `NAMES`."""

    mean: Tensor
    sd: Tensor


class Tables:
    """What turns signals at one noise level into responsibilities of the atoms and posterior moments.

    Parameters
    ----------
    b, counts
        (B,) float64, b-values and the number of images averaged into each.
    tau
        sigma of one image as a part of S0.
    rician
        Atoms are compared as sqrt(s^2 + tau^2), what the mean magnitude of a noisy signal s is.
    """

    def __init__(self, atoms: Atoms, b: Tensor, counts: Tensor, tau: float, *, rician: bool) -> None:
        self.atoms = atoms
        # Signals are parts of the one at the smallest b, which is less than S0 unless that b is 0.
        self._theta = atoms.theta.clone()
        self._theta[:, 0] /= _curves(atoms.theta, b[:1])[0][:, 0]
        curves, slopes = _curves(self._theta, b)
        if rician:
            biased = (curves**2 + tau**2).sqrt()
            slopes = slopes * (curves / biased)[:, :, None]
            curves = biased
        whiten = counts.sqrt() / tau
        width = atoms.width.clone()
        width[:, 0] = S0_FREEDOM * tau * self._theta[:, 0]
        self._reduce(curves * whiten, slopes * whiten[:, None] * width[:, None, :])
        self._whiten = whiten
        self._tabulate(width)

    def _reduce(self, curves: Tensor, slopes: Tensor) -> None:
        """Keep the few directions in signal space in which atoms differ; the rest is the same noise for all."""
        centre = curves.mean(0)
        spread = torch.cat([curves - centre, slopes.transpose(1, 2).reshape(-1, curves.shape[1])])
        values, vectors = torch.linalg.eigh(spread.T @ spread / len(curves))
        left = values.clamp_min(0).cumsum(0).sqrt()
        self._basis, self._centre = vectors[:, left > LEFT_OUT], centre
        self._a = (curves - centre) @ self._basis  # (K, r)
        self._g = torch.einsum("kbp,br->krp", slopes, self._basis)  # (K, r, 4)

    def _tabulate(self, width: Tensor) -> None:
        a, g = self._a, self._g
        k, r, _ = g.shape
        precision = torch.eye(4, dtype=a.dtype, device=a.device) + g.transpose(1, 2) @ g
        cov = torch.linalg.inv(precision)
        gain = cov @ g.transpose(1, 2)  # (K, 4, r): posterior mean within the cell, in widths, per unit of signal
        inner = torch.eye(r, dtype=a.dtype, device=a.device) - g @ gain  # (K, r, r): inverse covariance of the signal
        linear = torch.einsum("krs,ks->kr", inner, a)
        constant = -0.5 * (linear * a).sum(1) - 0.5 * torch.linalg.slogdet(precision)[1]
        rows, columns = torch.triu_indices(r, r)
        twice = torch.where(rows == columns, 1.0, 2.0).to(a)
        self._pairs = (rows, columns)
        quadratic = -0.5 * inner[:, rows, columns] * twice
        self._score = torch.cat([constant[:, None], linear, quadratic], 1).T.float().contiguous()
        beta = width[:, :, None] * gain
        alpha = self._theta - torch.einsum("kpr,kr->kp", beta, a)
        spread = torch.diagonal(cov, dim1=1, dim2=2) * width**2
        # Moments are taken around a middle value, which keeps single precision exact enough.
        self._middle = self._theta.mean(0)
        self._unit = self._theta.std(0).clamp_min(1e-3 * self._middle).clamp_min(1e-6)
        alpha, beta = (alpha - self._middle) / self._unit, beta / self._unit[:, None]
        first = torch.cat([alpha[:, :, None], beta], 2)
        product = beta[:, :, rows] * beta[:, :, columns] * twice
        second = torch.cat([(alpha**2 + spread / self._unit**2)[:, :, None], 2 * alpha[:, :, None] * beta, product], 2)
        self._moments = torch.cat([first, second], 2).reshape(k, -1).float()
        self._within = (spread / self._unit**2).float()
        self._first = first.shape[2]

    @cached_property
    def features(self) -> int:
        """Number of features of a signal."""
        return int(self._score.shape[0])

    def phi(self, signals: Tensor) -> Tensor:
        """Features (N, F) of signals (N, B) that are fractions of S0."""
        y = ((signals.to(self._whiten) * self._whiten - self._centre) @ self._basis).float()
        rows, columns = self._pairs
        return torch.cat([torch.ones_like(y[:, :1]), y, y[:, rows] * y[:, columns]], 1)

    def scores(self, phi: Tensor) -> Tensor:
        """Log-likelihoods (N, K) up to a constant of each signal."""
        return phi @ self._score

    def posterior(self, phi: Tensor, responsibilities: Tensor, used: Tensor | None = None) -> Posterior:
        """Give mean and standard deviation.

        Parameters
        ----------
        phi
            (N, F) features.
        responsibilities
            (N, K), summing to 1, of all atoms or of those with the numbers ``used``.
        """
        table, within = (t if used is None else t[used] for t in (self._moments, self._within))
        moments = (responsibilities @ table).view(len(phi), 4, -1)
        mean = (moments[:, :, : self._first] * phi[:, None, : self._first]).sum(2)
        square = (moments[:, :, self._first :] * phi[:, None, :]).sum(2)
        least = 0.1 * responsibilities @ within  # rounding must not leave less than a cell's own share
        sd = torch.maximum(square - mean**2, least).sqrt()
        return Posterior(mean * self._unit.float() + self._middle.float(), sd * self._unit.float())

    def marginal(self, phi: Tensor, responsibilities: Tensor, name: str, at: Tensor) -> Tensor:
        """Give the posterior density of one parameter at the values ``at``, for one signal's features (1, F).

        It is a mixture of the cells' Gaussians.
        """
        number = NAMES.index(name)
        affine = self._moments.view(len(responsibilities[0]), 4, -1)[:, number, : self._first]
        mean = (affine @ phi[0, : self._first]) * self._unit[number].float() + self._middle[number].float()
        sd = self._within[:, number].sqrt() * self._unit[number].float()
        density = torch.exp(-0.5 * ((at[:, None] - mean) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))
        return density @ responsibilities[0]


def _curves(theta: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Signals (K, B) and their derivatives (K, B, 4)."""
    S0, D, f, Dp = theta.T[:, :, None]
    slow, fast = torch.exp(-b * D), torch.exp(-b * Dp)
    curves = f * fast + (1 - f) * slow
    slopes = torch.stack([curves / S0, -b * (1 - f) * slow, fast - slow, -b * f * fast], 2)
    return S0 * curves, S0[:, :, None] * slopes
