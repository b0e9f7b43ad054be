"""The trials of a tuning as a table for other programs: CSV."""

from __future__ import annotations

import json
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
        write_csv(file, columns, (_cells(state, row, names) for row in state.trials))


def parameter_names(state: TuneState) -> list[str]:
    """List what was searched: as the space has it, and what else trials have."""
    names = list(state.config.space.parameters) if state.config is not None else []
    return list(dict.fromkeys([*names, *(name for row in state.trials for name in row.parameters)]))


def _cells(state: TuneState, row: TrialRow, names: list[str]) -> list[Any]:
    values = row.values or ()
    before = [row.number, row.state, int(row.number in state.best), row.origin, row.retry_of]
    figures = [values[place] if place < len(values) else None for place in range(len(state.objectives))]
    parameters = [_cell(row.parameters[name]) if name in row.parameters else None for name in names]
    after = [row.epoch, row.epochs_planned, moment(row.started), row.seconds, row.worker, row.run, row.reason]
    return [*before, *figures, *parameters, *after]


def _cell(value: object) -> object:
    return value if isinstance(value, str | float) or type(value) is int else json.dumps(value)


def moment(seconds: float | None) -> str | None:
    """Write a time as ISO 8601 with its zone."""
    return None if seconds is None else datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
