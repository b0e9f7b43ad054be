"""How close an image comes to its reference: error, structure, brightness, and detail by spatial frequency.

Every function takes two 2-D arrays of one shape, ``image`` and ``reference``, in the same units, and computes in
float64. Moments are population moments (ddof = 0). A figure that the reference leaves undefined (the PSNR of an empty
slice, the power ratio of a constant one) is NaN, so that one empty slice doesn't end an evaluation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

HIGH_BAND = (0.25, 0.5)
"""Cycles per pixel: what an image at half the resolution can't hold along an axis."""

SSIM_WINDOW = 11
FOREGROUND_SMOOTHING = 2.0


def mse(image: ArrayLike, reference: ArrayLike) -> float:
    """Mean squared error, ``mean((image - reference)^2)``, in squared units of the image (report eq. 12)."""
    image, reference = as_pair(image, reference)
    return float(np.mean((image - reference) ** 2))


def psnr(image: ArrayLike, reference: ArrayLike, *, data_range: float | None = None) -> float:
    """Peak signal-to-noise ratio in dB, ``10 log10(data_range^2 / MSE)``.

    ``data_range`` is the maximum of the reference unless given. Infinite for equal images, NaN when the range isn't
    positive.
    """
    image, reference = as_pair(image, reference)
    peak = float(reference.max()) if data_range is None else data_range
    error = mse(image, reference)
    if peak <= 0:
        return float("nan")
    return float(10 * np.log10(peak**2 / error)) if error > 0 else float("inf")


def foreground_psnr(image: ArrayLike, reference: ArrayLike) -> float:
    """PSNR in dB with the squared error of the `foreground` of the reference alone.

    Around a mouse most pixels are air. There a PSNR tells mostly how well the noise's floor was removed.
    """
    image, reference = as_pair(image, reference)
    mask = foreground(reference)
    return psnr(image[mask][None], reference[mask][None], data_range=float(reference.max()))


def ssim(image: ArrayLike, reference: ArrayLike, *, data_range: float | None = None) -> float:
    """Mean structural similarity (report eq. 8) in Gaussian windows of sigma 1.5 pixels with population covariances.

    ``data_range`` is maximum minus minimum of the reference unless given; NaN when it isn't positive.

    Raises
    ------
    InputError
        As for `napari_micromri.measure.metrics.assess`; the arrays need at least 11 x 11 pixels.
    """
    from skimage.metrics import structural_similarity

    image, reference = as_pair(image, reference)
    if min(reference.shape) < SSIM_WINDOW:
        raise InputError(f"The SSIM needs at least {SSIM_WINDOW} x {SSIM_WINDOW} pixels, not {_size(reference)}.")
    span = float(np.ptp(reference)) if data_range is None else data_range
    if span <= 0:
        return float("nan")
    return float(
        structural_similarity(
            image, reference, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=span
        )
    )


def foreground(reference: ArrayLike, *, smoothing: float = FOREGROUND_SMOOTHING) -> NDArray[np.bool_]:
    """Find the object in a 2-D image: pixels above Otsu's threshold after Gaussian smoothing (in pixels).

    Without the smoothing a pixel would be chosen for its own noise, and every other image of the same object would
    look too dark on the chosen ones. Where the darker class is more than half as bright as the brighter one there is
    no background, and everything is foreground.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.filters import threshold_otsu

    smooth: NDArray[np.float64] = gaussian_filter(_image(reference, "reference"), smoothing)
    everything = np.ones(smooth.shape, dtype=bool)
    if np.ptp(smooth) == 0:
        return everything
    mask: NDArray[np.bool_] = smooth > float(threshold_otsu(smooth))
    return everything if smooth[~mask].mean() > smooth[mask].mean() / 2 else mask


def bias(image: ArrayLike, reference: ArrayLike, *, mask: NDArray[np.bool_] | None = None) -> float:
    """Relative error of the mean brightness, ``mean(image) / mean(reference) - 1`` over the foreground.

    The mask is `foreground` of the reference unless given; -0.02 means that the image is 2 % too dark.
    """
    image, reference = as_pair(image, reference)
    mask = foreground(reference) if mask is None else mask
    expected = float(reference[mask].mean()) if mask.any() else 0.0
    return float(image[mask].mean() / expected - 1) if expected != 0 else float("nan")


def power_ratio(image: ArrayLike, reference: ArrayLike, *, band: tuple[float, float] = HIGH_BAND) -> float:
    """Power of the image over that of the reference within a band of spatial frequencies (cycles per pixel).

    Below 1 detail is lost (oversmoothing); above 1 there is more than the reference has (noise, or invention).
    """
    image, reference = as_pair(image, reference)
    radius = _radius(reference.shape)
    inside = (radius >= band[0]) & (radius < band[1])
    expected = float(np.sum(np.abs(_spectrum(reference)[inside]) ** 2))
    found = float(np.sum(np.abs(_spectrum(image)[inside]) ** 2))
    return found / expected if expected > 0 else float("nan")


def power_ratio_curve(image: ArrayLike, reference: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radial power spectrum of the image divided by that of the reference.

    Returns
    -------
    frequencies, ratios
        Centres of the rings in cycles per pixel up to 0.5, and one ratio each (NaN where the reference has no power).
    """
    image, reference = as_pair(image, reference)
    found, expected = (_ring_sums(np.abs(_spectrum(a)) ** 2) for a in (image, reference))
    return _ring_centres(reference.shape), _divide(found, expected)


