"""What values alone tell of images that are no magnitudes: phase, real parts, field maps.

Real magnitude images have edges and noise in what is not constant; limits lie well outside of what was found in 65 of
them (heads, mice, rats, phantoms, 0.055 to 7 T; also when masked, or interpolated four times).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Values = NDArray[Any]

WINDOW = 5
"""Pixels along a side over which noise is measured."""

CONSTANT = 0.05
"""A value that more than this part of the pixels has, exactly, is a mask, not a measurement."""

STEP = 24
"""Curvature is measured over this part of the object's diameter."""

SMOOTH = 0.05
"""A map bends by less than this part of its range, in all but one place of twenty; magnitudes by 0.08 or more."""

WRAPS, HALF_WRAPS, SPREAD_OUT = 0.003, 0.2, 0.25
"""An angle jumps by more than 0.8 of a turn in so many places, seldom by half a turn (this part of those jumps), and
takes values between a quarter and three quarters of a turn in more than the third part of the pixels. Edges are of any
size."""

_LAPLACE = np.array([[0, -0.25, 0], [-0.25, 1, -0.25], [0, -0.25, 0]])

AS_NOISY, CENTRED, NEGATIVE = 0.6, 0.2, 0.1
"""The air of a real part has a noise like that of its quietest places inside, about zero, and is negative often."""


def scatters_over_all_values(sample: Values, low: float, high: float) -> bool:
    """Tell whether much of an image (n, h, w) scatters over the whole range of values, as the phase of air does."""
    uniform = (high - low) / np.sqrt(12)
    parts = [_spread(image) / uniform for image in sample]
    return float(np.mean([np.mean((part > 0.75) & (part < 1.25)) for part in parts])) > 0.2


def is_smooth(sample: Values) -> bool:
    """Tell whether an image changes slowly everywhere but at the edge of a mask, as a field map does."""
    bends = [bend for image, inside in _masked(sample) if (bend := _bend(image, inside)) is not None]
    return bool(bends) and float(np.median(bends)) < SMOOTH


def is_wrapped(sample: Values) -> bool:
    """Tell whether an image is smooth but for jumps from its highest values to its lowest, as a masked phase is."""
    found = [_is_angle(image, inside) for image, inside in _masked(sample)]
    return bool(found) and float(np.mean(found)) > 0.5


def has_noise_about_zero(sample: Values, air: NDArray[np.bool_]) -> bool:
    """Tell whether noise in the air (n, h, w) is negative half the time and as strong as elsewhere.

    Filters and interpolation leave small negative values of a magnitude, far below its noise.
    """
    if not air.any() or air.all() or float(np.mean(sample < 0)) < NEGATIVE:
        return False
    detail = np.stack([_spread(_without_slopes(image)) for image in sample])
    inside = float(np.percentile(detail[~air], 10))
    return float(np.median(detail[air])) > AS_NOISY * inside and abs(float(np.median(sample[air]))) < CENTRED * float(
        np.std(sample[air])
    )


def _masked(sample: Values) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Give slices that aren't constant, and where they aren't masked."""
    for image in sample:
        values, counts = np.unique(image, return_counts=True)
        inside = np.isfinite(image)
        if counts.max() > CONSTANT * image.size:
            inside &= image != values[counts.argmax()]
        if inside.sum() > CONSTANT * image.size and np.ptp(image[inside]) > 0:
            yield np.where(inside, image, 0).astype(np.float64), inside


def _bend(image: NDArray[np.float64], inside: NDArray[np.bool_]) -> float | None:
    """Give the 95th percentile of second differences in parts of the range, of means over a small window."""
    from scipy.ndimage import uniform_filter

    step = max(1, round(float(np.sqrt(inside.sum())) / STEP))
    weight = uniform_filter(inside.astype(np.float64), step)
    mean = uniform_filter(image, step) / np.maximum(weight, 1e-9)
    low, high = np.percentile(image[inside], (1, 99))
    bends = [np.abs(a - 2 * b + c)[valid] for a, b, c, valid in _triples(mean, inside, step)]
    found = np.concatenate(bends)
    return float(np.percentile(found, 95) / (high - low)) if found.size and high > low else None


def _is_angle(image: NDArray[np.float64], inside: NDArray[np.bool_]) -> bool:
    low, high = image[inside].min(), image[inside].max()
    turns = (image - low) / (high - low)
    jumps = np.concatenate([np.abs(a - b)[valid] for a, b, _, valid in _triples(turns, inside, 1)])
    wraps, halves = (jumps > 0.8).sum(), (np.abs(jumps - 0.5) < 0.15).sum()
    middle = np.abs(turns[inside] - 0.5) < 0.25
    return bool(wraps > WRAPS * jumps.size and halves < HALF_WRAPS * wraps and middle.mean() > SPREAD_OUT)


def _triples(image: Values, inside: NDArray[np.bool_], step: int) -> Iterator[tuple[Values, Values, Values, Values]]:
    """Give what lies a step before, at and a step after each pixel along either axis, and where all three count."""
    for axis in (0, 1):
        parts = [slice(None, -2 * step), slice(step, -step), slice(2 * step, None)]
        values, counts = np.moveaxis(image, axis, 0), np.moveaxis(inside, axis, 0)
        a, b, c = (values[part] for part in parts)
        yield a, b, c, np.logical_and.reduce([counts[part] for part in parts])


def _without_slopes(image: Values) -> Values:
    """Take from each pixel the mean of its neighbours, so that noise is left, and edges."""
    from scipy.ndimage import convolve

    return np.asarray(convolve(np.where(np.isfinite(image), image, 0).astype(np.float64), _LAPLACE))


def _spread(image: Values) -> NDArray[np.float32]:
    """Give the standard deviation around each pixel of a slice."""
    from scipy.ndimage import uniform_filter

    values = np.where(np.isfinite(image), image, 0).astype(np.float64)
    values -= values.mean()  # else the difference of squares loses digits where all values are large
    mean = uniform_filter(values, WINDOW)
    variance = np.maximum(uniform_filter(values**2, WINDOW) - mean**2, 0)
    return np.asarray(np.sqrt(variance), dtype=np.float32)
