"""Which scans are refused as no magnitudes by their values alone, and which are not.

Every magnitude of the data folder must pass: as it is, and as people hand on images (interpolated, cropped, smoothed,
masked, one slice, eight bits, denoised by the product). Made of the same slices, phases, real parts and field maps of
several shapes must be refused; some small noisy ones are not. The inside of a phantom full of one liquid can't be told
from a field map. Maps of T2 and ADC are shown for information: those with edges and noise look like
magnitudes, so that only a header or a name can tell. Headers and names are taken away from all.

    python benchmarks/domain.py
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_micromri.errors import ReadError
from napari_micromri.inference.domain import domain_of
from napari_micromri.io import open_scan
from napari_micromri.measure.image_quality import foreground
from napari_micromri.scan import Scan, ScanInfo

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts" / "models"))

from sources import data_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Values = NDArray[Any]

MOST_REFUSED, MOST_MISSED = 0.01, 0.03
NO_MAGNITUDE = ("_imag.", "_real.", "_seg_")
INFO = ScanInfo(name="scan", axes="zyx", voxel_size=(1.0, 1.0, 1.0))


def main() -> int:
    """Count, print, and fail when too many magnitudes are refused, or too many others are not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--denoise", type=int, default=20, help="denoise every so many scans (default %(default)s)")
    parser.add_argument("--slices", type=int, default=3, help="of each scan (default %(default)s)")
    parser.add_argument("--list", action="store_true", help="print what went the wrong way")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    refused: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for number, (name, values, magnitude) in enumerate(real_scans(options.slices)):
        rng = np.random.default_rng(number)
        for group, kind, image in variants(values, rng, magnitude=magnitude, denoised=number % options.denoise == 0):
            problem = domain_of(Scan(image, INFO)).problem
            refused[group, kind].append(problem is not None)
            if options.list and (problem is not None) == (group == "to pass"):
                print(f"  {name}, {kind}: {problem}", flush=True)
    print("| group | kind | refused | of |\n| --- | --- | ---: | ---: |")
    for (group, kind), found in sorted(refused.items()):
        print(f"| {group} | {kind} | {sum(found)} | {len(found)} |")
    passing, others = (
        [one for (group, _), found in refused.items() if group == wanted for one in found]
        for wanted in ("to pass", "to be refused")
    )
    missed = len(others) - sum(others)
    print(f"{sum(passing)} of {len(passing)} magnitudes were refused, {missed} of {len(others)} others were not")
    return int(sum(passing) > MOST_REFUSED * len(passing) or missed > MOST_MISSED * len(others))


def real_scans(count: int = 1) -> Iterator[tuple[str, Values, bool]]:
    """Yield a few slices of every scan in the data folder, and whether they are magnitudes."""
    folder = data_folder()
    for path in sorted([*folder.glob("*/*.nii.gz"), *folder.glob("*/*.tif"), *folder.glob("bruker/*/*")]):
        try:
            scans = open_scan(path)
        except ReadError:  # folders of broken studies are among them
            continue
        for scan in scans:
            flat = scan.data.reshape(-1, *scan.shape[-2:])
            chosen = np.unique(np.linspace(0, len(flat) - 1, count + 2).round().astype(int)[1:-1])
            yield scan.info.name, np.asarray(flat[chosen]), not any(part in path.name for part in NO_MAGNITUDE)


def variants(
    values: Values, rng: np.random.Generator, *, magnitude: bool, denoised: bool
) -> Iterator[tuple[str, str, Values]]:
    """Yield group, kind and slices of what is made of one scan."""
    if not magnitude:
        yield "to be refused", "real and imaginary parts, labels of the data folder", values
        return
    for kind, change in PASSING.items():
        yield "to pass", kind, change(values)
    if denoised:
        yield "to pass", "denoised by the product", _denoised(values)
    mask = np.stack([foreground(image) for image in values])
    for kind, make in REFUSED.items():
        yield "to be refused", kind, make(values.astype(float), mask, rng)
    for kind, make in UNDECIDED.items():
        yield "for information", kind, make(values.astype(float), mask, rng)


def _denoised(values: Values) -> Values:
    from napari_micromri.inference import denoise

    found: Values = denoise(Scan(values, INFO), "unet-default").read()
    return found


