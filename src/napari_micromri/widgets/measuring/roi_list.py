"""The list of ROIs and the shapes on the canvas: one selection, one set of names and kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QItemSelectionModel, QObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QTableView

    from napari_micromri.measure.roi import Roi
    from napari_micromri.scan import Scan
    from napari_micromri.widgets.measuring.rois import RoiLayer
    from napari_micromri.widgets.measuring.tables import RegionsModel


class RoiList(QObject):
    """Keeps the list and the ROI layer the same."""

    def __init__(self, view: QTableView, model: RegionsModel, rois: RoiLayer) -> None:
        super().__init__(view)
        self._view, self._model, self._rois = view, model, rois
        self._selecting = False
        view.clicked.connect(lambda index: rois.show(index.row(), alone=False))
        view.selectionModel().selectionChanged.connect(self._select_on_canvas)
        rois.selected.connect(self._select_in_list)
        model.renamed.connect(rois.rename)
        model.kind_changed.connect(rois.set_kind)

    def show(self, rois: Sequence[Roi | None], scan: Scan | None) -> None:
        """List regions; slices are counted in a scan."""
        self._selecting = True  # a list of another length begins without a selection
        self._model.show(rois, scan)
        self._selecting = False
        self._select_in_list()

    def _selected(self) -> set[int]:
        return {index.row() for index in self._view.selectionModel().selectedRows()}

    def _select_on_canvas(self, *_: object) -> None:
        if not self._selecting:
            self._rois.select(self._selected())

    def _select_in_list(self) -> None:
        chosen = self._rois.selection
        if self._selecting or chosen == self._selected():
            return
        self._selecting = True
        selection = self._view.selectionModel()
        selection.clearSelection()
        flags = QItemSelectionModel.SelectionFlag
        for k in chosen:
            selection.select(self._model.index(k, 0), flags.Select | flags.Rows)
        self._selecting = False
