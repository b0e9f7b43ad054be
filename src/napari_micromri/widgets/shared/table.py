"""Tables of many rows: a Qt model that keeps selection and scroll position where it can, and a view of whole rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from qtpy.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)
from qtpy.QtWidgets import QAbstractItemView, QTableView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_micromri.widgets.shared.columns import Column

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


class ColumnsModel(RowsModel[RowT]):
    """Rows of which each column says something. They are added at the end and change; few are ever taken away."""

    def __init__(self) -> None:
        super().__init__()
        self.made: Sequence[Column[RowT]] = ()

    def show_table(self, rows: Sequence[RowT], columns: Sequence[Column[RowT]]) -> None:
        """Show other rows; what stays the same isn't drawn again."""
        self.made = columns
        heads = tuple((column.title, f"{column.tooltip}. A click sorts.") for column in columns)
        known = len(self.rows)
        if heads != self.columns or len(rows) < known:
            self.show_rows(rows, heads)
            return
        changed = [place for place in range(known) if rows[place] != self.rows[place]]
        self.add_rows(rows[known:])
        self.rows = rows
        if changed:
            self.redraw(changed[0], changed[-1])

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        """Give the text of a place."""
        return self.made[index.column()].text(self.rows[index.row()]) if role == Role.DisplayRole else None


class SortedRows(QSortFilterProxyModel, Generic[RowT]):
    """Sorts a `ColumnsModel` by the keys of its columns, and shows only the rows that are wanted."""

    def __init__(self, model: ColumnsModel[RowT]) -> None:
        super().__init__()
        self._model = model
        self._wanted: Callable[[RowT], bool] = lambda _: True
        self.setSourceModel(model)

    def show_only(self, wanted: Callable[[RowT], bool]) -> None:
        """Show only these."""
        self._wanted = wanted
        self.invalidate()

    def row(self, index: Index) -> RowT:
        """Give what stands at a place."""
        return self._model.rows[self.mapToSource(index).row()]

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
        """Tell whether a row is wanted."""
        return self._wanted(self._model.rows[source_row])

    def lessThan(self, source_left: Index, source_right: Index) -> bool:
        """Compare two places, numbers before texts."""
        key = self._model.made[source_left.column()].key
        left, right = (key(self._model.rows[index.row()]) for index in (source_left, source_right))
        if left is None or right is None:
            last, other = (right, left) if self.sortOrder() == Qt.SortOrder.AscendingOrder else (left, right)
            return last is None and other is not None
        return (isinstance(left, str), left) < (isinstance(right, str), right)


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
