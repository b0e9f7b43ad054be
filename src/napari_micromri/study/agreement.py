"""How well the two scans of a pair belong together: what the headers say, and what the pixels show."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import StudyError
from napari_micromri.measure.noise import noise_of_each, noise_of_several
from napari_micromri.study import likeness
from napari_micromri.study.matching import direction_mismatch, edges_in, slice_mismatch
from napari_micromri.study.model import Finding, PairReport

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_micromri.measure.noise import SliceNoise
    from napari_micromri.scan import Scan

    Volume = NDArray[np.float32]

MIN_CORRELATION, CLEAR_CORRELATION = 0.7, 0.9
"""Two scans of the same slices correlate by more than the first of what the noise of LR allows. Between the two, the
shift decides: it is the same in all slices, as long as they are the same."""

MIN_SNR = 3.0
RATIOS = (0.5, 2.0)
"""Range of usual ratios of the signals; outside of it scaling or contrast differ."""

MIN_SHIFT, MAX_SHIFT, MAX_SPREAD = 0.1, 2.0, 0.5
"""In LR pixels: shifts below the first aren't worth a correction, above the second or spread wider than the third not
trusted."""

LEAST_STATED = 1e-3
"""In LR pixels: headers that differ by less say the same."""

SATURATED = 1e-3
"""More pixels than this part at exactly the highest value are cut off."""

_WITH_SIGNAL = 0.3
_NOISE_SLICES = 9
_NAN_PAIR = (math.nan, math.nan)


def compare(lr: Scan, hr: Scan, noise: tuple[Sequence[SliceNoise], Sequence[SliceNoise]] | None = None) -> PairReport:
    """Measure how well two scans belong together.

    Both are laid on the LR grid as if they covered exactly the same extent, as they are in training: HR by cropping its
    k-space, with outer edges in place. Slices with little signal (empty ends) don't count.

    Parameters
    ----------
    lr, hr
        Axes ``zyx``, with the same number of slices; LR has no more rows and columns than HR.
    noise
        Of LR and HR, where it is measured for something else, too.

    Raises
    ------
    StudyError
        The scans can't be compared: axes, numbers of slices or rows and columns don't allow it.
    ReadError
        The pixels can't be read.
    """
    check_comparable(lr, hr)
    coarse, reduced, findings = _read(lr, hr)
    used = _with_signal(reduced)
    off = float(np.abs(edges_in(lr, hr.info)[1:] - edges_in(hr, hr.info)[1:]).max())
    header = list(_header_findings(lr, hr, off))
    if not len(used) or not coarse[used].any():
        nothing = PairReport(
            extent_difference=off,
            shift=_NAN_PAIR,
            shift_spread=math.nan,
            correlation=math.nan,
            intensity_ratio=math.nan,
            lr_snr=math.nan,
            hr_snr=math.nan,
        )
        if not any(finding.error for finding in findings):
            findings.append(Finding(True, "LR and HR can't be compared: one of them shows nothing but a flat field."))
        return _with(nothing, [*header, *findings])
    noise = noise or (noise_of_each(lr.data), noise_of_each(hr.data))
    report, sigma = _measure(lr, coarse, reduced, used, off, noise)
    seen = _seen(report, lr, coarse, reduced, used, sigma)
    return _with(report, [*header, *findings, *seen])


def alignment(
    report: PairReport, lr_voxel_size: tuple[float, ...], stated: tuple[float, float] = (0.0, 0.0)
) -> tuple[float, float]:
    """Give the (y, x) shift in mm that reading should undo, when it matters and the measured one can be trusted.

    Where headers and pixels agree, that is the one by the headers, ``stated``, which is exact. Where they don't, the
    pixels are believed: files disagree on what a position means.
    """
    pixels = np.abs(np.array(report.shift) / lr_voxel_size[-2:])
    trusted = (
        not any(finding.error for finding in report.findings)
        and bool((pixels < MAX_SHIFT).all())
        and report.shift_spread <= MAX_SPREAD * min(lr_voxel_size[-2:])
    )
    if trusted and (np.abs(np.subtract(report.shift, stated) / lr_voxel_size[-2:]) < MIN_SHIFT).all():
        return stated if np.abs(np.divide(stated, lr_voxel_size[-2:])).max() >= LEAST_STATED else (0.0, 0.0)
    return report.shift if trusted and float(pixels.max()) >= MIN_SHIFT else (0.0, 0.0)


def stated_shift(lr: Scan, hr: Scan) -> tuple[float, float]:
    """Give by how much, (y, x) in mm, the content of LR lies off that of HR by their headers, edge laid to edge."""
    y, x = (edges_in(hr, hr.info) - edges_in(lr, hr.info))[1:].mean(axis=1)
    return float(y), float(x)


def check_comparable(lr: Scan, hr: Scan) -> None:
    """Refuse scans that can't be the two of a pair, by their headers.

    Raises
    ------
    StudyError
        Axes, numbers of slices or rows and columns don't allow it.
    """
    for scan, what in ((lr, "LR"), (hr, "HR")):
        if scan.info.axes != "zyx" or scan.dtype.kind not in "uifb" or 0 in scan.shape:
            raise StudyError(
                f"A pair is made of stacks of magnitude slices, zyx, but {what} '{scan.info.name}' has the axes "
                f"{scan.info.axes}, the shape {scan.shape} and holds {scan.dtype}."
            )
    if lr.shape[0] != hr.shape[0]:
        raise StudyError(f"LR '{lr.info.name}' has {lr.shape[0]} slices and HR '{hr.info.name}' {hr.shape[0]}.")
    if lr.shape[1] > hr.shape[1] or lr.shape[2] > hr.shape[2]:
        raise StudyError(
            f"LR '{lr.info.name}' ({lr.shape[1]} × {lr.shape[2]}) is finer than HR '{hr.info.name}' "
            f"({hr.shape[1]} × {hr.shape[2]}). Are they exchanged?"
        )


@dataclass
class _Values:
    """What is noticed of the values of a scan while its slices pass by."""

    name: str
    finite: int = 0
    total: int = 0
    highest: float = -math.inf
    at_highest: int = 0

    def add(self, image: NDArray[Any]) -> Volume:
        """Take note of a slice and give it as finite float32."""
        valid = np.isfinite(image)
        self.finite += int(valid.sum())
        self.total += image.size
        if valid.any():
            top = image[valid].max()
            count = int((image == top).sum())
            if top > self.highest:
                self.highest, self.at_highest = float(top), count
            elif top == self.highest:
                self.at_highest += count
        return np.nan_to_num(image.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)

    def findings(self) -> Iterator[Finding]:
        """Say what is wrong with the values."""
        if not self.finite:
            yield Finding(True, f"{self.name} holds no finite value.")
        elif self.highest <= 0:
            yield Finding(True, f"{self.name} is empty: no value is above 0.")
        elif self.finite < self.total:
            yield Finding(False, f"{self.name} has {self.total - self.finite} values that are not finite numbers.")
        if self.highest > 0 and self.at_highest > max(SATURATED * self.total, 10):
            part = 100 * self.at_highest / self.total
            yield Finding(False, f"{self.name} is saturated: {part:.1f} % of its pixels are exactly {self.highest:g}.")


def _read(lr: Scan, hr: Scan) -> tuple[Volume, Volume, list[Finding]]:
    """Give LR, HR on the grid of LR, and what is wrong with their values."""
    from napari_micromri.simulation.acquisition import truncate_k_space

    low, high = _Values("LR"), _Values("HR")
    coarse, reduced = np.empty(lr.shape, np.float32), np.empty(lr.shape, np.float32)
    for k in range(lr.shape[0]):
        coarse[k] = low.add(lr.read(k))
        image = high.add(hr.read(k))
        reduced[k] = np.abs(truncate_k_space(image, (lr.shape[1], lr.shape[2])))
    return coarse, reduced, [*low.findings(), *high.findings()]


def _with_signal(volume: Volume) -> NDArray[np.intp]:
    spread = volume.std((1, 2))
    return np.flatnonzero((spread > _WITH_SIGNAL * spread.max()) & (spread > 0))


def _header_findings(lr: Scan, hr: Scan, off: float) -> Iterator[Finding]:
    subjects = lr.info.subject, hr.info.subject
    if None not in subjects and subjects[0] != subjects[1]:
        yield Finding(True, f"The headers name two subjects, '{subjects[0]}' and '{subjects[1]}'.")
    turned = direction_mismatch(lr, hr)
    if turned is not None:  # then neither places nor edges can be compared
        unknown = lr.info.direction is None or hr.info.direction is None
        yield Finding(not unknown, f"By the headers {turned}.")
        return
    if (apart := slice_mismatch(lr, hr)) is not None:
        yield Finding(True, f"By the headers {apart}.")
    voxel, a, b = lr.info.voxel_size[1:], edges_in(lr, hr.info)[1:], edges_in(hr, hr.info)[1:]
    if (np.minimum(a[:, 1], b[:, 1]) <= np.maximum(a[:, 0], b[:, 0])).any():
        yield Finding(True, "By the headers the fields of view don't overlap.")
    elif off > max(voxel) / 2 * (1 + 1e-6):
        yield Finding(
            False, f"The edges of the fields of view differ by up to {off:.3g} mm, more than half an LR pixel."
        )


def _measure(
    lr: Scan,
    coarse: Volume,
    reduced: Volume,
    used: NDArray[np.intp],
    off: float,
    noise: tuple[Sequence[SliceNoise], Sequence[SliceNoise]],
) -> tuple[PairReport, float]:
    """Measure the pixels; gives the report without findings, and the noise of LR."""
    from napari_micromri.measure.image_quality import foreground

    shifts = likeness.shifts_between(reduced[used], coarse[used])
    median = np.median(shifts, axis=0)
    voxel = np.array(lr.info.voxel_size[1:])
    masks = [foreground(reduced[k]) for k in used]
    signal = [(reduced[k][mask].mean(), coarse[k][mask].mean()) for k, mask in zip(used, masks, strict=True)]
    some = used[np.unique(np.linspace(0, len(used) - 1, _NOISE_SLICES).round().astype(int))]
    low, high = (noise_of_several(scan[k] for k in some) for scan in noise)
    report = PairReport(
        extent_difference=off,
        shift=(float(median[0] * voxel[0]), float(median[1] * voxel[1])),
        shift_spread=float((np.median(np.abs(shifts - median), axis=0) * voxel).max()),
        correlation=float(np.median(likeness.correlations(reduced[used], coarse[used], (median[0], median[1])))),
        intensity_ratio=float(np.median([high / low if low > 0 else math.nan for high, low in signal])),
        lr_snr=low.snr,
        hr_snr=high.snr,
    )
    return report, low.sigma


def _seen(
    report: PairReport, lr: Scan, coarse: Volume, reduced: Volume, used: NDArray[np.intp], sigma: float
) -> Iterator[Finding]:
    """Say what the pixels show."""
    expected = _expected_correlation(coarse[used], sigma)
    limit = CLEAR_CORRELATION if report.shift_spread > MAX_SPREAD * min(lr.info.voxel_size[1:]) else MIN_CORRELATION
    better = likeness.better_fit(reduced, coarse, used)
    if better is not None and better[1] >= CLEAR_CORRELATION * expected:
        yield Finding(True, f"LR looks {better[0]}, compared with HR.")
    elif report.correlation < limit * expected:
        yield Finding(
            True, f"LR and HR hardly look alike (correlation {report.correlation:.2f}): other slices or another animal?"
        )
    else:
        yield from _shift_findings(report, lr)
    if not RATIOS[0] <= report.intensity_ratio <= RATIOS[1]:
        yield Finding(False, f"The signal of HR is {report.intensity_ratio:.3g} times that of LR.")
    for name, snr in (("LR", report.lr_snr), ("HR", report.hr_snr)):
        if snr < MIN_SNR:
            yield Finding(False, f"{name} is very noisy: SNR {snr:.2g}.")


def _shift_findings(report: PairReport, lr: Scan) -> Iterator[Finding]:
    y, x = report.shift
    pixel = lr.info.voxel_size[1:]
    if report.shift_spread > MAX_SPREAD * min(pixel):
        yield Finding(
            False, f"The shift between LR and HR differs from slice to slice by {report.shift_spread:.2g} mm."
        )
    elif abs(y) > pixel[0] / 2 or abs(x) > pixel[1] / 2:
        corrected = alignment(report, pixel) != (0.0, 0.0)
        end = "it is undone when slices are read" if corrected else "too far to be undone"
        yield Finding(False, f"LR lies {y:+.2g} mm (down) and {x:+.2g} mm (right) off HR; {end}.")


def _expected_correlation(coarse: Volume, sigma: float) -> float:
    """Give the correlation of LR with what it would be without noise.

    Of the variance of an image of amplitudes and noise, the noise holds between 0.43 (background) and 1 (foreground)
    times sigma squared.
    """
    variance = float(np.median(coarse.var((1, 2))))
    return math.sqrt(max(0.0, 1 - 0.7 * sigma**2 / variance)) if variance > 0 else 1.0


def _with(report: PairReport, findings: list[Finding]) -> PairReport:
    return replace(report, findings=tuple(sorted(findings, key=lambda f: not f.error)))
