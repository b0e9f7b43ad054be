"""The forward path from a good scan to a fast one, step by step and at once (report, eq. 20, 27 to 37)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_micromri.errors import ModelError
from napari_micromri.nn.families.apddm.schedule import Parabola, accumulated, noise_levels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_micromri.nn.families.apddm.schedule import Schedule

    Draw = Callable[[int], Tensor]
    """``draw(n)`` gives n independent noise images (n, 1, H, W) of mean 0 and variance 1."""


@dataclass(frozen=True)
class AnchoredPath:
    """The path ``x_t = x_0 + alpha_t R + N_t`` with ``alpha_t = t / T`` and ``R = x_T* - x_0``.

    Parameters
    ----------
    steps
        T, the number of steps.
    beta
        Standard deviation of the noise at the end of the path, in the units of the normalised images.
    schedule
        f, one of `napari_micromri.nn.families.apddm.schedule`.

    Raises
    ------
    ModelError
        No steps, a negative or infinite beta, or a schedule that adds no noise although beta isn't 0.
    """

    steps: int
    beta: float
    schedule: Schedule = field(default_factory=Parabola)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ModelError(f"A diffusion path has at least one step, not {self.steps}.")
        if not (math.isfinite(self.beta) and self.beta >= 0):
            raise ModelError(f"The noise at the end of the path (beta) is 0 or more, not {self.beta}.")
        if self.beta > 0 and self.accumulated[-1] == 0:
            raise ModelError(
                f"The noise schedule '{self.schedule.name}' is zero at all of {self.steps} steps, so it can't reach "
                f"beta {self.beta}. Take more steps or another schedule."
            )

    @cached_property
    def levels(self) -> NDArray[np.float64]:
        """``f(t)`` for t = 0 to T."""
        return noise_levels(self.schedule, self.steps)

    @cached_property
    def accumulated(self) -> NDArray[np.float64]:
        """``S_t`` for t = 0 to T."""
        return accumulated(self.schedule, self.steps)

    @property
    def sigma(self) -> float:
        """Noise of one step where f = 1.

        ``Var x_T = beta^2`` needs ``sigma = beta / sqrt(S_T)``. Eq. 32 has beta under the root, a slip.
        """
        return self.beta / math.sqrt(self.accumulated[-1]) if self.beta else 0.0

    @cached_property
    def variance(self) -> NDArray[np.float64]:
        """``V_t = sigma^2 S_t`` for t = 0 to T (eq. 29)."""
        return self.sigma**2 * self.accumulated

    def step(self, before: Tensor, residual: Tensor, t: int, draw: Tensor) -> Tensor:
        """One step of the chain (eq. 31): ``x_t = x_{t-1} + R / T + sigma f(t) e_t``."""
        return before + residual / self.steps + self.sigma * float(self.levels[t]) * draw

    def jump(self, good: Tensor, residual: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Reach time t at once: ``x_t = x_0 + alpha_t R + N_t``.

        Parameters
        ----------
        good, residual, noise
            (N, 1, H, W); ``noise`` is N_t as `accumulate` draws it.
        t
            (N,) integers from 0 to T.
        """
        alpha = (t.to(good.dtype) / self.steps)[:, None, None, None]
        return good + alpha * residual + noise

    def accumulate(self, t: Tensor, draw: Draw, *, exact: bool = True) -> Tensor:
        """Draw ``N_t = sigma sum over tau <= t of f(tau) e_tau`` for a batch of times.

        Parameters
        ----------
        t
            (N,) integers from 0 to T.
        draw
            Source of independent images of mean 0 and variance 1.
        exact
            False takes one draw for the whole sum, scaled to the same variance. That is exact for Gaussian noise.
            Draws from real residuals are not Gaussian: the sum's excess kurtosis is theirs times
            ``sum f^4 / (sum f^2)^2`` (see `kurtosis_left`), the single draw keeps all of it, and with it the
            outlines of the slice that it came from.
        """
        if not exact:
            scale = torch.as_tensor(np.sqrt(self.variance), dtype=torch.float32)[t.cpu()]
            images = draw(len(t))
            return scale.to(images.device)[:, None, None, None] * images
        return torch.cat([self._accumulate_one(int(end), draw) for end in t])

    def _accumulate_one(self, end: int, draw: Draw) -> Tensor:
        """Sum the draws of the steps that add any noise."""
        active = [tau for tau in range(1, end + 1) if self.levels[tau] > 0]
        if not active or self.sigma == 0:
            return torch.zeros_like(draw(1))
        images = draw(len(active))
        weights = torch.as_tensor(self.sigma * self.levels[active], dtype=images.dtype, device=images.device)
        return torch.einsum("n,nchw->chw", weights, images)[None]

    def kurtosis_left(self, t: int) -> float:
        """Share of the draws' excess kurtosis that the exact sum up to time t has left: ``sum f^4 / (sum f^2)^2``."""
        total = float(self.accumulated[t])
        return float((self.levels[: t + 1] ** 4).sum()) / total**2 if total else 0.0


def critical_beta(residual_rms: float, steps: int, schedule: Any = None) -> float:
    """Largest beta for which the path still converges (eq. 37): ``sqrt(S_T) RMS(R) / T``.

    Beyond it the noise of a step (taking f = 1) outweighs its share ``R / T`` of the way to the fast scan.
    """
    total = accumulated(schedule or Parabola(), steps)[-1]
    return float(np.sqrt(total)) * residual_rms / steps
