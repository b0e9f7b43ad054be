"""Run directories to train in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_micromri.training.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.training.config import TrainConfig


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunFolder]:
    """Make a run directory for a configuration."""

    def make(config: TrainConfig, name: str = "run") -> RunFolder:
        folder = RunFolder(tmp_path / name)
        folder.create({"study": "study", "config": config.model_dump(mode="json")})
        return folder

    return make
