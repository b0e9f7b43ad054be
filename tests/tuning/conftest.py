"""A study to learn from in a moment, and tunings of it whose trials really train."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from napari_micromri.study.model import Assign
from napari_micromri.tuning.config import TuneConfig, make_tune_config
from study_samples import make_study

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL: dict[str, Any] = {
    "network": {"features_main": [2, 3]},
    "upsampling": "sinc",
    "epochs": 2,
    "batch_size": 4,
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "scheduler": "none",
    "patience": None,
    "device": "cpu",
    "threads": 1,
    "workers": 0,
}
RATE = {"learning_rate": {"kind": "float", "low": 1e-5, "high": 1e-2, "log": True}}


@pytest.fixture(scope="session")
def made_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = make_study(tmp_path_factory.mktemp("study") / "mice.mri.zarr", subjects=2, shape=(8, 12))
    study.apply([Assign("mouse 02", "validation")])
    return study.path


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no disk: no power is cut here, and others may keep the disk busy."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def study(made_study: Path, tmp_path: Path) -> Path:
    """Two subjects of four slices, the second of them to judge by."""
    return shutil.copytree(made_study, tmp_path / made_study.name)


@pytest.fixture
def make_config(study: Path) -> Callable[..., TuneConfig]:
    """What a tuning is told with trials of a moment; ``base`` goes over their settings, any field can be given."""

    def make(base: dict[str, Any] | None = None, **fields: Any) -> TuneConfig:
        content: dict[str, Any] = {"name": "blobs", "study": str(study), "trials": 4, "pruner": "none"}
        content |= {"base": SMALL | (base or {}), "space": {"parameters": RATE}}
        return make_tune_config(**content | fields)

    return make
