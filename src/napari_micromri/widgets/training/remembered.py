"""What the dock remembers between sessions: the runs that were shown, newest first, and the study."""

from __future__ import annotations

import json
from pathlib import Path

from qtpy.QtCore import QSettings

RUNS, STUDY = "training/runs", "training/study"
KEPT = 12


def remembered_runs() -> list[Path]:
    """List the runs, newest first; some may be gone meanwhile."""
    value = _settings().value(RUNS)
    try:
        paths = json.loads(value) if isinstance(value, str) else []
    except ValueError:
        return []
    return [Path(path) for path in paths if isinstance(path, str)] if isinstance(paths, list) else []


def remember_run(path: Path) -> list[Path]:
    """Put a run first; gives the list."""
    runs = [path, *(known for known in remembered_runs() if known != path)][:KEPT]
    _settings().setValue(RUNS, json.dumps([str(run) for run in runs]))
    return runs


def remembered_study() -> Path | None:
    """Give the study that was trained on last."""
    value = _settings().value(STUDY)
    return Path(value) if isinstance(value, str) and value else None


def remember_study(path: Path) -> None:
    """Note the study that is trained on."""
    _settings().setValue(STUDY, str(path))


def _settings() -> QSettings:
    return QSettings("napari-micromri", "napari-micromri")
