"""Pairs whose fast scan is made from a good slice, with other noise each time; see `napari_micromri.simulation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.simulation.acquisition import foreground_mean, truncate_k_space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_micromri.training.data import SlicePair
    from napari_micromri.training.simulated_settings import SimulatedSettings

SMALLEST = 64
"""Slices are never brought to fewer pixels than this along an axis."""


@dataclass(frozen=True, eq=False)
class SimulatedPair:
    """A good slice and its fast scan; see `napari_micromri.training.data.SlicePair`."""

    lr: NDArray[np.float32]
    hr: NDArray[np.float32]
    key: str
    index: int
    where: str
    corner: tuple[int, int] = (0, 0)

    @property
    def whole(self) -> NDArray[np.float32]:
        """The fast scan: it isn't cropped."""
        return self.lr


def changed_pair(
    pair: SlicePair, settings: SimulatedSettings, rng: np.random.Generator, least: int | None
) -> SimulatedPair:
    """Change a good slice at random and make its fast scan, to learn from.

    Parameters
    ----------
    least
        Pixels along an axis that the slice keeps, since so large squares are cut out of it.
    """
    image = pair.hr
    if rng.random() < settings.resampled:
        image = _coarser(image, rng, max(least or 0, SMALLEST))
    if rng.random() < settings.gamma:
        # Relative to the peak: a power of the scanner's own numbers could leave the range of float32.
        peak = max(float(image.max()), 1e-30)
        image = peak * (np.clip(image, 0, None) / peak) ** rng.uniform(0.6, 1.7)
    if rng.random() < settings.shading:
        across, along = (np.exp(rng.normal(0, 0.5) * np.linspace(-0.5, 0.5, count)) for count in image.shape)
        image = image * across[:, None] * along[None, :]
    if rng.random() < settings.own_noise:
        image = _with_own_noise(image, settings, rng)
    return _fast(pair, image, settings, rng)


def plain_pair(pair: SlicePair, settings: SimulatedSettings, rng: np.random.Generator) -> SimulatedPair:
    """Make the fast scan of a good slice as it is, to judge by."""
    return _fast(pair, pair.hr, settings, rng)


def _fast(pair: SlicePair, good: NDArray[Any], settings: SimulatedSettings, rng: np.random.Generator) -> SimulatedPair:
    factor = settings.factor
    coarse = good.shape[0] // factor, good.shape[1] // factor
    good = np.ascontiguousarray(good[: coarse[0] * factor, : coarse[1] * factor], dtype=np.float32)
    snr = _log_uniform(settings.snr_low, settings.snr_high, rng) * np.sqrt(settings.averages)
    signal = truncate_k_space(good, coarse)
    noisy = signal + _noise(coarse, foreground_mean(good) / snr, rng)
    fast = reconstructed(noisy, rng) if rng.random() < settings.filtered else np.abs(noisy)
    return SimulatedPair(fast.astype(np.float32), good, pair.key, pair.index, pair.where)


def reconstructed(image: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
    """Take the magnitude as a scanner does that filters k-space, fills it with zeros, or interpolates.

    Each leaves noise whose neighbours are alike, which white noise isn't.
    """
    spectrum = np.fft.fft2(image)
    rows, columns = (np.abs(np.fft.fftfreq(count)) for count in image.shape)
    way = rng.integers(3)
    if way == 0:
        spectrum *= np.exp(-((np.hypot(rows[:, None], columns[None, :]) / rng.uniform(0.3, 0.8)) ** 2))
    elif way == 1:
        edges = 0.5 * rng.uniform(0.65, 1, 2)
        spectrum = spectrum * (rows <= edges[0])[:, None] * (columns <= edges[1])[None, :]
    magnitude = np.abs(np.fft.ifft2(spectrum))
    if way == 2:
        for axis in (0, 1):
            part = rng.uniform(0, 0.5)
            magnitude = (1 - part) * magnitude + part * np.roll(magnitude, 1, axis)
    return magnitude.astype(np.float32)


def _with_own_noise(image: NDArray[Any], settings: SimulatedSettings, rng: np.random.Generator) -> NDArray[np.float32]:
    """Give a good scan some noise of its own, half of the time with k-space filtered after it.

    A part of what looks like noise in the fast scan then belongs to the good one, and is kept.
    """
    snr = _log_uniform(settings.own_snr_low, settings.own_snr_high, rng)
    noisy = image + _noise(image.shape, foreground_mean(image) / snr, rng)
    if rng.random() < 0.5:
        frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(count) for count in image.shape), indexing="ij"))
        spectrum = np.fft.fft2(noisy) * np.exp(-((frequency / rng.uniform(0.2, 0.6)) ** 2))
        return np.abs(np.fft.ifft2(spectrum)).astype(np.float32)
    return np.abs(noisy).astype(np.float32)


def _coarser(image: NDArray[Any], rng: np.random.Generator, least: int) -> NDArray[np.float32]:
    """Cut k-space to a coarser grid: sharper structures per pixel, and less noise."""
    smallest = max(least / min(image.shape), 0.5)
    if smallest >= 1:
        return image
    zoom = rng.uniform(smallest, 1)
    rows, columns = (int(count * zoom) // 8 * 8 for count in image.shape)  # few sizes: few matrices to upsample by
    if min(rows, columns) < least:
        return image
    return np.abs(truncate_k_space(image, (rows, columns)))


def _noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> NDArray[np.complex64]:
    real, imaginary = rng.standard_normal((2, *shape), dtype=np.float32) * np.float32(sigma)
    complex_noise: NDArray[np.complex64] = real + 1j * imaginary
    return complex_noise


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
