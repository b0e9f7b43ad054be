"""The noise of a diffusion series, which the Bayesian methods need to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.ivim.fit import Flag
from napari_micromri.measure.noise import estimate_noise
from napari_micromri.progress import each, never

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_micromri.ivim.fit import Fit
    from napari_micromri.progress import ShouldStop

SMALLEST_SLICE = 16
"""Pixels along each side that a slice needs for its noise to be measured."""

FEWEST_VOXELS, PARAMETERS_FITTED = 20, 4

CALM = 0.25
"""The quantile of the voxels' scatter that is taken for noise: in others, pulsation and motion come on top of it."""


def image_noise(signals: NDArray[Any], should_stop: ShouldStop = never) -> float | None:
    """Estimate sigma of one image from slices; None when they show none.

    Parameters
    ----------
    signals
        (volumes, *grid). The median over the volumes, which is robust against motion and ghosts in some.
    """
    if signals.ndim < 3 or min(signals.shape[-2:]) < SMALLEST_SLICE:
        return None
    sigmas = [estimate.sigma for estimate in map(estimate_noise, each(signals, should_stop)) if estimate.sigma > 0]
    return float(np.median(sigmas)) if sigmas else None


def residual_noise(fit: Fit, counts: NDArray[Any], b_count: int) -> float:
    """Estimate sigma of one image from what the least-squares curves of many voxels leave over.

    With equal noise everywhere the squared residuals of voxels follow a chi-square distribution.

    Raises
    ------
    InputError
        Too few voxels or b-values for that.
    """
    from scipy.stats import chi2

    residual = (fit.residual * fit.maps["S0"]).ravel().astype(np.float64)
    fitted = np.isfinite(residual)
    freedom = b_count - PARAMETERS_FITTED
    if np.count_nonzero(fitted) < FEWEST_VOXELS or freedom < 1:
        raise InputError(
            f"The noise can't be estimated from {np.count_nonzero(fitted)} voxels and {b_count} b-values. Give its "
            "sigma, for example from 'micromri info'."
        )
    # A parameter that a bound holds takes up no noise, so more is left over.
    flags = fit.flags.ravel()[fitted]
    held = sum((flags & flag > 0).astype(np.int64) for flag in (Flag.D_AT_BOUND, Flag.F_AT_BOUND, Flag.DP_AT_BOUND))
    typical = chi2.ppf(CALM, freedom + held)
    variance = np.quantile(residual[fitted] ** 2 * b_count / typical, CALM)
    return float(np.sqrt(variance * counts.mean()))
