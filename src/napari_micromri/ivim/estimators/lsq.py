"""Bounded least squares of the biexponential model on all voxels at once: Levenberg-Marquardt with S0 projected out.

S0 enters linearly, so its best value is known in closed form for any (D, f, D*); the iteration runs on those three,
with the Jacobian of the projected residual after Kaufman (1975). Repeats weigh by their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_micromri.inference.devices import resolve_device
from napari_micromri.ivim.estimators.voxelwise import Voxelwise
from napari_micromri.ivim.fit import Flag
from napari_micromri.ivim.model import Estimates

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_micromri.ivim.model import FitOptions, Voxels

MOST_STEPS = 100
TOLERANCE = 1e-4
"""A voxel is done when no parameter moves by more than this part of its bounds' range."""

AT_BOUND = 1e-3
"""A parameter this close to a bound, as a part of the range, counts as on it."""

FIRST = (0.2, 0.25, 0.1)
"""Where D, f, D* begin, as parts of their ranges: 1e-3 mm^2/s, 25 %, 0.025 mm^2/s in the default bounds."""

BOUND_FLAGS = (Flag.D_AT_BOUND, Flag.F_AT_BOUND, Flag.DP_AT_BOUND)


class Lsq(Voxelwise):
    """The method `lsq`."""

    name = "lsq"

    def estimate(self, voxels: Voxels) -> Estimates:
        """See `Voxelwise`."""
        return estimate(voxels, self.options)


def estimate(voxels: Voxels, options: FitOptions, fixed_d: NDArray[Any] | None = None) -> Estimates:
    """Fit voxels; with ``fixed_d`` (N,) D stays at that value and only f, D* and S0 are found."""
    device = resolve_device(options.device)
    # Double precision where the device has it: near noise-free signals leave differences of 1e-6 to see.
    dtype = torch.float32 if device.type == "mps" else torch.float64
    problem = _Problem(voxels, options, device, dtype)
    start = torch.tensor(FIRST, device=device, dtype=dtype).expand(len(voxels), 3).clone()
    if fixed_d is not None:
        problem.free = torch.tensor([False, True, True], device=device)
        start[:, 0] = (torch.as_tensor(fixed_d, device=device, dtype=dtype) - problem.low[0]) / problem.range[0]
    unit, s0, converged = problem.solve(start)
    flags = torch.zeros(len(voxels), dtype=torch.uint8, device=device)
    for k, flag in enumerate(BOUND_FLAGS):
        flags |= ((unit[:, k] < AT_BOUND) | (unit[:, k] > 1 - AT_BOUND)).to(torch.uint8) * int(flag)
    flags |= (~converged).to(torch.uint8) * int(Flag.NOT_CONVERGED)
    theta = (problem.low + unit * problem.range).cpu().numpy()
    values = {"D": theta[:, 0], "f": theta[:, 1], "Dp": theta[:, 2], "S0": s0.cpu().numpy()}
    return Estimates(values, flags=flags.cpu().numpy())


