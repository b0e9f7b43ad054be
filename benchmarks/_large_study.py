"""A study as large as the published one, of made-up scans: 24 animals, 2 regions, 3 planes, 30 slices each."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.study.files import ZARR_JSON, write_json
from napari_micromri.study.metadata import PAIR_KEY, group_document, pair_to_json
from napari_micromri.study.model import Crop, Marks, Pair, PairReport, StudyImage
from napari_micromri.study.placing import make_parents
from napari_micromri.study.quality import measure_slices
from napari_micromri.study.store import Study

if TYPE_CHECKING:
    from pathlib import Path

REGIONS = ("head-thorax", "thorax-abdomen")
PLANES = ("transaxial", "coronal", "sagittal")
REPORT = PairReport(
    extent_difference=0.0,
    shift=(0.03, -0.02),
    shift_spread=0.01,
    correlation=0.97,
    intensity_ratio=1.02,
    lr_snr=15.0,
    hr_snr=30.0,
)


def make_large_study(path: Path, *, subjects: int = 24, slices: int = 30, size: int = 300) -> Study:
    """Build one pair (LR of half the size) and copy its files under the names of all others."""
    study = Study.create(path)
    first, lr, hr = _pair("mouse 01/head-thorax/transaxial", slices, size)
    first = study.add_pair(first, lr, hr)
    rng = np.random.default_rng(0)
    for number, region, plane in list(product(range(1, subjects + 1), REGIONS, PLANES))[1:]:
        subject = f"mouse {number:02}"
        key = f"{subject}/{region}/{plane}"
        jitter = rng.normal(1, 0.05, slices)
        quality = tuple(
            {name: value * wobble for name, value in row.items()}
            for row, wobble in zip(first.quality, jitter, strict=True)
        )
        pair = replace(first, key=key, subject=subject, region=region, plane=plane, quality=quality)
        shutil.copytree(path / first.key, make_parents(path, key))
        write_json({path / key / ZARR_JSON: group_document({PAIR_KEY: pair_to_json(pair)})})
    return Study.open(path)


def _pair(key: str, slices: int, size: int) -> tuple[Pair, Scan, Scan]:
    rng = np.random.default_rng(0)
    y, x = np.meshgrid(*2 * (np.linspace(-1, 1, size),), indexing="ij")
    good = (1000 * np.clip(1.2 - 1.5 * (y**2 + x**2), 0, 1) + rng.normal(0, 20, (slices, size, size))).clip(0)
    hr = good.astype(np.float32)
    lr = hr.reshape(slices, size // 2, 2, size // 2, 2).mean((2, 4))
    info = ScanInfo(
        name=key, axes="zyx", voxel_size=(0.6, 0.1, 0.1), direction=((0, 0, 1), (0, 1, 0), (1, 0, 0)), averages=4
    )
    coarse = info.resampled({"y": 0.5, "x": 0.5})
    subject, region, plane = key.split("/")
    pair = Pair(
        key=key,
        subject=subject,
        region=region,
        plane=plane,
        session=None,
        lr=StudyImage((slices, size // 2, size // 2), "float32", coarse),
        hr=StudyImage((slices, size, size), "float32", info),
        shift=(0.03, -0.02),
        report=REPORT,
        quality=measure_slices(lr, hr),
        sources={"made": "for a benchmark"},
        digest="",
        marks=Marks({0: "outside"}, Crop(20, size - 20, 40, size - 40)),
    )
    return pair, Scan(lr, coarse), Scan(hr, info)
