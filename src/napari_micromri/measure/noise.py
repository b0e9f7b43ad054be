"""Noise of a magnitude image: sigma of the Gaussian noise in each channel of the complex signal.

Two ways are combined on each slice. Where there is a background of pure noise, it is Rayleigh distributed, and its mean
tells sigma; its darkest fifth counts, since ghosts and ringing only ever add to it. Everywhere the noise is what second
differences along both axes leave over, with its spread corrected for Rician statistics at low signal after Koay and
Basser (2006); filtered noise hides from them, and structures add to them. Where they find somewhat less than the
background, a faint signal in it is more likely than a filter, and they count. Without a background (a masked or tightly
cropped scan, several coils combined) second differences stand alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy import ndimage, special

from napari_micromri.errors import InputError
from napari_micromri.measure.image_quality import foreground
from napari_micromri.measure.quantiles import ordered, quantile
from napari_micromri.scan import computed
from napari_micromri.threads import map_in_threads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    SliceNoise: TypeAlias = "tuple[NoiseEstimate, float]"

Method = Literal["background", "detail", "none"]

WINDOW = 9
MIN_BACKGROUND, MIN_FRACTION = 400, 0.03
DARKEST = 0.2
"""Part of the background's windows that stands for all of it, as a quantile of their means."""

FILTERED = 0.8
"""Second differences that find less than this part of the background's noise see filtered noise."""

IN_AIR = 0.9
"""Second differences may find so little of pure noise: they see less where means lie by chance just above its own."""

RAYLEIGH_MEAN = float(np.sqrt(np.pi / 2))
RAYLEIGH_RATIO = float(np.sqrt(np.pi / (4 - np.pi)))
"""Mean over standard deviation of Rayleigh noise, 1.913."""

MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class NoiseEstimate:
    """Noise of a slice or a stack.

    Parameters
    ----------
    sigma
        Standard deviation of the noise in each channel of the complex signal, in the image's units; 0 without noise.
    snr
        Mean signal of the foreground over ``sigma``; infinite when ``sigma`` is 0, NaN when there is no signal.
    method
        ``"background"``, ``"detail"``, or ``"none"`` for an image without anything to measure.
    """

    sigma: float
    snr: float
    method: Method


_NOTHING = NoiseEstimate(0.0, float("nan"), "none")


def estimate_noise(image: ArrayLike) -> NoiseEstimate:
    """Estimate the noise of a 2-D magnitude slice, or one figure (the median over slices) for a stack.

    Parameters
    ----------
    image
        ``(..., y, x)``. NaN, infinite values and exact zeros (masks, zero-filled borders) don't count.

    Raises
    ------
    InputError
        The image has fewer than two dimensions, or is complex.
    """
    array = computed(image)
    if array.ndim < 2 or array.size == 0:
        raise InputError(
            f"The noise is measured on slices with two dimensions, not on an array of shape {array.shape}."
        )
    if np.iscomplexobj(array):
        raise InputError(
            "The noise is measured on magnitude images, but this one is complex; take its magnitude first."
        )
    return noise_of_several(noise_of_slice(image) for image in array.reshape(-1, *array.shape[-2:]))


def noise_of_several(slices: Iterable[SliceNoise]) -> NoiseEstimate:
    """Give one figure for several slices: the median of those that were measured in the more exact way."""
    found = [estimate for estimate, _ in slices if estimate.method != "none"]
    if not found:
        return _NOTHING
    backgrounds = [e for e in found if e.method == "background"]
    # The background is the more exact of the two; the others are slices that the object fills.
    chosen = backgrounds if 2 * len(backgrounds) >= len(found) else [e for e in found if e.method == "detail"]
    sigma = float(np.median([e.sigma for e in chosen]))
    signal = float(np.median([e.snr * e.sigma if e.sigma > 0 else 0.0 for e in chosen]))
    return NoiseEstimate(sigma, signal / sigma if sigma > 0 else float("inf"), chosen[0].method)


