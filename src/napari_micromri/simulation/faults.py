"""What goes wrong in a scan, done on purpose to one good magnitude slice: noise, ghosts, motion, lost lines, spikes.

Everything works on one slice (rows, columns), in its own units, and returns a new float32 magnitude. The axis along
which lines of k-space were recorded one after the other (phase encoding) is ``axis``, 0 for rows or 1 for columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Image = NDArray[np.float32]


def noise_burst(image: NDArray[Any], sigma: float, rng: np.random.Generator) -> Image:
    """Add complex Gaussian noise, of standard deviation ``sigma`` in each channel, and take the magnitude."""
    noise = rng.normal(0, sigma, (2, *image.shape)) if sigma > 0 else np.zeros((2, *image.shape))
    return _magnitude(image + noise[0] + 1j * noise[1])


def only_noise(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> Image:
    """Give a slice beyond the animal: Rayleigh noise."""
    return noise_burst(np.zeros(shape), sigma, rng)


def ghost(image: NDArray[Any], strength: float, *, parts: int = 2, axis: int = 0, phase: float = 0.0) -> Image:
    """Add a copy of relative ``strength``, displaced by one of ``parts`` of the field of view, at a phase (radians).

    ``parts=2`` is the N/2 ghost of a difference between odd and even lines.
    """
    copy = np.roll(image, round(image.shape[axis] / parts), axis=axis)
    return _magnitude(image + strength * np.exp(1j * phase) * copy)


def dead_lines(image: NDArray[Any], lines: Sequence[int], *, axis: int = 0) -> Image:
    """Set rows (or columns) of the image to zero."""
    result = np.array(image, dtype=np.float32)
    result[_lines(lines, axis)] = 0
    return result


def lost_k_lines(image: NDArray[Any], lines: Sequence[int], *, axis: int = 0) -> Image:
    """Set lines of k-space to zero; 0 is the central line, -1 and 1 are the ones beside it."""
    spectrum = np.fft.fft2(image)
    spectrum[_lines(lines, axis)] = 0
    return _magnitude(np.fft.ifft2(spectrum))


def spike(image: NDArray[Any], strength: float, *, at: tuple[int, int], phase: float = 0.0) -> Image:
    """Add one wrong sample of k-space: stripes of amplitude ``strength`` (in units of the image) over everything."""
    rows, columns = (np.arange(n) / n for n in image.shape)
    wave = np.exp(1j * (2 * np.pi * (at[0] * rows[:, None] + at[1] * columns[None, :]) + phase))
    return _magnitude(image + strength * wave)


def shift(image: NDArray[Any], by: tuple[float, float]) -> Image:
    """Move the content by (rows, columns), fractions included; what leaves on one side comes in on the other."""
    return _magnitude(np.fft.ifft2(np.fft.fft2(image) * _ramp(image.shape, by)))


def motion(image: NDArray[Any], by: tuple[float, float], lines: Sequence[int], *, axis: int = 0) -> Image:
    """Let the animal lie displaced by (rows, columns) while some lines of k-space were recorded.

    Lines are counted as in `lost_k_lines`. A block of them blurs; every other one makes ghosts.
    """
    still = np.fft.fft2(image)
    moved = still * _ramp(image.shape, by)
    still[_lines(lines, axis)] = moved[_lines(lines, axis)]
    return _magnitude(np.fft.ifft2(still))


def _ramp(shape: tuple[int, ...], by: tuple[float, float]) -> NDArray[np.complex128]:
    rows, columns = (np.fft.fftfreq(n) * distance for n, distance in zip(shape, by, strict=True))
    ramp: NDArray[np.complex128] = np.exp(-2j * np.pi * (rows[:, None] + columns[None, :]))
    return ramp


def _lines(lines: Sequence[int], axis: int) -> tuple[slice | list[int], ...]:
    return (list(lines), slice(None)) if axis == 0 else (slice(None), list(lines))


def _magnitude(signal: NDArray[Any]) -> Image:
    magnitude: Image = np.abs(signal).astype(np.float32)
    return magnitude
