"""A small study to test with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.study.model import Pair, PairReport, StudyImage
from napari_micromri.study.store import Study

if TYPE_CHECKING:
    from pathlib import Path

HR_SIZE = (0.6, 0.1, 0.1)
REPORT = PairReport(
    extent_difference=0.0,
    shift=(0.0, 0.0),
    shift_spread=0.01,
    correlation=0.98,
    intensity_ratio=1.0,
    lr_snr=15.0,
    hr_snr=30.0,
)


def make_scans(
    *, slices: int = 4, shape: tuple[int, int] = (16, 24), factor: int = 2, seed: int = 0, name: str = "scan"
) -> tuple[Scan, Scan]:
    """An LR and an HR scan of smooth blobs; ``shape`` is the LR one, both cover the same extent."""
    rng = np.random.default_rng(seed)
    hr_shape = (slices, shape[0] * factor, shape[1] * factor)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in hr_shape[1:]), indexing="ij")
    body = 1000 * np.clip(1.2 - 1.5 * (y**2 + x**2), 0, 1)
    hr = (body + rng.normal(0, 20, hr_shape)).clip(0).astype(np.float32)
    lr = hr.reshape(slices, shape[0], factor, shape[1], factor).mean((2, 4))
    info = ScanInfo(name=f"{name} good", axes="zyx", voxel_size=HR_SIZE, origin=(0.0, -1.0, 2.0))
    coarse = info.resampled({"y": 1 / factor, "x": 1 / factor})
    return Scan(lr, coarse), Scan(hr, info)


def make_pair(
    key: str,
    lr: Scan,
    hr: Scan,
    *,
    shift: tuple[float, float] = (0.0, 0.0),
    session: str | None = None,
    quality: tuple[dict[str, float], ...] | None = None,
) -> Pair:
    """A pair whose names are those of its key."""
    subject, region, plane = key.split("/")
    return Pair(
        key=key,
        subject=subject,
        region=region,
        plane=plane,
        session=session,
        lr=image_of(lr),
        hr=image_of(hr),
        shift=shift,
        report=REPORT,
        quality=tuple({"hr_snr": 30.0 + k} for k in range(hr.shape[0])) if quality is None else quality,
        sources={"made": "for a test"},
        digest="",
    )


def image_of(scan: Scan) -> StudyImage:
    slices, rows, columns = scan.shape
    return StudyImage((slices, rows, columns), scan.dtype.name, scan.info)


def make_study(
    path: Path,
    *,
    subjects: int = 3,
    slices: int = 4,
    shape: tuple[int, int] = (16, 24),
    planes: tuple[str, ...] = ("coronal",),
) -> Study:
    """A study of ``mouse 01`` and so on, one pair for each plane, in the region ``head-thorax``."""
    study = Study.create(path)
    for number in range(1, subjects + 1):
        for k, plane in enumerate(planes):
            key = study.free_key(f"mouse {number:02}", "head-thorax", plane)
            lr, hr = make_scans(slices=slices, shape=shape, seed=10 * number + k, name=key)
            study.add_pair(make_pair(key, lr, hr), lr, hr)
    return study