def noise_of_slice(image: ArrayLike) -> SliceNoise:
    """Estimate the noise of a 2-D magnitude slice, and its sigma from second differences alone.

    The estimate is the better of two ways for each slice. Where noise is coloured (interpolated or filtered scans) the
    two differ, so slices are compared with one another by the second figure: it is there with and without a background,
    and 0 for a slice without anything to measure.

    Raises
    ------
    InputError
        As for `estimate_noise`; or the array isn't one slice.
    """
    array = computed(image, here=True)
    if array.ndim != 2 or array.size == 0 or np.iscomplexobj(array):
        raise InputError(f"The noise is measured on one magnitude slice, not on an array of shape {array.shape}.")
    valid = np.isfinite(array) & (array > 0)
    if valid.sum() < 9:
        return _NOTHING, 0.0
    values = np.where(valid, array, 0.0).astype(np.float64)
    background, detail = _background(values, valid), _detail_sigma(values, valid)
    sigma = detail if background is None else _agreed_sigma(background[1], detail)
    if sigma is None:
        return _NOTHING, 0.0
    snr = _signal(values, valid, sigma) / sigma if sigma > 0 else float("inf")
    return NoiseEstimate(sigma, snr, "detail" if background is None else "background"), detail or 0.0


def noise_of_each(slices: Iterable[ArrayLike]) -> list[SliceNoise]:
    """Give `noise_of_slice` of each slice, several at once."""
    return map_in_threads(noise_of_slice, slices)


def debias(image: ArrayLike, sigma: float) -> NDArray[np.float64]:
    """Take the Rician bias out of magnitudes: ``sqrt(max(m^2 - 2 sigma^2, 0))``, any shape."""
    m = np.asarray(image, dtype=np.float64)
    result: NDArray[np.float64] = np.sqrt(np.maximum(m**2 - 2 * sigma**2, 0))
    return result


def air_of_slice(image: ArrayLike) -> NDArray[np.bool_] | None:
    """Mark where a 2-D magnitude slice holds nothing but noise; None where that is too little to tell."""
    array = np.asarray(image)
    valid = np.isfinite(array) & (array > 0)
    found = _background(np.where(valid, array, 0.0).astype(np.float64), valid)
    return None if found is None else found[0]


def _agreed_sigma(background: float, detail: float | None) -> float:
    """Hold the background's sigma against what second differences find."""
    if detail is None or detail < FILTERED * background:
        return background
    return min(background, detail / IN_AIR)


def _background(image: NDArray[np.float64], valid: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], float] | None:
    """Mark the darkest regions, and give their sigma, if their statistics are Rayleigh.

    Pixels are chosen by the mean around them and not by their own value, so that the sample isn't truncated.
    """
    local, coverage = _local_mean(image, valid, WINDOW)
    usable = valid & (coverage > 0.6)
    if usable.sum() < MIN_BACKGROUND:
        return None
    # Chance alone moves a window's mean by 0.52 / 9 of the expected mean: by four times that, a quarter, at most.
    chance = 1 / (RAYLEIGH_RATIO * WINDOW)
    below = 1 + float(special.ndtri(DARKEST)) * chance
    level = quantile(local[usable], 0.005)
    chosen = usable
    for _ in range(20):
        chosen = usable & (local < 1.25 * level)
        if not chosen.any():
            return None
        updated = float(np.sqrt(np.mean(image[chosen] ** 2) / 2)) * RAYLEIGH_MEAN
        if abs(updated - level) < 1e-4 * level:
            break
        level = updated
    values = image[chosen]
    if values.size < max(MIN_BACKGROUND, MIN_FRACTION * valid.sum()) or not _is_rayleigh(values):
        return None
    darkest = quantile(local[chosen], DARKEST) / below
    return chosen, min(level, darkest) / RAYLEIGH_MEAN


def _is_rayleigh(values: NDArray[np.float64]) -> bool:
    """Tell pure noise from dim tissue, which raises the ratio; faint ghosts, which lower it, are let through."""
    spread = float(values.std())
    ratio = float(values.mean()) / spread / RAYLEIGH_RATIO if spread > 0 else np.inf
    return bool(0.9 < ratio < 1 + max(0.025, 1.2 / np.sqrt(values.size)))


