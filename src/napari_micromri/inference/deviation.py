"""How far each pixel of a denoised slice lies from what was measured, in units of the noise.

The denoised slice is degraded again as the acquisition would have: its k-space is truncated, and the Rician noise is
replaced by its expectation. `napari_micromri.inference.trust` judges slices and scans by that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.measure.noise import RAYLEIGH_MEAN, estimate_noise
from napari_micromri.simulation.acquisition import truncate_k_space

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 5
"""Side, in fast pixels, of the square over which the map averages: noise alone then scatters by 0.28 around 1."""

REACH = 8
"""Fast pixels around a mask that don't count: the network takes the rings of its edge for signal."""


def trust_map(measured: NDArray[np.float32], denoised: NDArray[np.float32]) -> NDArray[np.float32]:
    """Local mean square in units of the noise's variance, on the fast scan's grid, (h, w); 1 is what noise gives."""
    sigma = estimate_noise(measured).sigma
    if not sigma > 0:
        return np.full(measured.shape, np.nan, np.float32)
    return local_mean(squared_deviation(measured, denoised, sigma)).astype(np.float32)


def local_mean(square: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over squares of `BLOCK` pixels; what doesn't count is 0."""
    from scipy.ndimage import uniform_filter

    return np.asarray(uniform_filter(np.nan_to_num(square), BLOCK))


def squared_deviation(
    measured: NDArray[np.float32], denoised: NDArray[np.float32], sigma: float
) -> NDArray[np.float64]:
    """Square of measured minus expected over its variance, (h, w); NaN where nothing was measured or a mask is near.

    Parameters
    ----------
    measured, denoised
        (h, w) and (H, W) over the same field of view.
    sigma
        Noise in each channel of the measured complex signal.
    """
    holes = ~np.isfinite(measured)
    outside = near_mask(holes | (measured == 0))
    clean = np.nan_to_num(denoised, nan=0.0, posinf=0.0, neginf=0.0)
    amplitude = np.abs(truncate_k_space(clean, (measured.shape[0], measured.shape[1])))
    mean, spread = rician_moments(amplitude / sigma)
    square = ((np.where(holes, 0, measured) / sigma - mean) / spread) ** 2
    return np.asarray(np.where(holes | outside, np.nan, square))


def near_mask(empty: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark a mask or a border without values, wider than `REACH` pixels, and so many pixels around it."""
    from scipy.ndimage import binary_dilation, binary_opening

    mask = binary_opening(np.pad(empty, REACH, constant_values=True), np.ones((REACH + 1, REACH + 1), dtype=bool))
    near = binary_dilation(mask[REACH:-REACH, REACH:-REACH], np.ones((3, 3), dtype=bool), iterations=REACH)
    return np.asarray(near)


def rician_moments(amplitude: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of a magnitude, all in units of sigma (Koay and Basser 2006)."""
    from scipy.special import ive

    a = np.asarray(amplitude, np.float64)
    x = a**2 / 4
    mean = RAYLEIGH_MEAN * ((1 + 2 * x) * ive(0, x) + 2 * x * ive(1, x))
    return mean, np.sqrt(np.maximum(2 + a**2 - mean**2, 1e-6))