class _Problem:
    """The residuals of a batch of voxels over parameters that run from 0 to 1 within their bounds."""

    def __init__(self, voxels: Voxels, options: FitOptions, device: torch.device, dtype: torch.dtype) -> None:
        def tensor(values: Any) -> Tensor:
            return torch.as_tensor(np.asarray(values), device=device, dtype=dtype)

        self.weight = tensor(np.sqrt(voxels.counts))
        self.y = tensor(voxels.signals) * self.weight
        self.b = tensor(voxels.b_values)
        self.low, self.range = tensor(options.bounds.lower), tensor(options.bounds.upper - options.bounds.lower)
        self.free = torch.ones(3, dtype=torch.bool, device=device)

    def model(self, unit: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Weighted signals (N, B) for S0 = 1 and their derivatives."""
        D, f, Dp = (self.low + unit * self.range).T[:, :, None]
        slow, fast = torch.exp(-self.b * D) * self.weight, torch.exp(-self.b * Dp) * self.weight
        tissue, blood = (1 - f) * slow, f * fast
        slopes = [tissue * (-self.b * self.range[0]), (fast - slow) * self.range[1], blood * (-self.b * self.range[2])]
        return tissue + blood, slopes

    def residual(self, unit: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Residual (N, B), its square sum, S0 and the projected Jacobian's columns."""
        m, slopes = self.model(unit)
        square = (m * m).sum(1, keepdim=True)
        s0 = (y * m).sum(1, keepdim=True) / square
        r = y - s0 * m
        columns = [s0 * (d - m * ((d * m).sum(1, keepdim=True) / square)) for d in slopes]
        return r, (r * r).sum(1), s0[:, 0], columns

    def solve(self, unit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Iterate until every voxel is still; give parameters (N, 3) in 0..1, S0 and who has converged."""
        result, converged = unit.clone(), torch.zeros(len(unit), dtype=torch.bool, device=unit.device)
        active, y = torch.arange(len(unit), device=unit.device), self.y
        damping = torch.full((len(unit),), 1e-2, device=unit.device, dtype=unit.dtype)
        r, cost, _, columns = self.residual(unit, y)
        for _ in range(MOST_STEPS):
            if not len(active):
                break
            step = self._step(unit, r, columns, damping)
            trial = (unit + step).clamp(0, 1)
            new = self.residual(trial, y)
            better = new[1] <= cost
            moved = (trial - unit).abs().amax(1)
            pick = better[:, None]
            unit, cost = torch.where(pick, trial, unit), torch.where(better, new[1], cost)
            r = torch.where(pick, new[0], r)
            columns = [torch.where(pick, n, o) for n, o in zip(new[3], columns, strict=True)]
            damping = torch.where(better, damping * 0.2, damping * 5).clamp(1e-9, 1e9)
            result[active] = unit
            done = moved < TOLERANCE
            converged[active[done]] = True
            if done.any():
                stay = ~done
                active, y, unit, r, cost, damping = (t[stay] for t in (active, y, unit, r, cost, damping))
                columns = [c[stay] for c in columns]
        return result, self.residual(result, self.y)[2], converged

    def _step(self, unit: Tensor, r: Tensor, columns: list[Tensor], damping: Tensor) -> Tensor:
        """Damped Gauss-Newton step; parameters on a bound that the gradient pushes outwards stay."""
        gradient = torch.stack([(c * r).sum(1) for c in columns], 1)  # of the descent
        held = ((unit <= 0) & (gradient < 0)) | ((unit >= 1) & (gradient > 0)) | ~self.free
        gradient = gradient.masked_fill(held, 0)
        a = [
            [(columns[i] * columns[j]).sum(1).masked_fill(held[:, i] | held[:, j], 0) for j in range(3)]
            for i in range(3)
        ]
        for i in range(3):
            a[i][i] = torch.where(held[:, i], 1.0, a[i][i] * (1 + damping) + 1e-12)
        return _solve_3x3(a, gradient)


def _solve_3x3(a: list[list[Tensor]], g: Tensor) -> Tensor:
    """Solve symmetric 3 x 3 systems by cofactors: far quicker on many than a general solver."""
    c00 = a[1][1] * a[2][2] - a[1][2] * a[1][2]
    c01 = a[0][2] * a[1][2] - a[0][1] * a[2][2]
    c02 = a[0][1] * a[1][2] - a[0][2] * a[1][1]
    c11 = a[0][0] * a[2][2] - a[0][2] * a[0][2]
    c12 = a[0][1] * a[0][2] - a[0][0] * a[1][2]
    c22 = a[0][0] * a[1][1] - a[0][1] * a[0][1]
    determinant = a[0][0] * c00 + a[0][1] * c01 + a[0][2] * c02
    rows = ((c00, c01, c02), (c01, c11, c12), (c02, c12, c22))
    return torch.stack([sum(c * g[:, k] for k, c in enumerate(row)) for row in rows], 1) / determinant[:, None]  # type: ignore[misc]