def _eight_bits(values: Values) -> Values:
    low, high = values.min(), np.percentile(values, 99.9)
    found: Values = np.clip((values - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    return found


def _middle(values: Values) -> Values:
    height, width = values.shape[1:]
    return values[:, height // 4 : height - height // 4, width // 4 : width - width // 4]


def _fourier(values: Values) -> Values:
    """Twice as many pixels by filling k-space with zeros."""
    height, width = values.shape[1:]
    padded = [(0, 0), (height // 2, height - height // 2), (width // 2, width - width // 2)]
    spectrum = np.fft.fftshift(np.fft.fft2(values), axes=(1, 2))
    return np.abs(np.fft.ifft2(np.fft.ifftshift(np.pad(spectrum, padded), axes=(1, 2)))) * 4


PASSING: dict[str, Callable[[Values], Values]] = {
    "as it is": lambda v: v,
    "one slice": lambda v: v[:1],
    "eight bits": _eight_bits,
    "middle of the slice": _middle,
    "masked to zero": lambda v: v * np.stack([ndimage.binary_fill_holes(foreground(one)) for one in v]),
    "twice the pixels, Fourier": _fourier,
    "twice the pixels, cubic": lambda v: ndimage.zoom(v.astype(np.float32), (1, 2, 2), order=3),
    "four times the pixels, cubic": lambda v: ndimage.zoom(v[:1].astype(np.float32), (1, 4, 4), order=3),
    "half the pixels": lambda v: v[:, ::2, ::2],
    "smoothed by 1 pixel": lambda v: ndimage.gaussian_filter(v.astype(np.float32), (0, 1, 1)),
    "smoothed by 2 pixels": lambda v: ndimage.gaussian_filter(v.astype(np.float32), (0, 2, 2)),
    "median of 3 x 3": lambda v: ndimage.median_filter(v, (1, 3, 3)),
    "inverse bias field": lambda v: v * (0.4 + _waves(v.shape, 0.5, np.random.default_rng(5))),
    "square root": lambda v: np.sqrt(np.maximum(v, 0)),
}


def _waves(shape: tuple[int, ...], turns: float, rng: np.random.Generator) -> Values:
    """Give a smooth field from 0 to 1: a sum of a few waves, of up to so many turns over a slice."""
    y, x = np.meshgrid(np.linspace(0, 1, shape[1]), np.linspace(0, 1, shape[2]), indexing="ij")
    waves = rng.uniform(-turns, turns, (4, 2))
    phases = rng.uniform(0, 2 * np.pi, 4)
    field = sum(np.sin(2 * np.pi * (a * y + b * x) + phase) for (a, b), phase in zip(waves, phases, strict=True))
    spread = np.ptp(field)
    field = np.broadcast_to((field - np.min(field)) / (spread if spread > 0 else 1), shape)
    return np.asarray(field)


def _complex(v: Values, mask: Values, rng: np.random.Generator, turns: float = 1.5) -> Values:
    """Give the object a smooth phase of a few turns, and all of the slice complex noise of SNR 20."""
    noise = v[mask].mean() / 20
    signal = np.where(mask, v, 0) * np.exp(2j * np.pi * turns * _waves(v.shape, 1.0, rng))
    found: Values = signal + noise * (rng.standard_normal(v.shape) + 1j * rng.standard_normal(v.shape))
    return found


def _phase(v: Values, mask: Values, rng: np.random.Generator) -> Values:
    return np.angle(_complex(v, mask, rng))


def _unsigned(phase: Values) -> Values:
    return ((phase / np.pi + 1) * 2047.5).round().astype(np.uint16)


def _field(v: Values, mask: Values, rng: np.random.Generator) -> Values:
    return 150 * (_waves(v.shape, 0.8, rng) - 0.5) + rng.normal(0, 1, v.shape)


REFUSED: dict[str, Callable[[Values, Values, np.random.Generator], Values]] = {
    "phase": _phase,
    "phase, unsigned": lambda v, m, rng: _unsigned(_phase(v, m, rng)),
    "phase, masked": lambda v, m, rng: np.where(m, _phase(v, m, rng), 0),
    "phase, unsigned, masked": lambda v, m, rng: np.where(m, _unsigned(_phase(v, m, rng)), 0),
    "real part": lambda v, m, rng: _complex(v, m, rng).real,
    "imaginary part": lambda v, m, rng: _complex(v, m, rng).imag,
    "B0 map": _field,
    "B0 map, masked": lambda v, m, rng: np.where(m, _field(v, m, rng), 0),
    "B0 map, positive": lambda v, m, rng: 500 + _field(v, m, rng),
    "B1 map in %, masked": lambda v, m, rng: np.where(
        m, 70 + 60 * _waves(v.shape, 0.6, rng) + rng.normal(0, 1, v.shape), 0
    ),
}


def _t2(v: Values, mask: Values, rng: np.random.Generator) -> Values:
    """Fit a decay to two noisy echoes of tissues whose T2 follows the brightness."""
    true = 30 + 60 * np.clip(v / np.percentile(v[mask], 99), 0, 1)
    noise = v[mask].mean() / 20
    first, second = (np.abs(v * np.exp(-t / true) + rng.normal(0, noise, v.shape)) + 1e-6 for t in (10, 50))
    found: Values = np.nan_to_num(np.clip(40 / np.log(first / second), 0, 300))
    return found


UNDECIDED: dict[str, Callable[[Values, Values, np.random.Generator], Values]] = {
    "T2 map": _t2,
    "T2 map, masked": lambda v, m, rng: np.where(m, _t2(v, m, rng), 0),
    "ADC map, masked": lambda v, m, rng: np.where(
        m, 0.0007 + 0.001 * (v < np.median(v[m])) + rng.normal(0, 1e-4, v.shape), 0
    ),
}

if __name__ == "__main__":
    raise SystemExit(main())
