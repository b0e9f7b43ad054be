"""The table of trials: sorted by a click on a head, filtered, and changed in place while trials run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSortFilterProxyModel, Qt, Signal  # type: ignore[attr-defined,unused-ignore]

from napari_micromri.widgets.shared.parts import pass_on_text
from napari_micromri.widgets.shared.table import Index, Role, RowsModel, RowsView
from napari_micromri.widgets.shared.theme import readable
from napari_micromri.widgets.training.tuning.words import COLOURS

if TYPE_CHECKING:
    from qtpy.QtGui import QColor, QKeyEvent

    from napari_micromri.widgets.training.tuning.trial_rows import Cell, Row, Table, Wanted

HEIGHT = 190
MOST_WIDTH = 130
ARROW, AROUND = 14, 12
"""Pixels for the arrow that tells the order, and beside a text."""

STATE_COLUMN = 1


class TrialModel(RowsModel["Row"]):
    """Holds the rows of a `Table`; they are added at the end and changed, never taken away."""

    def __init__(self) -> None:
        super().__init__()
        self.colours: dict[str, QColor] = {}

    def take_colours(self, colours: dict[str, QColor]) -> None:
        """Show the states in other colours."""
        if colours != self.colours:
            self.colours = colours
            self.redraw(0, len(self.rows) - 1)

    def show_table(self, table: Table) -> None:
        """Change to another table; what stays the same isn't drawn again."""
        heads = tuple((short, f"{long}. A click sorts.") for short, long in table.heads)
        known = len(self.rows)
        if heads != self.columns or len(table.rows) < known:
            self.show_rows(table.rows, heads)
            return
        changed = [row for row in range(known) if table.rows[row] != self.rows[row]]
        self.add_rows(table.rows[known:])
        self.rows = table.rows
        if changed:
            self.redraw(changed[0], changed[-1])

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        """Give a cell."""
        row = self.rows[index.row()]
        if role == Role.DisplayRole:
            return row.cells[index.column()].text
        if role == Role.ToolTipRole:
            return row.tooltip
        if role == Role.ForegroundRole and index.column() == STATE_COLUMN:
            return self.colours.get(row.state)
        return None


class TrialOrder(QSortFilterProxyModel):
    """Sorts by figures, those that are missing last; lists only the trials that are wanted."""

    def __init__(self, model: TrialModel) -> None:
        super().__init__()
        self._model = model
        self._wanted: Wanted = "all"
        self._words = ""
        self.setSourceModel(model)
        self.setDynamicSortFilter(True)

    def choose(self, wanted: Wanted, words: str) -> None:
        """List only these."""
        self._wanted, self._words = wanted, words
        self.invalidate()

    def row(self, index: Index) -> Row:
        """Give what stands at a place."""
        return self._model.rows[self.mapToSource(index).row()]

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
        """Tell whether a trial is wanted."""
        return self._model.rows[source_row].passes(self._wanted, self._words)

    def lessThan(self, source_left: Index, source_right: Index) -> bool:
        """Compare two cells."""
        descending = self.sortOrder() == Qt.SortOrder.DescendingOrder
        return _key(self._cell(source_left), descending) < _key(self._cell(source_right), descending)

    def _cell(self, index: Index) -> Cell:
        return self._model.rows[index.row()].cells[index.column()]


def _key(cell: Cell, descending: bool) -> tuple[int, float, str]:
    if cell.order is None:
        return (-1 if descending else 2), 0.0, ""
    return (0, cell.order, "") if isinstance(cell.order, int | float) else (1, 0.0, cell.order)


class TrialTable(RowsView):
    """Shows the trials; ``chosen`` brings the number of the one that is selected, or None."""

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.trials = TrialModel()
        self.order = TrialOrder(self.trials)
        self.setModel(self.order)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.setFixedHeight(HEIGHT)
        self.setToolTip("The trials. One that is chosen shows its curves below.")
        self.verticalHeader().setDefaultSectionSize(20)
        self.horizontalHeader().setMinimumSectionSize(24)
        self._longest: dict[int, str] = {}
        self.trials.modelReset.connect(self._longest.clear)
        self.selectionModel().selectionChanged.connect(self._tell)
        self._take_colours()

    def show_table(self, table: Table) -> None:
        """Show these trials; what is selected and where it is scrolled to stay."""
        self.trials.show_table(table)
        self._widen_columns(table)

    def selected(self) -> int | None:
        """Give the trial that is selected."""
        rows = self.selectionModel().selectedRows()
        return self.order.row(rows[0]).trial if rows else None

    def select(self, trial: int) -> None:
        """Select a trial, if it is listed."""
        for place in range(self.order.rowCount()):
            index = self.order.index(place, 0)
            if self.order.row(index).trial == trial:
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
        for column, text in enumerate(table.longest):
            needed = max(font.horizontalAdvance(text), head.horizontalAdvance(table.heads[column][0]) + ARROW) + AROUND
            if text != self._longest.get(column):  # what the person changed meanwhile stays
                self._longest[column] = text
                self.setColumnWidth(column, min(needed, MOST_WIDTH))

    def _tell(self) -> None:
        self.chosen.emit(self.selected())
