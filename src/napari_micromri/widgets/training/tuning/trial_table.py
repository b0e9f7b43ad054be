"""The table of trials: sorted by a click on a head, filtered, and changed in place while trials run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt, Signal

from napari_micromri.widgets.shared.parts import pass_on_text
from napari_micromri.widgets.shared.table import ColumnsModel, Index, Role, RowsView, SortedRows
from napari_micromri.widgets.shared.theme import readable
from napari_micromri.widgets.training.tuning.trial_rows import Table
from napari_micromri.widgets.training.tuning.words import COLOURS

if TYPE_CHECKING:
    from qtpy.QtGui import QColor, QKeyEvent

    from napari_micromri.widgets.training.tuning.trial_rows import Row, Wanted

HEIGHT = 190
MOST_WIDTH = 130
ARROW, AROUND = 14, 12
"""Pixels for the arrow that tells the order, and beside a text."""

STATE_COLUMN = 1


class TrialModel(ColumnsModel["Row"]):
    """The rows of a `Table`, in the colours of their states."""

    def __init__(self) -> None:
        super().__init__()
        self.colours: dict[str, QColor] = {}

    def take_colours(self, colours: dict[str, QColor]) -> None:
        """Show the states in other colours."""
        if colours != self.colours:
            self.colours = colours
            self.redraw(0, len(self.rows) - 1)

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        """Give a cell."""
        trial = self.rows[index.row()].trial
        if role == Role.ToolTipRole:
            return trial.reason
        if role == Role.ForegroundRole and index.column() == STATE_COLUMN:
            return self.colours.get(trial.state)
        return super().data(index, role)


class TrialTable(RowsView):
    """Shows the trials; ``chosen`` sends the number of the selected one, or None."""

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.trials = TrialModel()
        self.order: SortedRows[Row] = SortedRows(self.trials)
        self.setModel(self.order)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.setFixedHeight(HEIGHT)
        self.setToolTip("The trials. Select one to see its curves below.")
        self.verticalHeader().setDefaultSectionSize(20)
        self.horizontalHeader().setMinimumSectionSize(24)
        self._longest: dict[int, str] = {}
        self._table = Table((), (), ())
        self.choose("all", "")
        self.trials.modelReset.connect(self._longest.clear)
        self.selectionModel().selectionChanged.connect(self._tell)
        self._take_colours()

    def show_table(self, table: Table) -> None:
        """Show these trials; what is selected and where it is scrolled to stay."""
        self._table = table
        self.trials.show_table(table.rows, table.columns)
        self._widen_columns(table)

    def choose(self, wanted: Wanted, words: str) -> None:
        """List only some trials."""
        self.order.show_only(lambda row: self._table.passes(row, wanted, words))

    def selected(self) -> int | None:
        """Give the trial that is selected."""
        rows = self.selectionModel().selectedRows()
        return self.order.row(rows[0]).trial.number if rows else None

    def select(self, trial: int) -> None:
        """Select a trial, if it is listed."""
        for place in range(self.order.rowCount()):
            index = self.order.index(place, 0)
            if self.order.row(index).trial.number == trial:
                self.selectRow(place)
                self.scrollTo(index)
                return

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take only the keys that steer."""
        pass_on_text(event, super().keyPressEvent)

    def changeEvent(self, event: QEvent) -> None:
        """Follow napari's theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._take_colours()

    def _take_colours(self) -> None:
        self.trials.take_colours({state: readable(colour, self) for state, colour in COLOURS.items()})

    def _widen_columns(self, table: Table) -> None:
        """Make room for the longest text of each column; asking Qt for it would take it a while."""
        font, head = self.fontMetrics(), self.horizontalHeader().fontMetrics()
        for place, (column, text) in enumerate(zip(table.columns, table.longest, strict=True)):
            needed = max(font.horizontalAdvance(text), head.horizontalAdvance(column.title) + ARROW) + AROUND
            if text != self._longest.get(place):  # what the person changed meanwhile stays
                self._longest[place] = text
                self.setColumnWidth(place, min(needed, MOST_WIDTH))

    def _tell(self) -> None:
        self.chosen.emit(self.selected())
