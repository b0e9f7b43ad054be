"""Tables of many rows: a Qt model that keeps selection and scroll position where it can, and a view of whole rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from qtpy.QtCore import (  # type: ignore[attr-defined,unused-ignore]
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
)
from qtpy.QtWidgets import QAbstractItemView, QTableView

if TYPE_CHECKING:
    from collections.abc import Sequence

Role: TypeAlias = Qt.ItemDataRole
Index: TypeAlias = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()

RowT = TypeVar("RowT")


class RowsModel(QAbstractTableModel, Generic[RowT]):
    """Rows under columns, each a title and a tooltip; a table of its own says in ``data`` what a place shows."""

    def __init__(self, columns: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__()
        self.columns = tuple(columns)
        self.rows: Sequence[RowT] = ()

    def show_rows(self, rows: Sequence[RowT], columns: Sequence[tuple[str, str]] | None = None) -> None:
        """Show other rows; where their number and the columns stay, so do selection and scroll position."""
        wanted = self.columns if columns is None else tuple(columns)
        if len(rows) == len(self.rows) and wanted == self.columns:
            self.rows = rows
            self.redraw(0, len(rows) - 1)
            return
        self.beginResetModel()
        self.rows, self.columns = rows, wanted
        self.endResetModel()

    def add_rows(self, rows: Sequence[RowT]) -> None:
        """Add rows at the end; all else stays."""
        if rows:
            self.beginInsertRows(NOWHERE, len(self.rows), len(self.rows) + len(rows) - 1)
            self.rows = [*self.rows, *rows]
            self.endInsertRows()

    def redraw(self, first: int, last: int) -> None:
        """Have rows drawn again, since what they show has changed."""
        if first <= last:
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(self.columns) - 1))

    def rowCount(self, parent: Index = NOWHERE) -> int:
        """Count the rows."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = NOWHERE) -> int:
        """Count the columns."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:
        """Give a column's title and what it means."""
        if orientation != Qt.Orientation.Horizontal or section >= len(self.columns):
            return None
        title, tooltip = self.columns[section]
        return {Role.DisplayRole: title, Role.ToolTipRole: tooltip or None}.get(Role(role))


class RowsView(QTableView):
    """Shows rows that are chosen whole, one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
