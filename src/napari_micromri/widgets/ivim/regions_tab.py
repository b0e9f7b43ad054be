"""The tab "Regions": mean, SD and median of every fitted map in every region of a Labels or Shapes layer."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Labels, Shapes
from qtpy.QtWidgets import QApplication, QFileDialog, QFormLayout, QTableWidgetItem, QVBoxLayout, QWidget

from napari_micromri.errors import MicroMRIError
from napari_micromri.io.csv_table import write_csv
from napari_micromri.ivim.regions import COLUMNS, measure_regions, save_regions
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.ivim.model import REGION_COLUMNS, map_label, region_cells, regions_of_layer
from napari_micromri.widgets.shared.parts import Chooser, button, figures_table, row, set_lines, text_line
from napari_micromri.words import counted

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_micromri.ivim import Fit
    from napari_micromri.ivim.regions import RegionRow, Regions
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.widgets.ivim.model import Request


class RegionsTab(QWidget):
    """Measures when a button is pressed, and after each fit while regions are chosen."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._request: Request | None = None
        self._fits: dict[str, Fit] = {}
        self._job: BackgroundJob | None = None
        self.rows: list[RegionRow] = []
        self.layer = Chooser("Labels on the grid of the maps, or ROIs drawn in a Shapes layer.")
        self.map = Chooser("Which map the table shows; all are exported.")
        self.measure = button("Measure", "Measure every map of every method in every region.")
        self.export = button("Export CSV…", "Save the table, and beside it a JSON that says what it was made of.")
        self.copy = button("Copy", "Copy the table to the clipboard, for a spreadsheet.")
        self.table = figures_table(REGION_COLUMNS)
        self.table.setMinimumHeight(240)
        self.table.setMaximumHeight(16777215)
        self.status = text_line()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 6, 9, 6)
        rows = QFormLayout()
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        rows.addRow("Regions", self.layer)
        rows.addRow("Map", self.map)
        layout.addLayout(rows)
        for widget in (row(self.measure, self.export, self.copy), self.status):
            layout.addWidget(widget)
        layout.addWidget(self.table, 1)
        self.measure.clicked.connect(self.start)
        self.export.clicked.connect(self._ask_file)
        self.copy.clicked.connect(self._copy)
        self.layer.currentIndexChanged.connect(lambda _: self._update())
        self.map.currentIndexChanged.connect(lambda _: self._fill())
        self.list_layers()

    def list_layers(self) -> None:
        """Offer the Labels and Shapes layers that there are."""
        set_lines(self.layer, [one.name for one in self._viewer.layers if isinstance(one, Labels | Shapes)])
        self._update()

    def show_fits(self, request: Request, fits: dict[str, Fit]) -> None:
        """Take what was fitted."""
        self._request, self._fits = request, dict(fits)
        self._update()
        if self.measure.isEnabled():
            self.start()

    def start(self) -> None:
        """Measure now."""
        request, name = self._request, self.layer.currentText()
        if request is None or not name or self._job is not None:
            return
        try:
            regions = regions_of_layer(self._viewer.layers[name], request)
        except MicroMRIError as error:
            self.status.setText(str(error))
            return
        self._job = job = BackgroundJob(partial(_measure, self._fits, regions), "Measuring maps in regions", self)
        job.succeeded.connect(self._show)
        job.failed.connect(self.status.setText)
        job.ended.connect(self._ended)
        self._update()
        job.start()

    def save_to(self, path: Path) -> None:
        """Save the table; the dialog has asked before it replaces a file."""
        assert self._request is not None  # noqa: S101
        scan = self._request.series.scan.info
        fits = {name: {"b_values": list(fit.b_values), "sigma": fit.sigma} for name, fit in self._fits.items()}
        about: dict[str, Any] = {"scan": scan.source or scan.name, "regions": self.layer.currentText(), "fits": fits}
        try:
            save_regions(self.rows, path, about, overwrite=path.exists())
        except MicroMRIError as error:
            self.status.setText(str(error))
            return
        self.status.setText(f"Saved {path} and {path.name}.json")

    def _show(self, rows: list[RegionRow]) -> None:
        self.rows = rows
        set_lines(self.map, list(dict.fromkeys(map(map_label, rows))))
        self._fill()
        regions, methods = ({getattr(one, name) for one in rows} for name in ("region", "method"))
        self.status.setText(f"{counted(len(regions), 'region')}, {', '.join(sorted(methods))}.")

    def _fill(self) -> None:
        shown = [one for one in self.rows if map_label(one) == self.map.currentText()]
        self.table.setRowCount(len(shown))
        for k, one in enumerate(shown):
            for column, cell in enumerate(region_cells(one)):
                self.table.setItem(k, column, QTableWidgetItem(cell))

    def _ended(self) -> None:
        self._job = None
        self._update()

    def _update(self) -> None:
        ready = self._request is not None and bool(self.layer.currentText()) and self._job is None
        self.measure.setEnabled(ready)
        for one in (self.export, self.copy):
            one.setEnabled(bool(self.rows) and self._job is None)
        if not self.rows and not ready and self._job is None:
            self.status.setText("Fit maps first, then draw a Labels or Shapes layer and choose it here.")

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the table as", "ivim_regions.csv", "Table (*.csv)")
        if path:
            self.save_to(Path(path))

    def _copy(self) -> None:
        stream = io.StringIO()
        write_csv(stream, COLUMNS, [one.values for one in self.rows], delimiter="\t")
        QApplication.clipboard().setText(stream.getvalue())
        self.status.setText(f"Copied {counted(len(self.rows), 'row')} to the clipboard.")


def _measure(fits: dict[str, Fit], regions: Regions, _progress: Progress, _should_stop: ShouldStop, /) -> Any:
    return measure_regions(fits, regions)
