"""A table that shows rows of plain cells: quick with thousands of rows, and quick to show changed ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent, QPainter
from qtpy.QtWidgets import (
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from napari_micromri.widgets.shared.parts import pass_on_text
from napari_micromri.widgets.shared.table import Index, RowsModel, RowsView

if TYPE_CHECKING:
    from collections.abc import Sequence

BAR_ROLE = int(Qt.ItemDataRole.UserRole) + 1
RED, AMBER, GREEN = QColor("#e05252"), QColor("#e0a33a"), QColor("#5a9e6f")


@dataclass(frozen=True)
class Cell:
    """What one place of a table shows. ``bar`` from 0 to 1 draws a bar behind the text."""

    text: str
    tooltip: str = ""
    colour: QColor | None = None
    bar: float | None = None


class CellsModel(RowsModel["tuple[Cell, ...]"]):
    """Rows of cells under fixed headings; columns named in ``editable`` can be typed into."""

    edited = Signal(int, int, str)

    def __init__(self, headings: Sequence[str], editable: Sequence[int] = ()) -> None:
        super().__init__([(heading, "") for heading in headings])
        self._editable = frozenset(editable)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give text, tooltip, colour or bar of a cell."""
        cell = self.rows[index.row()][index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return cell.text
            case Qt.ItemDataRole.ToolTipRole:
                return cell.tooltip or None
            case Qt.ItemDataRole.ForegroundRole:
                return cell.colour
        return cell.bar if role == BAR_ROLE else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Say what can be edited."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() in self._editable else flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Tell what was typed; whoever owns the rows decides what becomes of it."""
        if role != Qt.ItemDataRole.EditRole:
            return False
        self.edited.emit(index.row(), index.column(), str(value).strip())
        return True


class Table(RowsView):
    """Shows a `CellsModel`; the last column takes the room that is left, and wraps in rows of two lines."""

    chosen = Signal(int)

    def __init__(self, headings: Sequence[str], *, editable: Sequence[int] = (), bar: int | None = None) -> None:
        super().__init__()
        self.rows_model = CellsModel(headings, editable)
        self.setModel(self.rows_model)
        self.setShowGrid(False)
        self.verticalHeader().setDefaultSectionSize(self._height(1))
        self.horizontalHeader().setStretchLastSection(True)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        if bar is not None:
            self.setItemDelegateForColumn(bar, BarDelegate(self))
        self.clicked.connect(self._tell)
        self.activated.connect(self._tell)

    def set_widths(self, *widths: int) -> None:
        """Set the widths of the first columns, in letters."""
        letter = self.fontMetrics().averageCharWidth()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for k, width in enumerate(widths):
            self.setColumnWidth(k, width * letter + 12)

    def set_lines(self, *lines: int) -> None:
        """Set how many lines each row holds; a single number is for all rows, also later ones."""
        self.setWordWrap(max(lines, default=1) > 1)  # in a single line it would cut a text at the end of a word
        if len(lines) == 1:
            self.verticalHeader().setDefaultSectionSize(self._height(lines[0]))
        for k, count in enumerate(lines if len(lines) > 1 else ()):
            self.setRowHeight(k, self._height(count))

    def _height(self, lines: int) -> int:
        return lines * self.fontMetrics().height() + 6

    def show_row(self, index: int) -> None:
        """Highlight a row and scroll to it."""
        if 0 <= index < self.rows_model.rowCount():
            self.selectRow(index)
            self.scrollTo(self.rows_model.index(index, 0))
        else:
            self.clearSelection()

    def _tell(self, index: QModelIndex) -> None:
        self.chosen.emit(index.row())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave letters and digits to the curation keys."""
        pass_on_text(event, super().keyPressEvent)


class BarDelegate(QStyledItemDelegate):
    """Draws a number from 0 to 1 as a bar: green, amber from a quarter, red from a half."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw the bar over the text, through which it is seen."""
        super().paint(painter, option, index)  # first: a selected row's background would hide the bar
        value = index.data(BAR_ROLE)
        if value is not None:
            colour = QColor(RED if value >= 0.5 else AMBER if value >= 0.4 else GREEN)
            colour.setAlpha(130)
            box = QRectF(option.rect).adjusted(1, 2, -1, -2)
            box.setWidth(max(2.0, box.width() * min(1.0, value)))
            painter.fillRect(box, colour)
