"""The table of figures, and the list of regions, as Qt models: only what is seen is drawn, however long they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal

from napari_micromri.measure.comparison_rows import Row
from napari_micromri.measure.roi import Roi
from napari_micromri.widgets.measuring.model import COLUMNS, IMAGE_COLUMN, slice_text
from napari_micromri.widgets.shared.table import Index, Role, RowsModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_micromri.scan import Scan


class FiguresModel(RowsModel[Row]):
    """One row per region, slice and image."""

    def __init__(self) -> None:
        super().__init__([(column.title, column.tooltip) for column in COLUMNS])
        self._short: Mapping[str, str] = {}

    def show(self, rows: Sequence[Row], short: Mapping[str, str]) -> None:
        """Show other rows, with short names of their images."""
        self._short = short
        self.show_rows(rows)

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


class RegionsModel(RowsModel[Roi | None]):
    """One row per shape of the ROI layer: its name and kind can be changed; the shapes themselves stay in the layer."""

    renamed = Signal(int, str)
    kind_changed = Signal(int, str)

    def __init__(self) -> None:
        super().__init__(
            [
                ("Name", "Double-click to rename. One name on several slices means one tissue."),
                ("Background", "Tick the ROIs that the others are compared with."),
                ("Slice", "Slice, counted from 0 in the finest layer, and its place across the plane."),
            ]
        )
        self._scan: Scan | None = None

    def show(self, rois: Sequence[Roi | None], scan: Scan | None = None) -> None:
        """Show other regions; slices are counted in a scan."""
        self._scan = scan
        self.show_rows(rois)

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        """Give a cell's text or tick."""
        roi, column = self.rows[index.row()], index.column()
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
        if self.rows[index.row()] is None:
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
