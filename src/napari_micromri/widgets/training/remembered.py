"""What the dock remembers between sessions: the runs and tunings that were shown, newest first, and the study."""

from __future__ import annotations

import json
import os
from pathlib import Path

from napari_micromri.widgets.shared.stored import stored

RUNS, STUDY = "training/runs", "training/study"
TUNINGS, WORKERS = "training/tunings", "training/workers"
KEPT = 12


def remembered_runs() -> list[Path]:
    """List the runs, newest first; some may be gone meanwhile."""
    return _paths(RUNS)


def remember_run(path: Path) -> list[Path]:
    """Put a run first; gives the list."""
    return _put_first(RUNS, path)


def remembered_tunings() -> list[Path]:
    """List the tunings, newest first; some may be gone meanwhile."""
    return _paths(TUNINGS)


def remember_tuning(path: Path) -> list[Path]:
    """Put a tuning first; gives the list."""
    return _put_first(TUNINGS, path)


def remembered_workers() -> int:
    """Say how many workers a tuning was last started with; two at first, where there are two cores."""
    value = stored().value(WORKERS)
    usual = min(2, os.cpu_count() or 1)
    return int(value) if isinstance(value, int | str) and str(value).isdigit() and int(value) > 0 else usual


def remember_workers(count: int) -> None:
    """Note how many workers a tuning is started with."""
    stored().setValue(WORKERS, count)


def remembered_study() -> Path | None:
    """Give the study that was trained on last."""
    value = stored().value(STUDY)
    return Path(value) if isinstance(value, str) and value else None


def remember_study(path: Path) -> None:
    """Note the study that is trained on."""
    stored().setValue(STUDY, str(path))


def _paths(key: str) -> list[Path]:
    value = stored().value(key)
    try:
        paths = json.loads(value) if isinstance(value, str) else []
    except ValueError:
        return []
    return [Path(path) for path in paths if isinstance(path, str)] if isinstance(paths, list) else []


def _put_first(key: str, path: Path) -> list[Path]:
    paths = [path, *(known for known in _paths(key) if known != path)][:KEPT]
    stored().setValue(key, json.dumps([str(known) for known in paths]))
    return paths
