"""Good pairs made of real and drawn scans, and bad slices planted into them, for `curation.py`.

Strengths were written down before any score was tuned. The rule: a person who looks at the slice, with its neighbours
and the other scan of the pair at hand, would exclude it. In numbers, with S the mean foreground signal and sigma the
noise of the scan that is spoilt:

- noise: sigma grows 3 to 6 times, in LR, HR or both;
- ghost: a copy of 0.2 to 0.5 of the animal, at least 3 sigma, moved by 1/2, 1/3 or 1/4 of the field of view;
- dead lines: 1 to 4 rows or columns of zeros through the animal;
- lost k-space lines (2 to 6 of the central quarter), motion (a fifth to a half of the lines, by 2 to 8 % of the field
  of view): drawn again, stronger each time, until the change is visible;
- spike: stripes of 0.2 to 0.5 S, at least 2 sigma;
- swapped: two slices of one scan change places, 1 to 4 apart, if they differ visibly;
- shifted: LR or HR moved by 1 to 4 % of the field of view along each axis;
- empty: the first or last 1 to 3 slices hold nothing but noise, in both scans.

A change is visible when its RMS over the foreground is at least 0.15 S and 1.5 sigma.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.simulation import faults
from napari_micromri.simulation.acquisition import add_noise, foreground_mean, simulate_fast_scan, truncate_k_space

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Volume = NDArray[np.float32]

Kind: TypeAlias = Literal[
    "noise", "ghost", "dead lines", "lost k-space lines", "motion", "spike", "swapped", "shifted", "empty"
]
KINDS: tuple[Kind, ...] = get_args(Kind)

SOURCES = ("mouse trunk", "digital mouse", "rat head")
SNRS = (8.0, 12.0, 20.0, 30.0)
PLANTED = 0.15
"""Part of a pair's slices that is spoilt; 111 of 900 (0.12) is what a person excluded from a real study."""

VISIBLE, VISIBLE_SIGMA = 0.15, 1.5


@dataclass
class Planted:
    """A pair with bad slices, and where they are. ``signal`` and ``sigma`` are those of the good scans."""

    lr: Volume
    hr: Volume
    faults: dict[int, Kind]


def make_pair(source: str, snr: float, rng: np.random.Generator) -> tuple[Volume, Volume]:
    """Make a good pair: one of several matrix sizes, fields of view and factors, and not quite the same contrast."""
    volume, factor = _variant(_good(source, int(rng.integers(4))), rng)
    offset = rng.uniform(-0.5, 0.5, 2)
    seen = np.stack([faults.shift(image, (float(offset[0]), float(offset[1]))) for image in volume])
    seen = seen ** rng.uniform(0.85, 1.15)
    info = ScanInfo(name=source, axes="zyx", voxel_size=(1, 1, 1))
    fast = simulate_fast_scan(Scan(seen, info), factor=factor, snr=snr, seed=int(rng.integers(2**31)))
    return fast.read() * np.float32(rng.uniform(0.3, 3)), volume


def plant(lr: Volume, hr: Volume, snr: float, rng: np.random.Generator, kinds: Sequence[Kind]) -> Planted:
    """Spoil one or more slices per kind, no slice twice."""
    planted = Planted(lr.copy(), hr.copy(), {})
    pair = _Pair(planted, (_noise(lr, snr), _noise(hr, None)), (foreground_mean(lr), foreground_mean(hr)), rng)
    for kind in sorted(kinds, key=lambda k: k != "empty"):  # the ends are taken first
        PLANTERS[kind](pair, kind)
    return planted


@dataclass
class _Pair:
    planted: Planted
    sigma: tuple[float, float]
    signal: tuple[float, float]
    rng: np.random.Generator

    def scan(self, which: int) -> Volume:
        return (self.planted.lr, self.planted.hr)[which]

    def free(self) -> list[int]:
        return [k for k in range(len(self.planted.lr)) if k not in self.planted.faults]

    def take(self, kind: Kind) -> int:
        index = int(self.rng.choice(self.free()))
        self.planted.faults[index] = kind
        return index

    def which(self) -> tuple[int, ...]:
        """One of the scans, or both."""
        return ((0,), (1,), (0, 1))[int(self.rng.integers(3))]

    def visible(self, change: NDArray[Any], image: NDArray[Any], which: int) -> bool:
        inside = image > 0.3 * self.signal[which]
        rms = float(np.sqrt(np.mean(change[inside] ** 2))) if inside.any() else 0.0
        return rms >= max(VISIBLE * self.signal[which], VISIBLE_SIGMA * self.sigma[which])

    def until_visible(self, kind: Kind, spoil: Callable[[NDArray[Any], float], NDArray[Any]], which: int) -> None:
        """Spoil a slice, with a strength that grows from 0 to 1, until the change is visible."""
        index = self.take(kind)
        image = self.scan(which)[index].copy()
        for strength in np.linspace(0, 1, 12):
            result = spoil(image, float(strength))
            if self.visible(result - image, image, which):
                break
        self.scan(which)[index] = result