def _detail_sigma(image: NDArray[np.float64], valid: NDArray[np.bool_]) -> float | None:
    """Sigma from the second differences along both axes, each pixel's spread corrected for its signal."""
    inside = ndimage.minimum_filter(valid, 3, mode="constant")
    if not inside.any():
        return None
    chosen = inside & _flat_part(image, valid)
    if not chosen.any():  # a slice of a few pixels may have its flat half on the border
        chosen = inside
    difference = np.array([1.0, -2.0, 1.0]) / np.sqrt(6.0)
    detail = ndimage.correlate1d(ndimage.correlate1d(image, difference, axis=0), difference, axis=1)
    local, _ = _local_mean(image, valid, 5)
    detail, local = np.abs(detail[chosen]), local[chosen]
    detail, local, place = _near_the_median(detail, local)
    sigma = MAD_TO_SIGMA * ordered(detail, place)
    for _ in range(50):
        if sigma == 0:
            break
        previous, sigma = sigma, MAD_TO_SIGMA * ordered(detail / _rician_spread(local / sigma), place)
        if abs(sigma - previous) < 1e-4 * sigma:
            break
    return sigma


def _near_the_median(
    detail: NDArray[np.float64], local: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Keep what can become the median of ``detail`` over any spread, with the median's place in it.

    Spreads lie between 0.66 and 1, so that two pixels of three are too far from the median to count.
    """
    place, (_, spreads) = 0.5 * (detail.size - 1), _rician_table()
    reach = float(spreads.max() / spreads.min())
    low, high = ordered(detail, math.floor(place)) / reach, ordered(detail, math.ceil(place)) * reach
    near = np.flatnonzero((detail >= low) & (detail <= high))
    near = near[np.argsort(local[near])]  # a table is looked up six times faster in its own order
    return detail[near], local[near], place - np.count_nonzero(detail < low)


def _flat_part(image: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the half of the pixels with the least edge around them: second differences still feel sharp corners."""
    gradient = ndimage.gaussian_gradient_magnitude(image, 1.5)
    flat: NDArray[np.bool_] = gradient <= quantile(gradient[valid], 0.5)
    return flat


def _signal(image: NDArray[np.float64], valid: NDArray[np.bool_], sigma: float) -> float:
    square, _ = _local_mean(image**2, valid, 3)
    amplitude = np.sqrt(np.maximum(square - 2 * sigma**2, 0))
    inside = foreground(amplitude, smoothing=0) & valid  # the amplitude is smooth already
    return float(amplitude[inside].mean()) if inside.any() else float("nan")


def _local_mean(
    image: NDArray[np.float64], valid: NDArray[np.bool_], size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean over the valid pixels of a square around each pixel, and which part of the square is valid."""
    coverage = _coverage(valid, size) if not valid.all() else _coverage_of_all(valid.shape, size)
    total = ndimage.uniform_filter(image, size, mode="constant")
    mean = np.divide(total, coverage, out=np.zeros_like(total), where=coverage > 0.5 / size**2)
    return mean, coverage


def _coverage(valid: NDArray[np.bool_], size: int) -> NDArray[np.float64]:
    coverage: NDArray[np.float64] = ndimage.uniform_filter(valid.astype(np.float64), size, mode="constant")
    return coverage


@lru_cache(maxsize=16)
def _coverage_of_all(shape: tuple[int, ...], size: int) -> NDArray[np.float64]:
    return _coverage(np.ones(shape, dtype=bool), size)


def _rician_spread(mean_over_sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the standard deviation of a Rician variable over sigma, from its mean over sigma."""
    means, spreads = _rician_table()
    spread: NDArray[np.float64] = np.interp(mean_over_sigma, means, spreads)
    return spread


@cache
def _rician_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of Rician variables with sigma 1 and amplitudes 0 to 20."""
    amplitude = np.linspace(0, 20, 801)
    x = amplitude**2 / 4
    # The scaled Bessel functions hold the exponential of Koay and Basser's formula.
    mean = RAYLEIGH_MEAN * ((1 + 2 * x) * special.ive(0, x) + 2 * x * special.ive(1, x))
    return mean, np.sqrt(2 + amplitude**2 - mean**2)
