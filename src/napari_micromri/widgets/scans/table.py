"""The table of scans: thumbnails, check boxes, sorting and searching."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import (
    QRectF,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from qtpy.QtGui import QImage, QPainter, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView

from napari_micromri.study.choosing import kinds_of
from napari_micromri.widgets.scans.columns import COLUMNS, describe, matches, protocol
from napari_micromri.widgets.shared.table import Index, RowsModel, RowsView

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_micromri.study.choosing import Kind
    from napari_micromri.study.discovery import Found
    from napari_micromri.widgets.scans.finding import Picture

THUMBNAIL, ROW_HEIGHT = 44, 48
_WIDTHS = (168, 74, 108, 124, 64, 100, 112, 96, 120)


class ScansModel(RowsModel["Found"]):
    """A row for each scan, in the order in which they were found."""

    ticks_changed = Signal()

    def __init__(self) -> None:
        super().__init__([(column.title, column.tooltip) for column in COLUMNS])
        self.ticked: set[int] = set()
        self._thumbnails: dict[int, QPixmap] = {}
        self._empty = QPixmap(THUMBNAIL, THUMBNAIL)  # keeps the room, so that texts don't jump
        self._empty.fill(Qt.GlobalColor.transparent)

    def clear(self) -> None:
        """Show nothing."""
        self.ticked, self._thumbnails = set(), {}
        self.show_rows([])
        self.ticks_changed.emit()

    def forget_glimpsed(self) -> None:
        """Take away rows of scans of which only one file was read."""
        if not all(one.whole for one in self.rows):
            self.show_rows([one for one in self.rows if one.whole])

    def add_pictures(self, pictures: Iterable[Picture]) -> None:
        """Show thumbnails."""
        for picture in pictures:
            self._thumbnails[picture.number] = _pixmap(picture)
            index = self.index(picture.number, 0)
            self.dataChanged.emit(index, index, [int(Qt.ItemDataRole.DecorationRole)])

    def tick(self, rows: Iterable[int], wanted: bool) -> None:
        """Tick rows or take the ticks away."""
        chosen = set(rows)
        self.ticked = self.ticked | chosen if wanted else self.ticked - chosen
        self.redraw(0, len(self.rows) - 1)
        self.ticks_changed.emit()

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give what a place shows."""
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[column].text(self.rows[row])
        if role == Qt.ItemDataRole.ToolTipRole:
            return describe(self.rows[row])
        if column == 0 and role == Qt.ItemDataRole.DecorationRole:
            return self._thumbnails.get(row, self._empty)
        if column == 0 and role == Qt.ItemDataRole.CheckStateRole:
            return Qt.CheckState.Checked if row in self.ticked else Qt.CheckState.Unchecked
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Take a click on a check box."""
        if role != Qt.ItemDataRole.CheckStateRole:
            return False
        self.tick([index.row()], Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Rows can be chosen, and ticked in their first column; not those that are still being read."""
        base = super().flags(index)
        if not self.rows[index.row()].whole:
            return Qt.ItemFlag.NoItemFlags
        return base | Qt.ItemFlag.ItemIsUserCheckable if index.column() == 0 else base


class _Sorted(QSortFilterProxyModel):
    """Sorts by the keys of the columns and hides what the words don't fit."""

    def __init__(self, model: ScansModel) -> None:
        super().__init__()
        self._scans = model
        self._words = self._protocol = ""
        self._kind: str | None = None
        self._kinds: list[Kind] = []
        self.setSourceModel(model)

    def search(self, words: str) -> None:
        self._words = words
        self.invalidate()

    def choose(self, kind: str | None, of_protocol: str) -> None:
        if kind is not None or (kind, of_protocol) != (self._kind, self._protocol):
            self._kind, self._protocol, self._kinds = kind, of_protocol, []
            self.invalidate()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        scans = self._scans.rows
        one = scans[row]
        if self._protocol and protocol(one) != self._protocol:
            return False
        return self._is_of_kind(row) and (not self._words or matches(self._words, one))

    def _is_of_kind(self, row: int) -> bool:
        if self._kind is None:
            return True
        if len(self._kinds) != len(self._scans.rows):
            self._kinds = kinds_of(self._scans.rows)
        return self._kinds[row] == self._kind

    def lessThan(self, left: Index, right: Index) -> bool:
        key, scans = COLUMNS[left.column()].key, self._scans.rows
        return bool(key(scans[left.row()]) < key(scans[right.row()]))  # type: ignore[operator]


