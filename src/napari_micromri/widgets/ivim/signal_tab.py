"""The tab "Signal quality": train a network on a phantom, and see how near its signals come to the clean ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDoubleSpinBox, QFileDialog, QFormLayout, QProgressBar, QSpinBox, QVBoxLayout, QWidget

from napari_micromri.ivim.signal_charts import charts, verdict, write_study
from napari_micromri.widgets.background import BackgroundJob
from napari_micromri.widgets.shared.curves import CurvePlot
from napari_micromri.widgets.shared.parts import Chooser, button, row, text_line
from napari_micromri.widgets.shared.torch_loading import with_torch

if TYPE_CHECKING:
    from napari_micromri.ivim.signal_study import Look
    from napari_micromri.progress import Progress, ShouldStop

REGIONS, MOUSE = "random regions", "digital mouse"
PAUSE_MS, HEIGHT = 60, 160
BY_ERROR = 1
"""Place of the chart whose axis is the fitting error."""


@dataclass(frozen=True)
class Wanted:
    """What is to be simulated and trained."""

    method: Any
    snr: float
    epochs: int
    phantom: str
    slices: int
    size: int

    @property
    def title(self) -> str:
        """Name it."""
        return f"Signal quality of {self.method} at SNR {self.snr:g}, {self.phantom}"


class SignalTab(QWidget):
    """Trains in a thread; what was seen so far stays when it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[Look] = []
        self.wanted: Wanted | None = None
        self.extent = (8, 32)  # slices, and pixels along their sides
        self._job: BackgroundJob | None = None
        self.method = Chooser("Which network: as published, or with improved signals.", ("cnn", "si_cnn"))
        self.phantom = Chooser("What to simulate. Its noise-free signals are known.", (REGIONS, MOUSE))
        self.snr = QDoubleSpinBox()
        self.snr.setRange(2, 200)
        self.snr.setValue(15)
        self.snr.setToolTip("S0 divided by the SD of the noise.")
        self.epochs = QSpinBox()
        self.epochs.setRange(10, 2000)
        self.epochs.setValue(150)
        self.epochs.setToolTip("Number of epochs. The publication compares 30, 50 and 100.")
        self.train = button("Train", "Simulate a phantom and train on it; the plots follow.")
        self.cancel = button("Stop", "Stop training. The results so far are kept.")
        self.save = button("Save…", "Save the plots as PNG and the figures as CSV into a new folder.")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.hint, self.status = text_line(), text_line()
        self.hint.setText(
            "Are predicted signals closer to the noise-free ones than measured signals are? A network trains on a "
            "phantom, whose noise-free signals are known."
        )
        tips = (
            "Mean error of measured and predicted signals.",
            "Mean errors of signals with the same fitting error.",
            "Errors of the maps and of the signals to learn from, relative to the first ones.",
            "Mean square of predicted minus measured signals.",
        )
        self.plots = [
            CurvePlot("", tip, height=HEIGHT, epochs=k != BY_ERROR, after_ms=k * PAUSE_MS) for k, tip in enumerate(tips)
        ]
        self.headings = [text_line() for _ in self.plots]
        for heading in self.headings:
            heading.setTextFormat(Qt.TextFormat.RichText)
        self._lay_out()
        self.train.clicked.connect(self.start)
        self.cancel.clicked.connect(self.stop)
        self.save.clicked.connect(self._ask_folder)
        self._update()

    def start(self) -> None:
        """Simulate and train."""
        if self._job is not None:
            return
        self.wanted = wanted = Wanted(
            self.method.currentText(), self.snr.value(), self.epochs.value(), self.phantom.currentText(), *self.extent
        )
        self.looks = []
        for heading, plot in zip(self.headings, self.plots, strict=True):
            heading.clear()
            plot.show_lines(())
        self.progress.setRange(0, wanted.epochs)
        self.progress.setValue(0)
        self.status.setText("Simulating…")
        self._run(with_torch(partial(_train, wanted, self.looks)), wanted.title)

    def stop(self) -> None:
        """Stop the training after its step; nothing is lost."""
        if self._job is not None:
            self._job.stop()
            self.status.setText("Stopping…")

    def shut_down(self) -> None:
        """Stop everything."""
        self.stop()
        for plot in self.plots:
            plot.stop()

    def save_to(self, folder: str) -> None:
        """Save plots and tables into a new folder."""
        if self.wanted is not None and self.looks and self._job is None:
            self._run(partial(_save, folder, list(self.looks), self.wanted.title), "Saving signal quality")

    def _run(self, work: Any, title: str) -> None:
        self._job = job = BackgroundJob(work, title, self)
        job.progressed.connect(self._show)
        job.succeeded.connect(self.status.setText)
        job.cancelled.connect(lambda: self.status.setText(f"Stopped.\n{self._words()}".strip()))
        job.failed.connect(self.status.setText)
        job.ended.connect(self._ended)
        self._update()
        job.start()

    def _show(self, done: int, _total: int) -> None:
        self.progress.setValue(done)
        self._draw()

    def _draw(self) -> None:
        looks = list(self.looks)  # the thread adds to it
        if looks:
            for heading, plot, chart in zip(self.headings, self.plots, charts(looks), strict=True):
                heading.setText(chart.heading)
                plot.show_chart(chart)
            if self._job is not None and not self._job.should_stop():
                self.status.setText(self._words())

    def _words(self) -> str:
        return "\n".join([f"Epoch {self.looks[-1].epoch}", *verdict(self.looks[-1].quality)]) if self.looks else ""

    def _ended(self) -> None:
        self._job = None
        self._draw()
        self._update()

    def _update(self) -> None:
        running = self._job is not None
        self.train.setEnabled(not running)
        self.save.setEnabled(bool(self.looks) and not running)
        for widget in (self.cancel, self.progress):
            widget.setVisible(running)

    def _ask_folder(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "New folder for plots and tables", "signal_quality")
        if path:
            self.save_to(path)

    def _lay_out(self) -> None:
        rows = QFormLayout()
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        rows.addRow("Network", self.method)
        rows.addRow("Phantom", self.phantom)
        rows.addRow("SNR", self.snr)
        rows.addRow("Epochs", self.epochs)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 6, 9, 6)
        layout.addWidget(self.hint)
        layout.addLayout(rows)
        for widget in (row(self.train, self.save), self.cancel, self.progress, self.status):
            layout.addWidget(widget)
        for pair in zip(self.headings, self.plots, strict=True):
            for widget in pair:
                layout.addWidget(widget)
        layout.addStretch()


def _train(wanted: Wanted, looks: list[Look], progress: Progress, should_stop: ShouldStop, /) -> str:
    from napari_micromri.ivim.mouse import mouse
    from napari_micromri.ivim.signal_study import begin, watch
    from napari_micromri.ivim.simulation import phantoms

    simulated = mouse if wanted.phantom == MOUSE else phantoms
    made = simulated(wanted.slices, wanted.snr, size=wanted.size, noise="gaussian")
    learning = begin(made, wanted.method, epochs=wanted.epochs)
    for look in watch(learning, made, epochs=wanted.epochs, should_stop=should_stop):
        looks.append(look)
        progress(look.epoch, wanted.epochs)
    return "\n".join([f"Trained for {wanted.epochs} epochs.", *verdict(looks[-1].quality)])


def _save(folder: str, looks: list[Look], title: str, _progress: Progress, _should_stop: ShouldStop, /) -> str:
    return f"Saved {write_study(folder, looks, title) / 'plots.png'}"
