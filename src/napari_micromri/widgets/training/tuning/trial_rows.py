"""The table of trials, without Qt: what each column says of a trial, and which trials are listed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_micromri.runs.words import duration
from napari_micromri.tuning.objectives import OBJECTIVES, at_length
from napari_micromri.tuning.points import searched
from napari_micromri.tuning.words import figure, setting
from napari_micromri.widgets.shared.columns import Column
from napari_micromri.widgets.training.tuning.words import setting_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.tuning.state import TrialRow, TuneState

Wanted: TypeAlias = Literal["all", "best", "running", "done", "pruned", "failed", "waiting"]
FILTERS: Mapping[Wanted, str] = {
    "all": "All begun",
    "best": "Best",
    "running": "Running",
    "done": "Done",
    "pruned": "Pruned",
    "failed": "Failed",
    "waiting": "Waiting",
}


@dataclass(frozen=True)
class Row:
    """A trial in the table; ``interrupted`` if another one continues it, since its worker was stopped or died."""

    trial: TrialRow
    best: bool
    interrupted: bool


@dataclass(frozen=True)
class Table:
    """The rows, what the columns say of them, and the longest text of each column."""

    rows: tuple[Row, ...]
    columns: tuple[Column[Row], ...]
    longest: tuple[str, ...]

    def passes(self, row: Row, wanted: Wanted, words: str) -> bool:
        """Tell whether a trial is listed; every word must occur in one of its columns, or in its reason."""
        state = row.trial.state
        if not (state == wanted or (wanted == "best" and row.best) or (wanted == "all" and state != "waiting")):
            return False
        text = " ".join((*(column.text(row) for column in self.columns), row.trial.reason)).casefold()
        return all(word in text for word in words.casefold().split())


def make_table(state: TuneState) -> Table:
    """List the trials by their numbers."""
    interrupted = {row.retry_of for row in state.trials}
    rows = tuple(Row(row, row.number in state.best, row.number in interrupted) for row in state.trials)
    columns = (
        Column("#", "Number of the trial", lambda row: str(row.trial.number), lambda row: row.trial.number),
        Column("State", "Pruned: ended early, since others were better at that epoch", _state, _word),
        *(
            Column(OBJECTIVES[name].head, at_length(name), partial(_figure, name, place), partial(_value, place))
            for place, name in enumerate(state.objectives)
        ),
        Column("Took", "How long it has been trained", _took, lambda row: row.trial.seconds),
        *(
            Column(setting_label(key), f"Setting: {key}", partial(_setting, key), partial(_key, key))
            for key in searched(state)
        ),
    )
    longest = tuple(max((column.text(row) for row in rows), key=len, default="") for column in columns)
    return Table(rows, columns, longest)


def _word(row: Row) -> str:
    return "Interrupted" if row.interrupted else row.trial.state.capitalize()


def _state(row: Row) -> str:
    return f"★ {_word(row)}" if row.best else _word(row)


def _took(row: Row) -> str:
    return duration(row.trial.seconds) if row.trial.seconds is not None else ""


def _value(place: int, row: Row) -> float | None:
    value = row.trial.reached(place)
    return value if math.isfinite(value) else None


def _figure(name: str, place: int, row: Row) -> str:
    """Write what a trial reached, in brackets before its end."""
    if math.isnan(value := row.trial.reached(place)):
        return ""
    return figure(name, value) if row.trial.state == "done" else f"({figure(name, value)})"


def _setting(key: str, row: Row) -> str:
    return setting(row.trial.parameters[key]) if key in row.trial.parameters else "–"


def _key(key: str, row: Row) -> float | str | None:
    if key not in row.trial.parameters:
        return None
    value = row.trial.parameters[key]
    return value if isinstance(value, int | float) and not isinstance(value, bool) else setting(value)