class ScansTable(RowsView):
    """Shows a `ScansModel`; ``opened`` is sent with the scan that is double-clicked, or chosen and Enter pressed."""

    opened = Signal(object)
    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.scans_model = ScansModel()
        self._sorted = _Sorted(self.scans_model)
        self.setModel(self._sorted)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # the ends of names tell them apart
        self.setShowGrid(False)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        for column, width in enumerate(_WIDTHS):
            self.setColumnWidth(column, width)
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.activated.connect(lambda index: self.opened.emit(self._scan_at(index)))
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen.emit())

    def sizeHint(self) -> QSize:
        """Ask for room for the first columns."""
        return QSize(sum(_WIDTHS[:3]) + self.verticalScrollBar().sizeHint().width(), 6 * ROW_HEIGHT)

    @property
    def shown(self) -> int:
        """Number of the scans that are shown."""
        return len(self._shown())

    def picked(self) -> list[Found]:
        """Give the ticked scans, or else the selected ones, in the order in which they were found."""
        return [self.scans_model.rows[row] for row in sorted(self.scans_model.ticked or self._selected())]

    def picked_or_all(self) -> list[Found]:
        """Give the ticked scans, or else several selected ones, or else all that are shown."""
        selected = self._selected()
        rows = self.scans_model.ticked or (selected if len(selected) > 1 else self._shown())
        return [self.scans_model.rows[row] for row in sorted(rows)]

    def select(self, scan: Found) -> None:
        """Select the row of a scan, unless something is selected already."""
        row = next((k for k, one in enumerate(self.scans_model.rows) if one is scan), None)
        if row is not None and not self._selected():
            index = self._sorted.mapFromSource(self.scans_model.index(row, 0))
            self.selectRow(index.row())
            self.scrollTo(index)

    def search(self, words: str) -> None:
        """Show only the rows in which each word stands."""
        self._sorted.search(words)

    def choose(self, kind: str | None, of_protocol: str) -> None:
        """Show only the rows of a kind, unless it is None, and of a protocol, unless that is empty."""
        self._sorted.choose(kind, of_protocol)

    def tick_visible(self, wanted: bool) -> None:
        """Tick all rows that are shown, or take all ticks away."""
        self.scans_model.tick(self._shown() if wanted else self.scans_model.ticked, wanted)

    def _selected(self) -> set[int]:
        return {self._sorted.mapToSource(index).row() for index in self.selectionModel().selectedRows()}

    def _shown(self) -> set[int]:
        count = self._sorted.rowCount()
        rows = {self._sorted.mapToSource(self._sorted.index(row, 0)).row() for row in range(count)}
        return {row for row in rows if self.scans_model.rows[row].whole}

    def _scan_at(self, index: Index) -> Found:
        return self.scans_model.rows[self._sorted.mapToSource(index).row()]


def _pixmap(picture: Picture) -> QPixmap:
    """Draw a picture with the proportions that it has in mm, in the middle of a square."""
    rows, columns = picture.pixels.shape
    square = QPixmap(THUMBNAIL, THUMBNAIL)
    square.fill(Qt.GlobalColor.transparent)
    image = QImage(picture.pixels.tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8)
    width, height = THUMBNAIL * min(1.0, picture.aspect), THUMBNAIL / max(1.0, picture.aspect)
    painter = QPainter(square)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(QRectF((THUMBNAIL - width) / 2, (THUMBNAIL - height) / 2, width, height), image)
    painter.end()
    return square
