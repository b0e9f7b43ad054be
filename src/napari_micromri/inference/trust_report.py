"""What the trust check finds: figures of slices and scans, and the sentences that a person reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.scan import SPATIAL_AXES

if TYPE_CHECKING:
    from collections.abc import Sequence

DEVIATES = 1.5
"""Mean square over a slice beyond which it counts as unlike its measurement."""

DEVIATES_LOCALLY = 4.0
"""The same for the square where it is largest; noise alone reaches about 2.5 somewhere in a slice."""


@dataclass(frozen=True)
class SliceTrust:
    """How one denoised slice compares with its measurement.

    Parameters
    ----------
    index
        Number of the slice in the measured scan, counted over all of its outer axes.
    chi_square
        Mean square of what is left, in units of the noise's variance; NaN where the noise can't be told.
    peak
        The largest mean over any square of 5 x 5 pixels: one dark organ hardly moves the mean of a slice.
    snr
        Of the measured slice.
    """

    index: int
    chi_square: float
    peak: float
    snr: float

    @property
    def deviates(self) -> bool:
        """Noise alone doesn't explain what is left."""
        return self.chi_square > DEVIATES or self.peak > DEVIATES_LOCALLY


@dataclass(frozen=True)
class TrustReport:
    """The check of a whole scan, from the slices that were looked at.

    ``asked_for`` says that the scan was none for the model, and denoised all the same. ``outer`` gives the axes that
    slices are counted over, and their lengths.
    """

    slices: tuple[SliceTrust, ...]
    total: int
    snr_range: tuple[float, float]
    cautions: tuple[str, ...] = ()
    asked_for: bool = False
    outer: tuple[tuple[str, int], ...] = ()

    @property
    def chi_square(self) -> float:
        """Median over the slices; NaN when none could be judged."""
        found = [one.chi_square for one in self.slices if np.isfinite(one.chi_square)]
        return float(np.median(found)) if found else float("nan")

    @property
    def snr(self) -> float:
        """Median over the slices; NaN when none could be judged."""
        found = [one.snr for one in self.slices if np.isfinite(one.snr)]
        return float(np.median(found)) if found else float("nan")

    @property
    def deviating(self) -> tuple[int, ...]:
        """Slices that left their measurement by more than noise explains."""
        return tuple(one.index for one in self.slices if one.deviates)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before trusting the result, in sentences."""
        found = [*self.cautions]
        low, high = self.snr_range
        if np.isfinite(self.snr) and not low <= self.snr <= high:
            found.append(
                f"The scan's SNR is about {self.snr:.0f}, the model was trained for {low:g} to {high:g}: "
                "judge the result with care."
            )
        if self.deviating:
            found.append(
                f"{len(self.deviating)} of {len(self.slices)} slices {self._deviate} from the measurement by more than "
                f"noise explains ({place_list(self.deviating, self.outer)}): the scan is unlike what the model knows. "
                "Look at what was removed."
            )
        return tuple(found)

    @property
    def verdict(self) -> str:
        """Say in one sentence what to do with the result."""
        low, high = self.snr_range
        if not np.isfinite(self.chi_square):
            return "Not checked: the noise of the scan can't be measured."
        if 2 * len(self.deviating) > len(self.slices) or self.asked_for:
            because = "it isn't a magnitude image" if self.asked_for else "most slices deviate from the scan"
            return f"Don't trust: unlike the training data, because {because}."
        if self.deviating:
            return f"Look at {place_list(self.deviating, self.outer)}."
        if not low <= self.snr <= high:
            return (
                f"Fits the scan, but judge with care: its SNR is {self.snr:.0f}, the model knows {low:g} to {high:g}."
            )
        return "Fits the scan."

    @property
    def sentence(self) -> str:
        """Say the figures in one line."""
        if not np.isfinite(self.chi_square):
            return "The noise could not be measured, so the result was not checked against the scan."
        return (
            f"Degraded again, the result differs from the scan by {self.chi_square:.2f} times the noise's "
            f"variance (noise alone gives 1); {len(self.deviating)} of {len(self.slices)} slices {self._deviate}."
        )

    @property
    def _deviate(self) -> str:
        return "deviates" if len(self.deviating) == 1 else "deviate"

    def to_json(self) -> dict[str, Any]:
        """Give the figures with names, fit for JSON."""
        return {
            "verdict": self.verdict,
            "chi_square": _number(self.chi_square),
            "snr": _number(self.snr),
            "slices": [
                {"index": one.index} | {k: _number(getattr(one, k)) for k in ("chi_square", "peak", "snr")}
                for one in self.slices
            ],
            "deviating": list(self.deviating),
            "warnings": list(self.warnings),
        }


def place_list(indices: Sequence[int], outer: Sequence[tuple[str, int]], most: int = 3) -> str:
    """Write places in several volumes as a person would: "slices 4–6 at t 0; slice 5 at t 1"."""
    lengths = [length for _, length in outer]
    spatial = next((axis for axis, _ in outer if axis in SPATIAL_AXES), None)
    if spatial is None or math.prod(length for axis, length in outer if axis != spatial) == 1:
        return slice_list(indices)
    volumes: dict[str, list[int]] = {}
    for index in indices:
        place = {axis: int(k) for (axis, _), k in zip(outer, np.unravel_index(index, lengths), strict=True)}
        number = place.pop(spatial)
        volumes.setdefault(", ".join(f"{axis} {k}" for axis, k in place.items()), []).append(number)
    parts = [f"{slice_list(slices)} at {volume}" for volume, slices in list(volumes.items())[:most]]
    return "; ".join(parts + [f"{len(volumes) - most} more"] * (len(volumes) > most))


def slice_list(indices: Sequence[int], most: int = 4) -> str:
    """Write slices as a person would: "slice 3", "slices 4–6 and 9"."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    parts = [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]
    shown = parts[:most] + ([f"{len(parts) - most} more places"] if len(parts) > most else [])
    listed = " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
    return f"slice{'s' * (len(indices) > 1)} {listed}"


def _number(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
