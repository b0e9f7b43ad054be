"""How well the LR and the HR slices of a pair belong together: correlation, residual, offset, and whose slice fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Volume = NDArray[np.float32]
    Figures = NDArray[np.float64]

FEATURE_SIZE = 72
"""Rows and columns, at most, of the small images on which slices are compared with one another."""

REACH = 6
"""How many slices away a better partner is looked for."""

TINY = 1e-9
LEAST = 1e-4
"""Least part of the variance that counts as unexplained, so that ratios of near nothing don't shout."""


@dataclass(frozen=True)
class Match:
    """A better partner for each slice of one scan: its index, and the log ratio of what each leaves unexplained."""

    index: NDArray[np.int64]
    gain: Figures


def common_grid(lr: Volume, hr: Volume) -> tuple[Volume, Volume]:
    """Bring both scans to the coarser matrix of the two along each axis, by cutting k-space."""
    shape = (min(lr.shape[1], hr.shape[1]), min(lr.shape[2], hr.shape[2]))
    return reduce(lr, shape), reduce(hr, shape)


def reduce(volume: Volume, shape: tuple[int, int]) -> Volume:
    """Bring slices to a coarser matrix of the same extent."""
    from napari_micromri.simulation.acquisition import truncate_k_space

    if volume.shape[1:] == shape:
        return volume
    return np.stack([np.abs(truncate_k_space(image, shape)) for image in volume]).astype(np.float32)


def features(volume: Volume) -> Figures:
    """Slices made small, without their coarse shading, with mean 0 and norm 1: (slices, pixels)."""
    from scipy.ndimage import gaussian_filter

    rows, columns = (min(n, FEATURE_SIZE) for n in volume.shape[1:])
    small = reduce(volume, (rows, columns)).astype(np.float64)
    detail = np.stack([image - gaussian_filter(image, max(rows, columns) / 14) for image in small])
    flat = detail.reshape(len(detail), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    least = TINY * max(float(np.abs(small).max()), TINY)
    unit: Figures = np.divide(flat, norm, out=np.zeros_like(flat), where=norm > least)
    return unit


def correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Pearson correlation; 0 when one of them is constant."""
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(np.clip(x @ y / norm, -1, 1)) if norm > 0 else 0.0


def residual(a: NDArray[Any], b: NDArray[Any]) -> float:
    """RMS of what is left of ``a`` after the best ``gain * b + offset``, in the units of ``a``."""
    unexplained = 1 - correlation(a, b) ** 2
    return float(np.std(a, dtype=np.float64) * np.sqrt(max(unexplained, 0.0)))


def offset(fixed: NDArray[Any], moved: NDArray[Any]) -> tuple[float, float]:
    """(rows, columns) by which ``moved`` has to be shifted to lie best on ``fixed``, to a tenth of a pixel."""
    from skimage.registration import phase_cross_correlation

    if np.ptp(fixed) == 0 or np.ptp(moved) == 0 or min(fixed.shape) < 4:
        return 0.0, 0.0
    a, b = (image - image.mean() for image in (fixed.astype(np.float64), moved.astype(np.float64)))
    by, _, _ = phase_cross_correlation(a / a.std(), b / b.std(), upsample_factor=10, normalization=None)
    return float(by[0]), float(by[1])


def best_partners(own: Figures, other: Figures) -> Match:
    """Look for the slice of the other scan that fits each slice best, besides the one at the same place.

    ``gain`` is ``log((1 - r_own) / (1 - r_best))``: above 0 the other one fits better.

    Parameters
    ----------
    own, other
        `features` of both scans.
    """
    similar = own @ other.T
    count = len(similar)
    unexplained = np.maximum(1 - similar, LEAST)
    place = np.arange(count)
    distance = np.abs(place[:, None] - place[None, :])
    candidates = np.where((distance >= 1) & (distance <= REACH), unexplained, np.inf)
    best = candidates.argmin(axis=1) if count > 1 else place
    chosen = unexplained[place, best] if count > 1 else unexplained[place, place]
    return Match(best, np.log(unexplained[place, place] / chosen))
