"""Which scans a model of magnitudes can denoise: what is taken out and put back, what is refused, and what is said.

A network of this package has learned magnitudes: air near zero, tissue above it, noise that never goes below. Outside
of that its results look plausible and are wrong, so the values of a scan are looked at before it runs.

======================================================  ===============================================================
a magnitude image plus a constant (an intercept)        the constant is taken out before, and put back after
one voxel or a few far above all others                 left as they are, so that they don't bend what surrounds them
no magnitude by its header or by its name               refused, unless it is asked for
signed about zero: phase, real or imaginary part, B0    refused, unless it is asked for
phase and smooth maps stored without a sign             refused, unless it is asked for
labels                                                  refused, unless it is asked for
clipped at the highest value, denoised before           denoised, with a caution
masked to zero                                          denoised
======================================================  ===============================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError, ReadError
from napari_micromri.inference.phase_and_maps import (
    WINDOW,
    has_noise_about_zero,
    is_often_negative,
    is_smooth,
    is_wrapped,
    masked,
    scatters_over_all_values,
)
from napari_micromri.io.quantity import no_magnitude

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_micromri.scan import Scan

    Values = NDArray[Any]

MOST_SLICES = 9
"""So many slices are looked at, evenly spread over the whole scan, whatever part of it is denoised."""

SMALLEST_SIDE, LARGEST_SIDE = 24, 2048
"""Pixels below which a slice is too small to tell what it is, and beyond which its middle is looked at."""

SOME_BELOW = 0.01
"""More pixels than this part are below zero only where there is an offset, or a sign."""

SIGNED, MANY_BELOW = 0.1, 0.02
"""A scan has a sign when more than the second part of its pixels lies below zero by more than the first part of its
highest values. Less is what interpolation and filters leave of a magnitude."""

FLOOR = 3.5
"""The lowest value of magnitude air lies so many of its standard deviations below its median, or less: 1.8 for Rayleigh
noise, 3 for many coils. In air that scatters to both sides it lies farther."""

CLEAR_OFFSET, CLEAR_FLOOR = 0.5, 2.5
"""A positive offset is told from an object without air around it when it is so many times the contrast, and the air is
that of one coil."""

SPIKE, MOST_SPIKES = 8.0, 1e-4
"""A voxel is a spike when it is so many times as high as all others but one in a thousand. At most this part of a
slice, or four voxels, can be spikes."""

SATURATED = 1e-3


@dataclass(frozen=True)
class Domain:
    """What was found about the values of a scan.

    Parameters
    ----------
    offset
        To be taken out before the model, and put back after; 0 for ordinary scans.
    problem
        Why the scan isn't for the model, in a sentence; None when it is.
    cautions
        What a person should know before trusting the result, in sentences.
    """

    offset: float = 0.0
    problem: str | None = None
    cautions: tuple[str, ...] = ()

    def admitted(self, *, anyway: bool) -> Domain:
        """Give what to denoise by.

        Raises
        ------
        InputError
            The scan isn't for the model, and it wasn't asked for anyway.
        """
        if self.problem is None:
            return self
        if not anyway:
            raise InputError(
                f"{self.problem} The models know magnitude images only. Choose another scan, or denoise it all the "
                "same: with --anyway, or in the dock under More options."
            )
        return Domain(0.0, None, (f"{self.problem} It was denoised anyway, as requested.", *self.cautions))


def domain_of(scan: Scan, slice_axis: str = "z") -> Domain:
    """Look at the values of a scan.

    Parameters
    ----------
    scan
        Real numbers of any type; `MOST_SLICES` slices of it are read.
    slice_axis
        As for `napari_micromri.inference.DenoiseOptions`.
    """
    cautions = []
    if any(step.get("step") == "denoise" for step in scan.info.provenance):
        cautions.append("The scan was denoised before. A second time removes detail and adds nothing.")
    plane = [n for axis, n in zip(scan.info.axes, scan.shape, strict=True) if axis in "zyx" and axis != slice_axis]
    if (shown := no_magnitude(scan.info.quantity)) is not None:
        return Domain(0.0, f"'{scan.info.name}' shows {shown}, by its header or its name.", tuple(cautions))
    sample = _sample(scan, slice_axis) if min(plane) >= SMALLEST_SIDE else None
    if sample is None:
        return Domain(cautions=tuple(cautions))
    finite = sample[np.isfinite(sample)]
    if not finite.size or finite.min() == finite.max():
        return Domain(cautions=tuple(cautions))
    name = scan.info.name
    top = finite.max()
    clipped = float(np.mean(finite == top))
    if clipped > SATURATED and scan.dtype.kind in "ui":
        cautions.append(f"{100 * clipped:.1f} % of the pixels have the highest value: the scan is clipped there.")
    if scan.dtype.kind in "bui" and _is_labels(sample):
        return Domain(0.0, f"'{name}' looks like labels, not like an image.", tuple(cautions))
    offset, problem = _zero_of(sample, finite, name)
    if problem is None and scan.info.quantity is None:
        problem = _problem_of_maps(sample - offset if offset else sample, name)
    if offset:
        cautions.append(f"An offset of {offset:.6g} was taken out before and put back after.")
    return Domain(offset, problem, tuple(cautions))


def split_spikes(slices: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Replace single voxels far above all others by their surroundings.

    Parameters
    ----------
    slices
        (N, h, w), finite.

    Returns
    -------
    tuple
        The slices, and which pixels were replaced. Slices without spikes come back as they are, with None.
    """
    from scipy.ndimage import median_filter

    if min(slices.shape[1:]) < SMALLEST_SIDE:
        return slices, None
    count = slices[0].size
    flat = np.abs(slices).reshape(len(slices), -1)
    usual = np.partition(flat, -1 - max(1, count // 1000), axis=1)[:, -1 - max(1, count // 1000)]
    spikes = (np.abs(slices) > SPIKE * usual[:, None, None]) & (usual > 0)[:, None, None]
    few = spikes.sum(axis=(1, 2)) <= max(4, MOST_SPIKES * count)
    spikes &= few[:, None, None]
    if not spikes.any():
        return slices, None
    surrounding = median_filter(slices, size=(1, WINDOW, WINDOW))
    return np.where(spikes, surrounding, slices), spikes


def _sample(scan: Scan, slice_axis: str) -> Values | None:
    """Read a few slices, (n, h, w); what can't be read is left to the run, which may not need it."""
    axes = scan.info.axes
    outer = [k for k, axis in enumerate(axes) if axis not in "zyx" or axis == slice_axis]
    counts = [scan.shape[k] for k in outer]
    total = int(np.prod(counts))
    found = []
    for number in np.unique(np.linspace(0, total - 1, min(total, MOST_SLICES)).round().astype(int)):
        place: list[int | slice] = [_middle(size) for size in scan.shape]
        for k, at in zip(outer, np.unravel_index(int(number), counts), strict=True):
            place[k] = int(at)
        try:
            found.append(scan.read(tuple(place)))
        except ReadError:
            continue
    return np.stack(found) if found else None


def _middle(count: int) -> slice:
    start = max(0, (count - LARGEST_SIDE) // 2)
    return slice(start, start + LARGEST_SIDE)


def _is_labels(sample: Values) -> bool:
    """Tell whether what is not zero consists of even patches of two values or more."""
    first, second = sample[..., :-1], sample[..., 1:]
    counted = (first != 0) & (second != 0)
    return bool(counted.any()) and float(np.mean((first == second)[counted])) > 0.9


def _zero_of(sample: Values, finite: Values, name: str) -> tuple[float, str | None]:
    """Find the offset of a magnitude image, or say why it is none."""
    low, high = _lowest(finite), float(np.percentile(finite, 99.9))
    if scatters_over_all_values(sample, low, high):
        return 0.0, f"'{name}' looks like a phase image."
    below = float(np.mean(finite < 0))
    if below <= SOME_BELOW and low < CLEAR_OFFSET * (float(np.mean(finite)) - low):
        return 0.0, None
    air, contrast = _air(sample, low)
    depth = _depth(sample[air], low)
    if below <= SOME_BELOW:
        return (low if low >= CLEAR_OFFSET * contrast and depth <= CLEAR_FLOOR else 0.0), None
    at_lowest = float(np.mean(finite < low + 0.15 * (high - low)))
    if at_lowest > 0.1 and depth <= FLOOR:
        return low, None
    if float(np.mean(finite < -SIGNED * np.percentile(np.abs(finite), 99))) > MANY_BELOW:
        return 0.0, f"'{name}' has values on both sides of zero, as a phase image, a real part or a field map has."
    return 0.0, None


def _problem_of_maps(sample: Values, name: str) -> str | None:
    """Say what a sample of an unnamed quantity shows instead of a magnitude that only its smoothness tells."""
    slices = list(masked(sample))
    if is_wrapped(slices):
        return f"'{name}' looks like a phase image: it jumps where an angle begins again."
    if is_smooth(slices):
        return f"'{name}' is as smooth as a field map, without an edge or noise."
    filled = np.where(np.isfinite(sample), sample, 0)
    if is_often_negative(filled) and has_noise_about_zero(filled, _air(filled, _lowest(filled))[0]):
        return f"'{name}' has noise on both sides of zero in its air, as a real part has."
    return None


def _depth(air: Values, low: float) -> float:
    """Say how far the lowest value lies below the median of the air, in its standard deviations; inf without air."""
    values = air[np.isfinite(air)]
    if not values.size:
        return float("inf")
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return (middle - low) / spread if spread > 0 else 0.0 if middle == low else float("inf")


def _lowest(finite: Values) -> float:
    """Give the lowest value, leaving out single ones far below all others."""
    low, rare, middle = (float(value) for value in np.percentile(finite, (0, 0.1, 50), method="lower"))
    return rare if rare - low > 2 * (middle - rare) > 0 else low


def _air(sample: Values, low: float) -> tuple[NDArray[np.bool_], float]:
    """Find the background of a magnitude image plus a constant, and how far the rest lies above it on average."""
    from napari_micromri.measure.image_quality import foreground

    air, object_ = np.empty(sample.shape, dtype=bool), list[float]()
    for k, image in enumerate(sample):
        filled = np.where(np.isfinite(image), image - low, 0)
        air[k] = ~foreground(filled)
        object_.append(float(filled[~air[k]].mean()))
    return air, float(np.mean(object_))
