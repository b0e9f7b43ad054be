"""A small study on the disk for every test that wants one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from napari_micromri.study.store import Study
from study_samples import make_study

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def study_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `study` copies, since that is quicker than building."""
    return make_study(tmp_path_factory.mktemp("template") / "mice.mri.zarr").path


@pytest.fixture
def study(tmp_path: Path, study_template: Path) -> Study:
    """Three subjects with one pair of four slices each."""
    return Study.open(shutil.copytree(study_template, tmp_path / "mice.mri.zarr"))
