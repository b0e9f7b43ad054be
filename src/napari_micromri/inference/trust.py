"""Does a denoised scan still say what was measured? A check that needs no good scan.

What is left of a measured slice when its denoised one, degraded again, is taken away should be noise and nothing else
(`napari_micromri.inference.deviation`). In units of the noise its mean square is 1; more means that the result left the
measurement, less that it kept some of the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import CancelledError, InputError
from napari_micromri.inference.deviation import local_mean, squared_deviation, trust_map
from napari_micromri.inference.domain import split_spikes
from napari_micromri.measure.noise import estimate_noise
from napari_micromri.progress import never, no_progress
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_micromri.progress import Progress, ShouldStop

MOST_SLICES = 64
"""So many slices of a scan are looked at, evenly spread."""

DEVIATES = 1.5
"""Mean square over a slice beyond which it counts as unlike its measurement."""

DEVIATES_LOCALLY = 4.0
"""The same for the square where it is largest; noise alone reaches about 2.5 somewhere in a slice."""

SNR_RANGE = (5.0, 40.0)
"""What the shipped models were trained for."""


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
                f"{len(self.deviating)} of {len(self.slices)} slices deviate from the measurement by more than noise "
                f"explains ({place_list(self.deviating, self.outer)}): the scan is unlike what the model knows. "
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
            f"variance (noise alone gives 1); {len(self.deviating)} of {len(self.slices)} slices deviate."
        )

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


def check_trust(
    scan: Scan, denoised: Scan, *, select: Mapping[str, range] | None = None, slice_axis: str = "z"
) -> TrustReport:
    """Compare a denoised scan with what was measured.

    Parameters
    ----------
    scan, denoised
        The fast scan, and what `napari_micromri.inference.denoise` made of ``select`` of it along ``slice_axis``, or
        the file that it wrote; both are read slice by slice, at most `MOST_SLICES` of them.

    Raises
    ------
    InputError
        The two scans don't belong together.
    """
    made = _made(denoised)
    pairs = _Pairs.of(scan, denoised, select or {}, slice_axis, made)
    numbers = np.unique(np.linspace(0, pairs.total - 1, min(pairs.total, MOST_SLICES)).round().astype(int))
    found = []
    for number in map(int, numbers):
        measured, result = pairs.read(number)
        found.append(judge_slice(measured, result, pairs.index(number)))
    cautions = tuple(map(str, made.get("cautions", ())))
    lengths = dict(zip(scan.info.axes, scan.shape, strict=True))
    outer = tuple((axis, lengths[axis]) for axis in pairs.chosen)
    return TrustReport(tuple(found), pairs.total, _trained_for(denoised), cautions, bool(made.get("anyway")), outer)


def trust_scan(
    scan: Scan,
    denoised: Scan,
    *,
    select: Mapping[str, range] | None = None,
    slice_axis: str = "z",
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> Scan:
    """Make the `trust_map` of every denoised slice, on the fast scan's grid; as for `check_trust`.

    Raises
    ------
    CancelledError
        Stopped.
    """
    from napari_micromri.inference.plan import Plan

    pairs = _Pairs.of(scan, denoised, select or {}, slice_axis, _made(denoised))
    plan = Plan.of(scan, {axis: range(at, at + n) for axis, (at, n) in pairs.chosen.items()}, slice_axis, factor=1)
    result = np.empty(plan.shape, np.float32)
    for number in range(pairs.total):
        if should_stop():
            raise CancelledError("The map was stopped.")
        progress(number, pairs.total)
        result[plan.batch(number, 1).target] = plan.from_stack(trust_map(*pairs.read(number))[None])
    info = plan.info.with_step({"step": "trust map", "of": "mean square in units of the noise's variance"})
    return Scan(result, replace(info, name=f"{denoised.info.name} trust map"))


def place_list(indices: Sequence[int], outer: Sequence[tuple[str, int]], most: int = 3) -> str:
    """Write places in several volumes as a person would: "slices 4–6 at t 0; slice 5 at t 1"."""
    *others, (_, count) = outer or [("z", 0)]
    if math.prod(length for _, length in others) == 1:
        return slice_list(indices)
    volumes: dict[int, list[int]] = {}
    for index in indices:
        volumes.setdefault(index // count, []).append(index % count)
    parts = []
    for volume, slices in list(volumes.items())[:most]:
        at = np.unravel_index(volume, [length for _, length in others])
        parts.append(f"{slice_list(slices)} at {', '.join(f'{a} {k}' for (a, _), k in zip(others, at, strict=True))}")
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


def _made(denoised: Scan) -> Mapping[str, Any]:
    """Give the last step that denoised a scan."""
    steps = [step for step in denoised.info.provenance if step.get("step") == "denoise"]
    return steps[-1] if steps else {}


@dataclass(frozen=True)
class _Pairs:
    """The slices of a fast and a denoised scan that belong together.

    ``chosen`` gives the first index of the measured scan along each outer axis, and their number.
    """

    scan: Scan
    denoised: Scan
    plane: tuple[str, ...]
    chosen: Mapping[str, tuple[int, int]]
    offset: float

    @classmethod
    def of(
        cls, scan: Scan, denoised: Scan, select: Mapping[str, range], slice_axis: str, made: Mapping[str, Any]
    ) -> _Pairs:
        plane = tuple(axis for axis in scan.info.axes if axis in "zyx" and axis != slice_axis)
        sizes = dict(zip(denoised.info.axes, denoised.shape, strict=True))
        lengths = dict(zip(scan.info.axes, scan.shape, strict=True))
        if len(plane) != 2 or not set(plane) <= set(sizes):
            raise InputError(f"'{denoised.info.name}' is not '{scan.info.name}' denoised: their axes differ.")
        outer = [axis for axis in scan.info.axes if axis not in plane]
        chosen = {axis: (select[axis].start if axis in select else 0, sizes.get(axis, 1)) for axis in outer}
        if any(first + count > lengths[axis] for axis, (first, count) in chosen.items()):
            raise InputError(f"'{denoised.info.name}' is not '{scan.info.name}' denoised: it has more slices.")
        return cls(scan, denoised, plane, chosen, float(made.get("offset", 0.0)))

    @property
    def total(self) -> int:
        return math.prod(count for _, count in self.chosen.values())

    def read(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Read what was measured, (h, w), and what was made of it, (H, W)."""
        place = self._place(number)
        source = {axis: k + self.chosen[axis][0] for axis, k in place.items()}
        measured, result = _slice(self.scan, source, self.plane), _slice(self.denoised, place, self.plane)
        return _tame(measured - self.offset), _tame(result - self.offset)

    def index(self, number: int) -> int:
        """Count a slice over all outer axes of the measured scan."""
        lengths = dict(zip(self.scan.info.axes, self.scan.shape, strict=True))
        found = 0
        for axis, k in self._place(number).items():
            found = found * lengths[axis] + k + self.chosen[axis][0]
        return found

    def _place(self, number: int) -> dict[str, int]:
        counts = [count for _, count in self.chosen.values()]
        return {axis: int(k) for axis, k in zip(self.chosen, np.unravel_index(number, counts), strict=True)}


