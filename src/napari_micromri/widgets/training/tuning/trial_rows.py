"""The table of trials as rows of cells that can be sorted and searched, without Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_micromri.runs.words import duration
from napari_micromri.tuning.objectives import OBJECTIVES, at_length
from napari_micromri.tuning.points import searched
from napari_micromri.tuning.words import figure, setting
from napari_micromri.widgets.training.tuning.words import setting_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.tuning.state import TrialRow, TrialState, TuneState

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

INTERRUPTED = "Interrupted"
"""A trial that another one continues, since its worker was stopped or died."""


@dataclass(frozen=True)
class Cell:
    """``order`` is what a column is sorted by; a cell without one comes last either way."""

    text: str
    order: float | str | None


@dataclass(frozen=True)
class Row:
    """A trial in the table."""

    trial: int
    state: TrialState
    best: bool
    cells: tuple[Cell, ...]
    tooltip: str

    def passes(self, wanted: Wanted, words: str) -> bool:
        """Tell whether it is listed; every word must occur in one of its cells."""
        if not (
            self.state == wanted or (wanted == "best" and self.best) or (wanted == "all" and self.state != "waiting")
        ):
            return False
        text = " ".join((*(cell.text for cell in self.cells), self.tooltip)).casefold()
        return all(word in text for word in words.casefold().split())


@dataclass(frozen=True)
class Table:
    """Heads of the columns with what they mean, the rows, and the longest text of each column."""

    heads: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    longest: tuple[str, ...] = ()


def make_table(state: TuneState) -> Table:
    """List the trials by their numbers."""
    keys = searched(state)
    interrupted = {row.retry_of for row in state.trials}
    heads = [("#", "Number of the trial"), ("State", "Pruned: ended early, since others were better at that epoch")]
    heads += [(OBJECTIVES[name].head, at_length(name)) for name in state.objectives]
    heads += [("Took", "How long it has been trained"), *((setting_label(key), f"Setting: {key}") for key in keys)]
    rows = tuple(_row(state, row, keys, row.number in interrupted) for row in state.trials)
    longest = [max((row.cells[place].text for row in rows), key=len, default="") for place in range(len(heads))]
    return Table(tuple(heads), rows, tuple(longest))


def _row(state: TuneState, row: TrialRow, keys: list[str], interrupted: bool) -> Row:
    best = row.number in state.best
    word = INTERRUPTED if interrupted else row.state.capitalize()
    cells = [Cell(f"{row.number}", float(row.number)), Cell(f"★ {word}" if best else word, word)]
    cells += [_figure(name, row, place) for place, name in enumerate(state.objectives)]
    cells.append(Cell(duration(row.seconds), row.seconds) if row.seconds is not None else Cell("", None))
    cells += [_parameter(row, key) for key in keys]
    return Row(row.number, row.state, best, tuple(cells), row.reason)


def _figure(name: str, row: TrialRow, place: int) -> Cell:
    if row.values is not None and place < len(row.values):
        value, sure = row.values[place], row.state == "done"
    elif place == 0 and row.curve:
        value, sure = row.curve[-1][1], False
    else:
        return Cell("", None)
    text = figure(name, value)
    return Cell(text if sure else f"({text})", value if math.isfinite(value) else None)


def _parameter(row: TrialRow, key: str) -> Cell:
    if key not in row.parameters:
        return Cell("–", None)
    value = row.parameters[key]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(setting(value), float(value) if number else setting(value))  # type: ignore[arg-type]
