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
from napari_micromri.inference.trust_report import SliceTrust, TrustReport
from napari_micromri.measure.noise import estimate_noise
from napari_micromri.progress import never, no_progress
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_micromri.progress import Progress, ShouldStop

MOST_SLICES = 64
"""So many slices of a scan are looked at, evenly spread."""

SNR_RANGE = (5.0, 40.0)
"""What the shipped models were trained for."""


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
