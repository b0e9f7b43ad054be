"""A made-up colony in the report's folders: mice x 2 regions x 3 planes, fast and good scans, bad slices among them.

The digital mouse is a trunk of 30 mm without a head: its upper half stands for the report's head-thorax, its lower half
for thorax-abdomen.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.io import save_scan
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.simulation import faults, samples
from napari_micromri.simulation.acquisition import add_noise, foreground_mean, simulate_fast_scan
from napari_micromri.simulation.digital_mouse import digital_mouse_volume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGIONS = ("head-thorax", "thorax-abdomen")
PLANES = ("coronal", "sagittal", "transaxial")
BAD = 111 / 900
"""Part of the slices that is spoilt: what the report excluded."""

ALONG = {"coronal": "y", "sagittal": "y", "transaxial": "z"}
"""The axis from head to tail."""


def make_colony(folder: Path, mice: tuple[int, ...], slices: int) -> None:
    """Write what is missing of the scans, as ``HIGH RES/HEAD-THORAX/Mouse01/Coronal.nii.gz``, and ``planted.json``."""
    planted = {}
    for mouse, plane in product(mice, PLANES):
        for region, fast, good in _scans(mouse, plane, slices):
            files = [
                folder / f"{quality} RES" / region.upper() / f"Mouse{mouse:02}" / f"{plane.capitalize()}.nii.gz"
                for quality in ("LOW", "HIGH")
            ]
            rng = np.random.default_rng([mouse, PLANES.index(plane), REGIONS.index(region)])
            bad = {k: _spoil(fast, good, k, rng) for k in np.flatnonzero(rng.random(len(good.data)) < BAD).tolist()}
            planted[f"Mouse{mouse:02}/{region}/{plane}"] = bad
            for scan, file in zip((fast, good), files, strict=True):
                save_scan(scan, file)
    (folder / "planted.json").write_text(json.dumps(planted, indent=1))


def _scans(mouse: int, plane: str, slices: int) -> Iterator[tuple[str, Scan, Scan]]:
    """Scan the whole trunk fast and well, and cut both into the two regions."""
    info = ScanInfo(name=plane, axes="zyx", voxel_size=samples.VOXEL_SIZE, subject=f"Mouse{mouse:02}", plane=plane)
    clean = Scan(digital_mouse_volume(mouse, plane) * np.float32(samples.FULL_SCALE), info)
    fast = simulate_fast_scan(clean, factor=2, snr=samples.FAST_SNR, seed=mouse)
    sigma = foreground_mean(clean.read()) / samples.GOOD_SNR
    noisy = add_noise(clean.read().astype(np.complex64), sigma, np.random.default_rng([mouse, PLANES.index(plane)]))
    good = Scan(noisy, replace(info, averages=samples.GOOD_AVERAGES))
    for half, region in enumerate(REGIONS):
        yield region, *(_cut(scan, ALONG[plane], half, slices, region) for scan in (fast, good))


def _cut(scan: Scan, axis: str, half: int, slices: int, region: str) -> Scan:
    """Take one half of the animal, and the middle ``slices`` of it."""
    data, info = scan.read(), scan.info
    middle = len(data) // 2
    parts = {"z": (middle - slices // 2, slices)}
    length = data.shape["zyx".index(axis)] // 2
    start = half * length
    parts[axis] = (start + (length - slices) // 2, slices) if axis == "z" else (start, length)
    index = tuple(
        slice(first, first + count) for first, count in (parts.get(a, (0, data.shape[k])) for k, a in enumerate("zyx"))
    )
    origin = tuple(o + part.start * size for o, part, size in zip(info.origin, index, info.voxel_size, strict=True))
    return Scan(data[index].copy(), replace(info, origin=origin, region=region))


def _spoil(fast: Scan, good: Scan, k: int, rng: np.random.Generator) -> str:
    """Spoil one slice: noise, a ghost or motion in the fast scan, or nothing but noise in both."""
    kind = str(rng.choice(("noise", "ghost", "motion", "empty")))
    image, level = fast.data[k], foreground_mean(fast.data)
    sigma = level / samples.FAST_SNR
    match kind:
        case "noise":
            fast.data[k] = faults.noise_burst(image, 5 * sigma, rng)
        case "ghost":
            fast.data[k] = faults.ghost(image, 0.5, axis=int(rng.integers(2)))
        case "motion":
            lines = np.arange(-(image.shape[0] // 2), image.shape[0] // 2, 2).tolist()
            fast.data[k] = faults.motion(image, (0.08 * image.shape[0], 0), lines)
        case _:
            fast.data[k] = faults.only_noise(image.shape, sigma, rng)
            good.data[k] = faults.only_noise(good.data[k].shape, sigma / 2, rng)
    return kind
