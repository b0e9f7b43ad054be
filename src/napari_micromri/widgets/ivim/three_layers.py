"""Signal quality (DSQ) of three image layers: clean, noisy and predicted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QFormLayout, QVBoxLayout, QWidget

from napari_micromri.errors import MicroMRIError
from napari_micromri.ivim.signal_charts import bin_chart, verdict, write_comparison
from napari_micromri.ivim.signal_quality import compare_scans
from napari_micromri.plugin.layers import layer_to_scan
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.shared.curves import CurvePlot
from napari_micromri.widgets.shared.parts import Chooser, Fold, button, row, set_lines, text_line
from napari_micromri.words import counted

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_micromri.ivim.signal_quality import SignalQuality
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.scan import Scan

TITLE = "Differences in signal quality"
HINT = "Open a clean, a noisy and a predicted image or series, and choose them here."
HEIGHT = 160


class ThreeLayers(QWidget):
    """Compares in a thread when a button is pressed."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._job: BackgroundJob | None = None
        self.found: SignalQuality | None = None
        self.clean = Chooser("The reference: a simulated image or series, or the average of many.")
        self.noisy = Chooser("The measured one.")
        self.predicted = Chooser("The measured one after denoising or fitting.")
        self.compare = button("Compare", "Test whether the predicted signals are closer to the clean ones.")
        self.save = button("Save…", "Save the plot as PNG and the figures as CSV into a new folder.")
        self.status, self.heading = text_line(), text_line()
        self.heading.setTextFormat(Qt.TextFormat.RichText)
        self.plot = CurvePlot("", "Mean errors of signals with the same fitting error.", height=HEIGHT, epochs=False)
        self._lay_out()
        for chooser in self._choosers:
            chooser.currentIndexChanged.connect(lambda _: self._update())
        self.compare.clicked.connect(self.start)
        self.save.clicked.connect(self._ask_folder)
        self.list_layers()

    def list_layers(self) -> None:
        """Offer the image layers that there are."""
        names = [one.name for one in self._viewer.layers if isinstance(one, Image)]
        for chooser in self._choosers:
            set_lines(chooser, names)
        if len(names) >= len(self._choosers) > len(self._chosen):
            for k, chooser in enumerate(self._choosers):
                chooser.setCurrentIndex(k)
        self._update()

    def start(self) -> None:
        """Compare the layers that are chosen."""
        try:
            scans = [layer_to_scan(self._viewer.layers[name]) for name in self._chosen]
        except MicroMRIError as error:
            self.status.setText(str(error))
            return
        self._run(partial(_compare, scans), "Comparing signal quality").succeeded.connect(self._show)

    def save_to(self, folder: str) -> None:
        """Save plot and tables into a new folder."""
        if self.found is not None:
            self._run(partial(_save, folder, self.found), "Saving signal quality").succeeded.connect(
                self.status.setText
            )

    def shut_down(self) -> None:
        """Stop everything."""
        if self._job is not None:
            self._job.stop()
        self.plot.stop()

    @property
    def _choosers(self) -> tuple[Chooser, Chooser, Chooser]:
        return self.clean, self.noisy, self.predicted

    @property
    def _chosen(self) -> list[str]:
        """Names of the layers, each once."""
        return list(dict.fromkeys(chooser.currentText() for chooser in self._choosers))

    def _run(self, work: Any, title: str) -> BackgroundJob:
        self._job = job = BackgroundJob(work, title, self)
        job.failed.connect(self.status.setText)
        job.ended.connect(self._ended)
        self.status.setText(f"{title}…")
        self._update()
        job.start()
        return job

    def _show(self, found: SignalQuality) -> None:
        self.found = found
        chart = bin_chart({"predicted": found})
        self.heading.setText(chart.heading)
        self.plot.show_chart(chart)
        left_out = [f"⚠ Left out: {counted(found.missing, 'signal')} missing in one of them."] if found.missing else []
        self.status.setText("\n".join([f"{counted(found.count, 'signal')}.", *verdict(found), *left_out]))

    def _ended(self) -> None:
        self._job = None
        self._update()

    def _update(self) -> None:
        idle = self._job is None
        ready = len(self._chosen) == len(self._choosers)
        self.compare.setEnabled(idle and ready)
        if not ready:
            self.status.setText(HINT)
        elif self.status.text() == HINT:
            self.status.clear()
        self.save.setEnabled(idle and self.found is not None)
        for widget in (self.heading, self.plot):
            widget.setVisible(self.found is not None)

    def _ask_folder(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "New folder for plot and tables", "signal_quality")
        if path:
            self.save_to(path)

    def _lay_out(self) -> None:
        content = QWidget()
        rows = QFormLayout()
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for label, chooser in zip(("Clean", "Noisy", "Predicted"), self._choosers, strict=True):
            rows.addRow(label, chooser)
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addLayout(rows)
        for widget in (row(self.compare, self.save), self.status, self.heading, self.plot):
            inner.addWidget(widget)
        self.fold = Fold("Three layers", content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 6, 9, 6)
        layout.addWidget(self.fold)
        layout.addWidget(content)


def _compare(scans: list[Scan], _progress: Progress, _should_stop: ShouldStop, /) -> SignalQuality:
    return compare_scans(*scans)


def _save(folder: str, found: SignalQuality, _progress: Progress, _should_stop: ShouldStop, /) -> str:
    return f"Saved {write_comparison(folder, found, TITLE) / 'plots.png'}"