def _plant_noise(pair: _Pair, kind: Kind) -> None:
    index, factor = pair.take(kind), pair.rng.uniform(3, 6)
    for which in pair.which():
        sigma = pair.sigma[which] * float(np.sqrt(factor**2 - 1))
        pair.scan(which)[index] = faults.noise_burst(pair.scan(which)[index], sigma, pair.rng)


def _plant_ghost(pair: _Pair, kind: Kind) -> None:
    index, rng = pair.take(kind), pair.rng
    parts, axis, strength = int(rng.integers(2, 5)), int(rng.integers(2)), rng.uniform(0.2, 0.5)
    for which in pair.which():
        enough = max(strength, 3 * pair.sigma[which] / pair.signal[which])
        image = pair.scan(which)[index]
        pair.scan(which)[index] = faults.ghost(image, enough, parts=parts, axis=axis, phase=rng.uniform(0, 2 * np.pi))


def _plant_dead_lines(pair: _Pair, kind: Kind) -> None:
    index, which, axis = pair.take(kind), int(pair.rng.integers(2)), int(pair.rng.integers(2))
    image = pair.scan(which)[index]
    profile = image.mean(axis=1 - axis)
    first = int(pair.rng.choice(np.flatnonzero(profile > 0.5 * profile.max())))
    lines = range(first, min(first + int(pair.rng.integers(1, 5)), len(profile)))
    pair.scan(which)[index] = faults.dead_lines(image, lines, axis=axis)


def _plant_lost_k_lines(pair: _Pair, kind: Kind) -> None:
    which, axis = int(pair.rng.integers(2)), int(pair.rng.integers(2))

    def spoil(image: NDArray[Any], strength: float) -> NDArray[Any]:
        reach = max(round(image.shape[axis] / 8 * (1 - strength)), 4)
        count = 2 + round(4 * strength)
        lines = pair.rng.choice(np.arange(-reach, reach + 1), count, replace=False)
        return faults.lost_k_lines(image, lines.tolist(), axis=axis)

    pair.until_visible(kind, spoil, which)


