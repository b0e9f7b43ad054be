"""What can be seen in one scan by itself: noise, ghosts, lines, spikes, and how a slice follows its neighbours.

Each function takes one slice or one scan and gives finite figures; `napari_micromri.study.quality` names and stores
them. Nothing here decides whether a figure is good or bad.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.measure.quantiles import quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]
    Mask = NDArray[np.bool_]
    Figures = NDArray[np.float64]

GHOST_SMOOTHING = 0.015
"""Of the field of view: the width over which the power of the background is averaged."""

LINE_WINDOW = 11
CLOSE = (1, 2)
"""How far away the slices are that a slice should resemble."""

TINY = 1e-9


def ghost_over_noise(image: Image, background: Mask) -> float:
    """Amplitude of structured signal in the background, in units of the noise.

    With ``P`` the locally averaged power of the background, noise alone gives ``P = 2 sigma^2`` everywhere and a ghost
    of amplitude A adds A^2 where it lies: ``A / sigma = sqrt(2 (P_98 / P_10 - 1))``, the percentiles being taken over
    the background. Noise alone gives about 1. 0 when less than a fiftieth of the slice is background.
    """
    from scipy.ndimage import gaussian_filter

    if background.sum() < max(0.02 * background.size, 16):
        return 0.0
    width = max(GHOST_SMOOTHING * max(image.shape), 1.5)
    weight = gaussian_filter(background.astype(np.float32), width)
    power = gaussian_filter(np.where(background, image, 0) ** 2, width)[background] / weight[background]
    floor = max(quantile(power, 0.1), TINY + 1e-6 * float(image.max()) ** 2)
    return float(np.sqrt(2 * max(quantile(power, 0.98) / floor - 1, 0.0)))


def line_contrast(image: Image) -> float:
    """Largest ``|log|`` of a row's or column's mean over that of the 11 around it, where the animal is.

    0.7 is a line at half the brightness of its surroundings; a line of zeros has about 1.2 to 2.3.
    """
    from scipy.ndimage import median_filter

    largest = 0.0
    for axis in (0, 1):
        profile = image.mean(axis=axis, dtype=np.float64)
        around = median_filter(profile, min(LINE_WINDOW, len(profile)), mode="nearest")
        top = float(around.max())
        inside = around > 0.25 * top
        if top > 0 and inside.any():
            ratio = np.log((profile[inside] + 0.1 * top) / (around[inside] + 0.1 * top))
            largest = max(largest, float(np.abs(ratio).max()))
    return largest


def spike_over_ring(image: Image) -> float:
    """Largest sample of k-space over the median of those as far from the centre; the axes and the centre left out.

    Pure noise gives about 4; one wrong sample gives tens, and stripes over the whole image.
    """
    if min(image.shape) < 8:
        return 0.0
    amplitude = np.abs(np.fft.rfft2(image - image.mean())).ravel()  # the other half holds the same once more
    least = TINY * float(amplitude.max()) + TINY
    rings = [amplitude[ring] for ring in _rings(image.shape)]
    return max(float(values.max()) / (quantile(values, 0.5) + least) for values in rings)


@lru_cache(maxsize=8)
def _rings(shape: tuple[int, int]) -> list[NDArray[np.intp]]:
    """Sort the samples of k-space that `spike_over_ring` looks at by their distance from the centre, in 20 rings."""
    rows, columns = np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])
    radius = np.hypot(rows[:, None], columns[None, :])
    outer = (radius > 0.04) & (radius <= 0.5)
    outer[np.abs(rows) < 1.5 / shape[0], :] = False
    outer[:, columns < 1.5 / shape[1]] = False
    ring = np.where(outer, np.round(radius * 40), 0).ravel()
    return [np.flatnonzero(ring == k) for k in np.unique(ring[ring > 0])]


def bright_level(image: Image) -> float:
    """Signal energy: the 99th percentile after smoothing by 2 pixels."""
    from scipy.ndimage import gaussian_filter

    return quantile(gaussian_filter(image, 2.0).ravel(), 0.99)


def backgrounds(lr: Mask, hr: Mask) -> Mask:
    """Find what is surely beside the animal in each slice, from the masks of both scans on one grid.

    A pixel is the animal's where at least half of both scans' nearby slices show it, or both scans do in this slice and
    any of the adjacent ones; so a ghost in one slice isn't. The rest, 3 % of the field of view further out, is
    background.
    """
    from scipy.ndimage import binary_dilation, generate_binary_structure

    count, width = len(lr), max(round(0.03 * max(lr.shape[1:])), 1)
    result = np.empty_like(lr)
    for k in range(count):
        near = [j for j in range(k - 2, k + 3) if 0 <= j < count]
        share = np.mean([m[j] for m in (lr, hr) for j in near], axis=0)
        adjacent = [m[j] for m in (lr, hr) for j in (k - 1, k + 1) if 0 <= j < count]
        both = lr[k] & hr[k] & (np.any(adjacent, axis=0) if adjacent else True)
        animal = (share >= 0.5) | both
        result[k] = ~binary_dilation(animal, generate_binary_structure(2, 2), iterations=width)
    return result


def continuity(features: Figures) -> Figures:
    """Correlation of each slice with the most similar one of the nearby ones of its own scan.

    Parameters
    ----------
    features
        (slices, pixels), each row with mean 0 and norm 1, or all zeros.
    """
    count = len(features)
    similar = features @ features.T
    result = np.zeros(count)
    for k in range(count):
        near = [similar[k, j] for d in CLOSE for j in (k - d, k + d) if 0 <= j < count]
        result[k] = max(near, default=0.0)
    return result


def to_grid(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """Bring masks (slices, rows, columns) to another grid of the same extent, by the nearest pixel."""
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(shape, mask.shape[1:], strict=True))
    picked: NDArray[Any] = mask[:, rows[:, None], columns[None, :]]
    return picked
