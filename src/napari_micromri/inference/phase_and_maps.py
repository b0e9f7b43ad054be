"""What values alone tell of images that aren't magnitudes: phase, real parts, field maps.

Real magnitude images have edges and noise in what is not constant. `benchmarks/domain.py` counts what is refused by
these limits and what is not, on all scans of the data folder and on what is made of them. What values can't tell: the
inside of a phantom full of one liquid is as smooth as a field map; maps of T2 or ADC with noise and edges look like
magnitudes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Values = NDArray[Any]
    Masked = tuple[NDArray[np.float64], NDArray[np.bool_]]

WINDOW = 5
"""Pixels along a side over which noise is measured."""

CONSTANT = 0.05
"""A value that more than this part of the pixels has, exactly, is a mask, not a measurement."""

STEP = 24
"""Curvature is measured over this part of the object's diameter."""

SMOOTH = 0.075
"""A map bends by less than this part of its range, in all but one place of a hundred."""

WRAPS, HALF_WRAPS, SPREAD_OUT, ROUND = 0.003, 0.3, 0.05, 0.2
"""An angle jumps by more than 0.8 of a turn in so many places, seldom by half a turn (this part of those jumps), takes
values between a quarter and three quarters of a turn in more than the third part of the pixels, and bends, on a circle,
by less than the fourth part of its diameter in four places of five. Edges are of any size, an image of two values has
none between, and what isn't an angle isn't smooth on a circle."""

LEAPS = 0.007
"""In noise over a whole turn one pixel in 25 differs from the next by more than 0.8 of a turn; so many must, in all."""

_LAPLACE = np.array([[0, -0.25, 0], [-0.25, 1, -0.25], [0, -0.25, 0]])

AS_NOISY, CENTRED, NEGATIVE = 0.6, 0.2, 0.1
"""The air of a real part has a noise like that of its quietest places inside, about zero, and is negative often."""


def scatters_over_all_values(sample: Values, low: float, high: float) -> bool:
    """Tell whether much of an image (n, h, w) scatters over the whole range of values, as the phase of air does."""
    leaps = [np.mean(np.abs(np.diff(sample.astype(np.float64), axis=axis)) > 0.8 * (high - low)) for axis in (-2, -1)]
    if float(np.mean(leaps)) < LEAPS:
        return False
    uniform = (high - low) / np.sqrt(12)
    parts = [_spread(image) / uniform for image in sample]
    return float(np.mean([np.mean((part > 0.75) & (part < 1.25)) for part in parts])) > 0.2


def is_smooth(slices: Sequence[Masked]) -> bool:
    """Tell whether an image changes slowly everywhere but at the edge of a mask, as a field map does."""
    bends = [bend for image, inside in slices if (bend := _bend(image, inside)) is not None]
    return bool(bends) and float(np.median(bends)) < SMOOTH


def is_wrapped(slices: Sequence[Masked]) -> bool:
    """Tell whether an image is smooth but for jumps from its highest values to its lowest, as a masked phase is."""
    found = [_is_angle(image, inside) for image, inside in slices]
    return bool(found) and float(np.mean(found)) > 0.5


def has_noise_about_zero(sample: Values, air: NDArray[np.bool_]) -> bool:
    """Tell whether noise in the air (n, h, w) lies about zero and is as strong as elsewhere.

    Filters and interpolation leave small negative values of a magnitude, far below its noise.
    """
    if not air.any() or air.all():
        return False
    detail = np.stack([_spread(_without_slopes(image)) for image in sample])
    inside = float(np.percentile(detail[~air], 10))
    return float(np.median(detail[air])) > AS_NOISY * inside and abs(float(np.median(sample[air]))) < CENTRED * float(
        np.std(sample[air])
    )


def is_often_negative(sample: Values) -> bool:
    """Tell whether as much lies below zero as in a real part with some air."""
    return float(np.mean(sample < 0)) >= NEGATIVE


def masked(sample: Values) -> Iterator[Masked]:
    """Give the slices of a sample that aren't constant, and where they aren't masked."""
    for image in sample:
        inside = np.isfinite(image)
        if (mask := _mask_value(image)) is not None:
            inside &= image != mask
        if inside.sum() > CONSTANT * image.size and np.ptp(image[inside]) > 0:
            yield np.where(inside, image, 0).astype(np.float64), inside


def _mask_value(image: Values) -> float | None:
    """Give the value that most pixels have, if it is more than the part `CONSTANT` of them."""
    # NumPy sorts floats five times faster than short integers.
    ordered, least = np.sort(image.astype(np.float64), axis=None), int(CONSTANT * image.size)
    # In order, more equal values than that reach from one place to the place as many further on.
    values, counts = np.unique(ordered[least:][ordered[least:] == ordered[: image.size - least]], return_counts=True)
    return float(values[counts.argmax()]) if values.size else None


def _bends(image: Values, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give the second differences, over a part of the object, of means over a small window."""
    from scipy.ndimage import uniform_filter

    step = max(1, round(float(np.sqrt(inside.sum())) / STEP))
    mean = uniform_filter(image, step) / np.maximum(uniform_filter(inside.astype(np.float64), step), 1e-9)
    return np.concatenate([np.abs(a - 2 * b + c)[valid] for a, b, c, valid in _triples(mean, inside, step)])


def _bend(image: Values, inside: NDArray[np.bool_]) -> float | None:
    """Give the 99th percentile of the bends in parts of the range; None where there is nothing to measure."""
    low, high = np.percentile(image[inside], (1, 99))
    found = _bends(image, inside)
    return float(np.percentile(found, 99) / (high - low)) if found.size and high > low else None


def _is_angle(image: NDArray[np.float64], inside: NDArray[np.bool_]) -> bool:
    low, high = image[inside].min(), image[inside].max()
    turns = (image - low) / (high - low)
    jumps = np.concatenate([np.abs(a - b)[valid] for a, b, _, valid in _triples(turns, inside, 1)])
    wraps, halves = (jumps > 0.8).sum(), (np.abs(jumps - 0.5) < 0.15).sum()
    middle = np.abs(turns[inside] - 0.5) < 0.25
    if not (wraps > WRAPS * jumps.size and halves < HALF_WRAPS * wraps and middle.mean() > SPREAD_OUT):
        return False
    bends = np.hypot(*(_bends(np.where(inside, part(2 * np.pi * turns), 0), inside) for part in (np.cos, np.sin)))
    return bool(bends.size) and float(np.percentile(bends, 80)) < 2 * ROUND


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
