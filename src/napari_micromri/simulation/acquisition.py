"""The acquisition model: what a fast scan of the same animal would have looked like.

A good magnitude image is taken to k-space, its centre is kept, complex Gaussian noise is added for each average, the
averages are combined and the magnitude is taken, so the noise in the result is Rician.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLICES_FOR_SIGNAL = 9
"""How many slices are looked at to find the mean foreground signal of a scan."""


def truncate_k_space(image: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.complex64]:
    """Keep the centre of k-space, on a grid that covers the same field of view.

    Plain truncation leaves the first pixel *centres* of both grids in one place, so their outer edges differ by half
    the difference of the pixel sizes. A linear phase moves the coarse grid so that the outer *edges* coincide, which
    is the geometry of every `Scan`.

    Parameters
    ----------
    image
        Real or complex, (..., H, W).
    shape
        (h, w), no larger than (H, W).

    Returns
    -------
    (..., h, w), complex, on the intensity scale of the input.
    """
    spectrum = np.fft.fft2(image, norm="forward")
    for axis, count in zip((-2, -1), shape, strict=True):
        full = spectrum.shape[axis]
        if not 1 <= count <= full:
            raise InputError(f"A fast scan has between 1 and {full} pixels along an axis of {full}, not {count}.")
        frequency = np.fft.fftfreq(count, 1 / count).astype(int)
        shift = (full / count - 1) / 2  # of the first pixel's centre, in fine pixels
        ramp = np.exp(2j * np.pi * frequency * shift / full)
        spectrum = np.moveaxis(np.take(spectrum, frequency % full, axis=axis), axis, -1) * ramp
        spectrum = np.moveaxis(spectrum, -1, axis)
    result: NDArray[np.complex64] = np.fft.ifft2(spectrum, norm="forward").astype(np.complex64)
    return result


def add_noise(
    image: NDArray[np.complex64], sigma: float, rng: np.random.Generator, averages: int = 1
) -> NDArray[np.float32]:
    """Add complex Gaussian noise and take the magnitude.

    ``sigma`` is the standard deviation of the real and of the imaginary part in one average. The averages are combined
    before the magnitude, so theirs is ``sigma / sqrt(averages)``; being a sum of independent draws it is drawn at once.
    """
    combined = sigma / np.sqrt(averages)
    noise = rng.standard_normal((2, *image.shape), dtype=np.float32) * np.float32(combined)
    magnitude: NDArray[np.float32] = np.hypot(image.real + noise[0], image.imag + noise[1]).astype(np.float32)
    return magnitude


def foreground_mean(image: NDArray[Any]) -> float:
    """Mean of the pixels above Otsu's threshold; of all of them when the image is constant."""
    from skimage.filters import threshold_otsu

    finite = image[np.isfinite(image)]
    if finite.size == 0 or finite.min() == finite.max():
        return float(finite.mean()) if finite.size else 0.0
    return float(finite[finite > threshold_otsu(finite)].mean())


def simulate_fast_scan(scan: Scan, *, factor: float = 2, snr: float = 15.0, averages: int = 1, seed: int = 0) -> Scan:
    """Make the fast, coarse and noisy scan that belongs to a good one.

    Parameters
    ----------
    scan
        At least the axes y and x; slices (y, x) are treated one by one, when they are read.
    factor
        How many times fewer pixels along y and x; the field of view stays.
    snr
        Mean foreground signal / sigma of one average.
    averages
        Of the fast scan; they raise the SNR of the result by their square root.
    seed
        The same seed gives the same noise, whatever is read first.

    Raises
    ------
    InputError
        No slices in the scan, complex pixels, or a factor, SNR, number of averages or seed that makes no sense.
    """
    import dask.array as da

    _check(scan, factor, snr, averages, seed)
    full = scan.shape[-2:]
    coarse = (max(1, round(full[0] / factor)), max(1, round(full[1] / factor)))
    sigma = _signal(scan) / snr
    lazy = da.asarray(scan.data)
    source = lazy.rechunk((*(1,) * (len(scan.shape) - 2), *full))

    def one(block: NDArray[Any], block_info: dict[int | None, Any]) -> NDArray[np.float32]:
        position = block_info[None]["chunk-location"][: block.ndim - 2]
        rng = np.random.default_rng([seed, *position])
        image = np.nan_to_num(block.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        return add_noise(truncate_k_space(image, coarse), sigma, rng, averages)

    data = da.map_blocks(
        one,
        source,
        dtype=np.float32,
        chunks=(*source.chunks[:-2], (coarse[0],), (coarse[1],)),
        meta=np.empty((0,) * source.ndim, np.float32),
    )
    step = {"step": "simulate_fast_scan", "factor": factor, "snr": snr, "averages": averages, "seed": seed}
    info = scan.info.resampled({"y": coarse[0] / full[0], "x": coarse[1] / full[1]}).with_step(step)
    return Scan(data, replace(info, name=f"{scan.info.name} (fast, simulated)", averages=averages))


def _check(scan: Scan, factor: float, snr: float, averages: int, seed: int) -> None:
    if scan.info.axes[-2:] != "yx":
        raise InputError(f"A fast scan is simulated from slices (y, x); '{scan.info.name}' has axes {scan.info.axes}.")
    if scan.dtype.kind not in "uifb":
        raise InputError(f"A fast scan is simulated from magnitudes; '{scan.info.name}' holds {scan.dtype} pixels.")
    if 0 in scan.shape:
        raise InputError(f"'{scan.info.name}' is empty: its shape is {scan.shape}.")
    check_settings(factor, snr, averages, seed)


def check_settings(factor: float, snr: float, averages: int, seed: int) -> None:
    """Refuse settings of `simulate_fast_scan` that make no sense, without a scan.

    Raises
    ------
    InputError
        Says which and why.
    """
    if not (np.isfinite(factor) and factor >= 1):
        raise InputError(f"The factor is at least 1, not {factor}.")
    if not (np.isfinite(snr) and snr > 0):
        raise InputError(f"The SNR is a positive number, not {snr}.")
    if averages < 1:
        raise InputError(f"A scan has at least one average, not {averages}.")
    if seed < 0:
        raise InputError(f"The seed is 0 or more, not {seed}.")


def _signal(scan: Scan) -> float:
    outer = scan.shape[:-2]
    chosen = np.unique(np.linspace(0, math.prod(outer) - 1, SLICES_FOR_SIGNAL).round().astype(int))
    places = [tuple(int(at) for at in np.unravel_index(k, outer)) for k in chosen]
    return foreground_mean(np.stack([scan.read(place).astype(np.float32, copy=False) for place in places]))