def _slice(scan: Scan, place: Mapping[str, int], plane: Sequence[str]) -> NDArray[np.float64]:
    """Read one slice, whatever the order of the other axes: a file may have put them in another."""
    index = tuple(slice(None) if axis in plane else place.get(axis, 0) for axis in scan.info.axes)
    return scan.read(index).astype(np.float64, copy=False)


def _tame(image: NDArray[np.float64]) -> NDArray[np.float32]:
    """Take out single voxels far above all others, as before denoising: their echo would spread over the slice."""
    with np.errstate(over="ignore"):
        values = image.astype(np.float32)
    holes = ~np.isfinite(values)
    return np.where(holes, values, split_spikes(np.where(holes, np.float32(0), values)[None])[0][0])


def _trained_for(denoised: Scan) -> tuple[float, float]:
    """Find the range of SNR that the model was trained for in the scan's history."""
    for step in reversed(denoised.info.provenance):
        known = step.get("snr_range")
        if isinstance(known, list | tuple) and len(known) == 2 and all(isinstance(v, int | float) for v in known):
            return float(known[0]), float(known[1])
    return SNR_RANGE


def judge_slice(measured: NDArray[np.float32], denoised: NDArray[np.float32], index: int = 0) -> SliceTrust:
    """Compare one denoised slice, (H, W), with what was measured, (h, w)."""
    estimate = estimate_noise(measured)
    if not (np.isfinite(estimate.snr) and estimate.sigma > 0):
        return SliceTrust(index, float("nan"), float("nan"), float("nan"))
    square = squared_deviation(measured, denoised, estimate.sigma)
    if not np.isfinite(square).any():
        return SliceTrust(index, float("nan"), float("nan"), estimate.snr)
    return SliceTrust(index, float(np.nanmean(square)), float(local_mean(square).max()), estimate.snr)


def _number(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