def _plant_motion(pair: _Pair, kind: Kind) -> None:
    which, axis = int(pair.rng.integers(2)), int(pair.rng.integers(2))

    def spoil(image: NDArray[Any], strength: float) -> NDArray[Any]:
        count = image.shape[axis]
        lines = np.arange(count) - count // 2
        if pair.rng.random() < 0.5:
            lines = lines[:: int(pair.rng.integers(2, 4))]
        else:
            part = round(count * (0.2 + 0.3 * strength))
            first = int(pair.rng.integers(count // 2 - part + 1, count // 2 + 1))
            lines = lines[first : first + part]
        angle, distance = pair.rng.uniform(0, 2 * np.pi), (0.02 + 0.06 * strength) * count
        by = (float(np.cos(angle) * distance), float(np.sin(angle) * distance))
        return faults.motion(image, by, lines.tolist(), axis=axis)

    pair.until_visible(kind, spoil, which)


def _plant_spike(pair: _Pair, kind: Kind) -> None:
    index, which, rng = pair.take(kind), int(pair.rng.integers(2)), pair.rng
    image = pair.scan(which)[index]
    strength = max(rng.uniform(0.2, 0.5) * pair.signal[which], 2 * pair.sigma[which])
    at = (int(rng.integers(5, image.shape[0] // 3)), int(rng.integers(-image.shape[1] // 3, image.shape[1] // 3)))
    pair.scan(which)[index] = faults.spike(image, strength, at=at, phase=rng.uniform(0, 2 * np.pi))


def _plant_swapped(pair: _Pair, kind: Kind) -> None:
    which, free = int(pair.rng.integers(2)), pair.free()
    scan, noise = pair.scan(which), 2 * pair.sigma[which] ** 2
    near = [(a, b) for a in free for b in free if 1 <= b - a <= 4]
    for a, b in pair.rng.permutation(near).tolist():
        difference = np.sqrt(np.maximum((scan[a] - scan[b]) ** 2 - noise, 0))
        if pair.visible(difference, scan[a], which):
            scan[[a, b]] = scan[[b, a]]
            pair.planted.faults |= {a: kind, b: kind}
            return


def _plant_shifted(pair: _Pair, kind: Kind) -> None:
    index, which = pair.take(kind), int(pair.rng.integers(2))
    image = pair.scan(which)[index]
    part = pair.rng.uniform(0.01, 0.04, 2) * pair.rng.choice([-1, 1], 2)
    by = (round(part[0] * image.shape[0]) or 1, round(part[1] * image.shape[1]) or 1)
    pair.scan(which)[index] = faults.shift(image, by)


def _plant_empty(pair: _Pair, kind: Kind) -> None:
    count, length = int(pair.rng.integers(1, 4)), len(pair.planted.lr)
    indices = range(count) if pair.rng.random() < 0.5 else range(length - count, length)
    for index in indices:
        pair.planted.faults[index] = kind
        for which in (0, 1):
            shape = pair.scan(which)[index].shape
            pair.scan(which)[index] = faults.only_noise(shape, pair.sigma[which], pair.rng)


PLANTERS: dict[Kind, Callable[[_Pair, Kind], None]] = {
    "noise": _plant_noise,
    "ghost": _plant_ghost,
    "dead lines": _plant_dead_lines,
    "lost k-space lines": _plant_lost_k_lines,
    "motion": _plant_motion,
    "spike": _plant_spike,
    "swapped": _plant_swapped,
    "shifted": _plant_shifted,
    "empty": _plant_empty,
}


def data_folder() -> Path:
    """Find the folder of the real scans."""
    return Path(os.environ.get("MICROMRI_DATA", Path(__file__).parents[2] / "shared" / "data"))


@cache
def _good(source: str, animal: int) -> Volume:
    """Slices of a good scan; those with next to nothing in them are left out."""
    match source:
        case "mouse trunk":
            volume = np.moveaxis(_nifti("t2w_mouse_trunk/mouse_trunk_T2w.nii.gz"), 2, 0)
        case "rat head":
            volume = np.moveaxis(_nifti("t2w_rat_head/rat_head_T2w.nii.gz"), 1, 0)
        case _:
            volume = _drawn(animal)
    typical = np.median(volume.mean(axis=(1, 2)))
    return np.stack([image for image in volume if image.mean() > 0.2 * typical]).astype(np.float32)


def _nifti(path: str) -> Volume:
    import nibabel

    volume: Volume = nibabel.nifti1.Nifti1Image.from_filename(data_folder() / path).get_fdata(dtype=np.float32)
    return volume


def _drawn(animal: int) -> Volume:
    from napari_micromri.simulation.digital_mouse import digital_mouse_volume

    clean = digital_mouse_volume(animal, ("coronal", "transaxial", "sagittal")[animal % 3])
    rng = np.random.default_rng([animal, 7])
    return add_noise(clean.astype(np.complex64), foreground_mean(clean) / 35, rng)


def _variant(volume: Volume, rng: np.random.Generator) -> tuple[Volume, float]:
    """Choose the matrix, the field of view, the orientation, and how much coarser LR is."""
    rows, columns = volume.shape[1:]
    factor = 2.0
    choice = int(rng.integers(4))
    if choice == 1:  # a coarser matrix
        shape = (rows * 3 // 4 // 6 * 6, columns * 3 // 4 // 6 * 6)
        volume, factor = np.abs(truncate_k_space(volume, shape)).astype(np.float32), 1.5
    elif choice == 2:  # a smaller field of view
        volume = volume[:, rows // 10 : rows - rows // 10, columns // 10 : columns - columns // 10]
    if rng.random() < 0.5:
        volume = volume.transpose(0, 2, 1)
    even = volume[:, : volume.shape[1] // 2 * 2, : volume.shape[2] // 2 * 2]
    return np.ascontiguousarray(even[:: -1 if rng.random() < 0.5 else 1]), factor


def _noise(volume: Volume, snr: float | None) -> float:
    """Sigma of a good scan: known for the simulated one, measured for the other."""
    if snr is not None:
        return foreground_mean(volume) / snr
    from napari_micromri.measure.noise import estimate_noise

    return estimate_noise(volume).sigma