def fourier_ring_correlation(image: ArrayLike, reference: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlation of the two images' Fourier coefficients on rings of equal spatial frequency.

    ``FRC(q) = Re sum F G* / sqrt(sum |F|^2 sum |G|^2)``: 1 where the detail is that of the reference, 0 where it is
    invented or noise. Beside `power_ratio_curve` it tells true texture from added power.

    Returns
    -------
    frequencies, correlation
        Centres of the rings in cycles per pixel up to 0.5, and one value in [-1, 1] each (NaN without power).
    """
    image, reference = as_pair(image, reference)
    f, g = _spectrum(image), _spectrum(reference)
    power = _ring_sums(np.abs(f) ** 2) * _ring_sums(np.abs(g) ** 2)
    return _ring_centres(reference.shape), _divide(_ring_sums((f * g.conj()).real), np.sqrt(power))


def _spectrum(image: NDArray[np.float64]) -> NDArray[np.complex128]:
    # The window keeps the jump between opposite borders from looking like detail.
    rows, columns = image.shape
    windowed = (image - image.mean()) * np.outer(np.hanning(rows + 2)[1:-1], np.hanning(columns + 2)[1:-1])
    return np.asarray(np.fft.fft2(windowed), dtype=np.complex128)


def _radius(shape: tuple[int, ...]) -> NDArray[np.float64]:
    rows, columns = (np.fft.fftfreq(n) for n in shape)
    return np.asarray(np.hypot(rows[:, None], columns[None, :]), dtype=np.float64)


def _ring_count(shape: tuple[int, ...]) -> int:
    return max(min(shape) // 2, 1)


def _ring_centres(shape: tuple[int, ...]) -> NDArray[np.float64]:
    count = _ring_count(shape)
    return (np.arange(count) + 0.5) * 0.5 / count


def _ring_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    count = _ring_count(values.shape)
    # A frequency on the edge of two rings belongs to the outer one, whatever the rounding.
    ring = np.floor(np.round(_radius(values.shape) / 0.5 * count, 9)).astype(int)
    sums = np.bincount(ring.ravel(), weights=values.ravel(), minlength=count)
    return np.asarray(sums[:count], dtype=np.float64)


def _divide(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.full_like(top, np.nan)
    np.divide(top, bottom, out=result, where=bottom > 0)
    return result


def ring_correlation(image: ArrayLike, reference: ArrayLike) -> float:
    """Mean Fourier ring correlation over `HIGH_BAND`: how much of the fine detail is that of the reference."""
    return _band_mean(*fourier_ring_correlation(image, reference), HIGH_BAND)


def _band_mean(frequencies: NDArray[np.float64], values: NDArray[np.float64], band: tuple[float, float]) -> float:
    inside = (frequencies >= band[0]) & (frequencies < band[1]) & np.isfinite(values)
    return float(values[inside].mean()) if inside.any() else float("nan")


def as_pair(image: ArrayLike, reference: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check an image and its reference: 2-D, finite, of one shape; gives them as float64."""
    image, reference = _image(image, "image"), _image(reference, "reference")
    if image.shape != reference.shape:
        raise InputError(
            f"The image has {_size(image)} pixels but its reference {_size(reference)}; bring both to one grid first."
        )
    return image, reference


def _image(values: ArrayLike, what: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise InputError(f"The {what} must be one slice with two dimensions, not an array of shape {array.shape}.")
    if not np.isfinite(array).all():
        raise InputError(f"The {what} holds values that are not numbers; replace or exclude them first.")
    return array


def _size(array: NDArray[np.float64]) -> str:
    return " x ".join(str(n) for n in array.shape)
