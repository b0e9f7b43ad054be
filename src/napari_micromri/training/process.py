"""Training in a process of its own, which outlives whoever started it: start, resume, stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.runs.process import start_job
from napari_micromri.runs.process import stop_job as stop_run
from napari_micromri.training.data import check_data
from napari_micromri.training.runner import create_run, reopen_run

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.runs.presence import Presence
    from napari_micromri.training.config import TrainConfig

__all__ = ["resume_run", "start_run", "stop_run"]


def start_run(config: TrainConfig, study: Path | str, path: Path | str, *, overwrite: bool = False) -> Presence:
    """Train in the background.

    Raises
    ------
    TrainingError, StudyError, ModelError, InputError
        See `napari_micromri.training.data.check_data` and `napari_micromri.training.runner.create_run`.
    """
    check_data(study)
    return start_job(create_run(config, study, path, overwrite=overwrite))


def resume_run(path: Path | str, *, study: Path | str | None = None) -> Presence:
    """Resume in the background.

    Raises
    ------
    TrainingError
        See `napari_micromri.training.runner.reopen_run`.
    """
    return start_job(reopen_run(path, study=study))
