"""One exponential: the apparent diffusion coefficient, by weighted least squares on the logarithms of the signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.ivim.estimators.voxelwise import Voxelwise
from napari_micromri.ivim.model import Estimates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_micromri.ivim.model import Voxels


class Adc(Voxelwise):
    """The method `adc`: D and S0 only."""

    name = "adc"
    perfusion = False

    def estimate(self, voxels: Voxels) -> Estimates:
        """See `Voxelwise`."""
        D, s0 = log_linear(voxels, self.options.adc_from)
        return Estimates({"D": D, "S0": s0})


def log_linear(voxels: Voxels, from_b: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit ``log S = log S0 - b D`` at b-values from ``from_b`` on, weighted by the squared signal.

    The noise of log S is that of S divided by S, hence the weights.

    Returns
    -------
    tuple
        D in mm^2/s and the signal at b = 0, NaN where a signal that is needed isn't positive.

    Raises
    ------
    InputError
        Fewer than two b-values are left.
    """
    high: NDArray[np.bool_] = np.asarray(voxels.b_values >= from_b)
    if high.sum() < 2:
        raise InputError(
            f"At least two b-values from {from_b:g} s/mm² on are needed for D, and the scan has {high.sum()}. "
            "Choose a lower limit."
        )
    b, signals = voxels.b_values[high], voxels.signals[:, high].astype(np.float64)
    usable: NDArray[np.bool_] = np.all(signals > 0, axis=1)
    logs = np.log(np.where(usable[:, None], signals, 1))
    weight = voxels.counts[high] * np.where(usable[:, None], signals, 1) ** 2
    total = weight.sum(axis=1)
    mean_b, mean_log = (weight * b).sum(axis=1) / total, (weight * logs).sum(axis=1) / total
    spread = b - mean_b[:, None]
    slope = (weight * spread * (logs - mean_log[:, None])).sum(axis=1) / (weight * spread**2).sum(axis=1)
    intercept = np.exp(mean_log - slope * mean_b)
    return np.where(usable, -slope, np.nan), np.where(usable, intercept, np.nan)
