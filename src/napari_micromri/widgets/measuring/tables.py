"""The table of figures, and the list of regions, as Qt models: only what is seen is drawn, however long they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from qtpy.QtCore import (  # type: ignore[attr-defined,unused-ignore]
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from napari_micromri.widgets.measuring.model import COLUMNS, IMAGE_COLUMN, slice_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_micromri.measure.comparison_rows import Row
    from napari_micromri.measure.roi import Roi
    from napari_micromri.scan import Scan

Role = Qt.ItemDataRole
Index: TypeAlias = QModelIndex | QPersistentModelIndex
NO_PARENT = QModelIndex()


class FiguresModel(QAbstractTableModel):
    """One row per region, slice and image."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[Row] = ()
        self._short: Mapping[str, str] = {}

    def show(self, rows: Sequence[Row], short: Mapping[str, str]) -> None:
        """Show other rows; where only figures changed, what is selected stays."""
        if len(rows) == len(self.rows):
            self.rows, self._short = rows, short
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(COLUMNS) - 1))
            return
        self.beginResetModel()
        self.rows, self._short = rows, short
        self.endResetModel()

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        """Count the rows."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        """Count the columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        """Give a cell's text, and the doubts as its tooltip."""
        row, column = self.rows[index.row()], COLUMNS[index.column()]
        if role == Role.DisplayRole:
            return self._short.get(row.image, row.image) if index.column() == IMAGE_COLUMN else column.text(row)
        if role == Role.ToolTipRole:
            image = row.image if index.column() == IMAGE_COLUMN else ""
            return "\n".join([*filter(None, [image]), *(one.text for one in row.cautions)])
        if role == Role.TextAlignmentRole and index.column() > IMAGE_COLUMN:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:
        """Give a column's title and what it means."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Role.DisplayRole:
            return COLUMNS[section].title
        return COLUMNS[section].tooltip if role == Role.ToolTipRole else None


class RegionsModel(QAbstractTableModel):
    """One row per shape of the ROI layer: its name and kind can be changed; the shapes themselves stay in the layer."""

    renamed = Signal(int, str)
    kind_changed = Signal(int, str)
    TITLES = ("Name", "Background", "Slice")
    TOOLTIPS = (
        "Double-click to rename. One name on several slices means one tissue.",
        "Tick what the others are compared with.",
        "Slice, counted from 0 in the finest layer, and its place across the plane.",
    )

    def __init__(self) -> None:
        super().__init__()
        self.rois: Sequence[Roi | None] = ()
        self._scan: Scan | None = None

    def show(self, rois: Sequence[Roi | None], scan: Scan | None = None) -> None:
        """Show other regions; slices are counted in a scan."""
        self._scan = scan
        if len(rois) == len(self.rois):
            self.rois = rois
            if rois:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rois) - 1, 2))
            return
        self.beginResetModel()
        self.rois = rois
        self.endResetModel()

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        """Count the rows."""
        return 0 if parent.isValid() else len(self.rois)

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        """Count the columns."""
        return 0 if parent.isValid() else len(self.TITLES)

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        """Give a cell's text or tick."""
        roi, column = self.rois[index.row()], index.column()
        if role in (Role.DisplayRole, Role.EditRole) and column != 1:
            if roi is None:
                return "(no ROI)" if column == 0 else ""
            return roi.name if column == 0 else slice_text(roi, self._scan)
        if role == Role.CheckStateRole and column == 1 and roi is not None:
            return Qt.CheckState.Checked if roi.kind == "background" else Qt.CheckState.Unchecked
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Say what can be changed."""
        flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
        if self.rois[index.row()] is None:
            return flags
        more = {0: Qt.ItemFlag.ItemIsEditable, 1: Qt.ItemFlag.ItemIsUserCheckable}
        return flags | more[index.column()] if index.column() in more else flags

    def setData(self, index: Index, value: Any, role: int = Role.EditRole) -> bool:
        """Ask for a change, which comes back from the layer."""
        if index.column() == 0 and role == Role.EditRole and str(value).strip():
            self.renamed.emit(index.row(), str(value).strip())
            return True
        if index.column() == 1 and role == Role.CheckStateRole:
            ticked = Qt.CheckState(value) == Qt.CheckState.Checked
            self.kind_changed.emit(index.row(), "background" if ticked else "roi")
            return True
        return False

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:
        """Give a column's title and what it means."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Role.DisplayRole:
            return self.TITLES[section]
        return self.TOOLTIPS[section] if role == Role.ToolTipRole else None
