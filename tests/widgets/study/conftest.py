"""Pairs without files for the decisions, and studies on the disk for the dock."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from napari_micromri.scan import ScanInfo
from napari_micromri.study.model import Finding, Marks, Pair, PairReport, StudyImage


@dataclass(frozen=True)
class Suspected:
    key: str
    index: int
    score: float
    reasons: tuple[str, ...] = ("ghost in HR",)
    suggested_reason: str | None = "ghost"


@pytest.fixture
def suspected():
    return Suspected


@pytest.fixture
def make_pair():
    """Build a pair of 4 slices, LR 8 x 6 in 2 mm pixels, HR 16 x 12 in 1 mm pixels, over one field of view."""

    def make(subject="mouse 06", region="head-thorax", plane="coronal", *, slices=4, warnings=(), **more):
        def image(rows, columns, size):
            info = ScanInfo(
                name="scan", axes="zyx", voxel_size=(3.0, size, size), origin=(5.0, 10 + size / 2, 20 + size / 2)
            )
            return StudyImage((slices, rows, columns), "float32", info)

        report = PairReport(
            extent_difference=0.0,
            shift=(0.02, -0.01),
            shift_spread=0.01,
            correlation=0.95,
            intensity_ratio=2.0,
            lr_snr=12.0,
            hr_snr=float("nan"),
            findings=tuple(Finding(False, text) for text in warnings),
        )
        known = {
            "key": f"{subject}/{region}/{plane}",
            "session": None,
            "lr": image(8, 6, 2.0),
            "hr": image(16, 12, 1.0),
            "shift": (0.0, 0.0),
            "report": report,
            "quality": ({},) * slices,
            "sources": {},
            "digest": "",
            "marks": Marks(),
        }
        return Pair(subject=subject, region=region, plane=plane, **(known | more))

    return make


@pytest.fixture
def pixels(make_pair, make_scan):
    """A pair that is ready to be shown."""
    from napari_micromri.plugin.study_layers import PairPixels
    from napari_micromri.scan import Scan

    def make(pair=None):
        pair = pair or make_pair()
        rng = np.random.default_rng(0)
        lr, hr = (Scan(rng.random(image.shape, np.float32) * 100, image.info) for image in (pair.lr, pair.hr))
        return PairPixels(pair, lr, hr, (0.0, 100.0))

    return make


@pytest.fixture
def make_study(make_pair):
    """Make a study of three subjects with two planes each, four slices a pair."""
    from napari_micromri.scan import Scan
    from napari_micromri.study.store import Study

    def make(path, subjects=("mouse 01", "mouse 02", "mouse 03")):
        study = Study.create(path)
        rng = np.random.default_rng(0)
        for subject in subjects:
            for plane in ("coronal", "sagittal"):
                pair = make_pair(subject, plane=plane, key=study.free_key(subject, "head-thorax", plane))
                lr, hr = (Scan(rng.random(one.shape, np.float32) * 100, one.info) for one in (pair.lr, pair.hr))
                study.add_pair(pair, lr, hr)
        return study.path

    return make


_template = {}


@pytest.fixture
def study_path(make_study, tmp_path, tmp_path_factory):
    """Copy a study that is made once: writing it takes longer than most tests."""
    if "path" not in _template:
        _template["path"] = make_study(tmp_path_factory.mktemp("template") / "mice.mri.zarr")
    return Path(shutil.copytree(_template["path"], tmp_path / "mice.mri.zarr"))


@pytest.fixture
def other_study_path(make_study, tmp_path):
    return make_study(tmp_path / "others.mri.zarr", ("rat 1",))


@pytest.fixture
def read_only(monkeypatch):
    """Let a study stand where nobody may write; root may write everywhere, so that the rights alone don't do."""

    def forbid(path):
        monkeypatch.setattr("napari_micromri.study.store._is_writable", lambda place: False)

    return forbid


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    """Keep what is remembered between sessions out of the person's own settings."""
    remembered = {}
    monkeypatch.setattr("napari_micromri.widgets.study.dock.remember", lambda path: remembered.update(path=path))
    monkeypatch.setattr("napari_micromri.widgets.study.dock.recent", lambda: remembered.get("path"))
    return remembered
