"""The trials of a tuning as a table for other programs: CSV."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.csv_table import write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.tuning.state import TrialRow, TuneState

BEFORE = ("trial", "state", "best", "origin", "retry_of")
AFTER = ("epoch", "epochs_planned", "started", "seconds", "worker", "run", "reason")


def write_table(path: Path, state: TuneState, *, overwrite: bool = False) -> None:
    """Write a row per trial, in full precision; what was searched has its own columns, named as settings.

    Raises
    ------
    OutputExistsError, WriteError
        It is there already, or the system refused.
    """
    names = parameter_names(state)
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        columns = [*BEFORE, *state.objectives, *names, *AFTER]
        write_csv(file, columns, (_cells(state, row) for row in state.trials))


def parameter_names(state: TuneState) -> list[str]:
    """List what was searched: as the space has it, and what else trials have."""
    names = list(state.config.space.parameters) if state.config is not None else []
    return list(dict.fromkeys([*names, *(name for row in state.trials for name in row.parameters)]))


def record(state: TuneState, row: TrialRow) -> dict[str, Any]:
    """Give all that is known of a trial as JSON-like values."""
    figures = zip(state.objectives, row.values or (), strict=False)
    return {
        "number": row.number,
        "state": row.state,
        "values": {name: value if math.isfinite(value) else None for name, value in figures},
        "parameters": dict(row.parameters),
        "origin": row.origin,
        "epoch": row.epoch,
        "epochs_planned": row.epochs_planned,
        "started": moment(row.started),
        "seconds": row.seconds,
        "run": str(row.run) if row.run is not None else None,
        "worker": row.worker,
        "retry_of": row.retry_of,
        "reason": row.reason,
    }


def _cells(state: TuneState, row: TrialRow) -> dict[str, Any]:
    about = record(state, row)
    figures: dict[str, Any] = about["values"]
    parameters = {name: _cell(value) for name, value in row.parameters.items()}
    return about | {"trial": row.number, "best": int(row.number in state.best)} | figures | parameters


def _cell(value: object) -> object:
    return value if isinstance(value, str | float) or type(value) is int else json.dumps(value)


def moment(seconds: float | None) -> str | None:
    """Write a time as ISO 8601 with its zone."""
    return None if seconds is None else datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
