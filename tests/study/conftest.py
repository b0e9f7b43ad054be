"""A small study on the disk for every test that wants one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from study_samples import make_study

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.study.store import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Three subjects with one pair of four slices each."""
    return make_study(tmp_path / "mice.mri.zarr")
