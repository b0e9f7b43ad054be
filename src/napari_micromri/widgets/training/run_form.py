"""The widgets of the tab "Run"; what they show is decided in `run_tab` and `run_model`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLabel, QPlainTextEdit, QSlider

from napari_micromri.widgets.shared.curves import SMALL, CurvePlot
from napari_micromri.widgets.shared.parts import button, row, text_line
from napari_micromri.widgets.training.fields import Choice
from napari_micromri.widgets.training.status_form import StatusForm, bar

if TYPE_CHECKING:
    from napari_micromri.widgets.training.run_model import RunStatus

EMPTY = "No run is open. Start one in the tab Set up, or open the folder of a run."
LOG_HEIGHT = 110
PAUSE_MS = 60
"""Between the drawing of two plots; the image of the slice is changed before the first."""


class RunForm(StatusForm):
    """Holds the widgets: state and buttons stay in view, curves scroll."""

    def __init__(self) -> None:
        super().__init__("All epochs. Training can end earlier, when nothing improves.")
        self._shown: tuple[RunStatus | None, str] | None = None
        self.runs = Choice("Runs that were shown here, newest first.")
        self.open = button("Open run…", "Show a run by its folder, wherever it was started.")
        self.where, self.figures = text_line(), text_line()
        self.epoch = bar("The batches of this epoch.")
        self.stop = button("Stop", "Stop after the current batch, with a checkpoint to resume from.")
        self.resume = button("Resume", "Continue from the last checkpoint.")
        self.steering = (self.stop, self.resume)
        self.folder = button("Open folder", "Show the run's files.")
        self.use = button("Use in Denoise", "Choose the model of the best epoch in the dock Denoise with UNet/APDDM.")
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setFixedHeight(LOG_HEIGHT)
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self.log.setToolTip("The end of the run's log, log.txt.")
        self.show_slice = QCheckBox("Show slice")
        self.show_slice.setToolTip(
            "Layers LR, DL and HR of one validation slice. DL follows the network as it learns. Click HR's eye to "
            "show the good scan over it."
        )
        self.side_by_side = QCheckBox("Side by side")
        self.side_by_side.setToolTip("Show the layers in a row, in napari's grid, instead of over each other.")
        self.history = QSlider(Qt.Orientation.Horizontal)
        self.history.setRange(0, 0)
        self.history.setToolTip(
            "The slice as the network made it after each epoch. At the right end, it follows the training."
        )
        self.history_label = QLabel()
        self.loss = CurvePlot(
            "Loss",
            "Loss over the epochs; the star is the best epoch, the dashed line the input.",
            named=True,
            after_ms=PAUSE_MS,
        )
        self.rate = CurvePlot("Learning rate", "Learning rate over the epochs.", height=SMALL, after_ms=2 * PAUSE_MS)
        self.quality = CurvePlot(
            "Signal quality",
            "Mean error of the network's image, and mean noise of the input, both against the good scan (normalised).",
            named=True,
            after_ms=3 * PAUSE_MS,
        )
        self.empty = text_line()
        self._lay_out(
            row(self.runs, self.open, stretch=(1, 0)),
            self.empty,
            present=(self.epoch, self.log, row(self.stop, self.resume), row(self.folder, self.use)),
            inside=(
                self.figures,
                self.where,
                row(self.show_slice, self.side_by_side),
                row(self.history_label, self.history),
                *self.plots,
            ),
            margin=4,
        )

    @property
    def plots(self) -> tuple[CurvePlot, CurvePlot, CurvePlot]:
        """All plots."""
        return self.loss, self.rate, self.quality

    def ask_run(self) -> Path | None:
        """Ask for the folder of a run."""
        path = QFileDialog.getExistingDirectory(self, "Open the folder of a run")
        return Path(path) if path else None

    def forget_status(self) -> None:
        """Show the next status, even if it is the same as the last one."""
        self._shown = None

    def show_problem(self, sentence: str) -> None:
        """Say what is wrong, until the run can be read again."""
        self._shown = None
        self.sentence.setText(sentence)
        self.sentence.show()

    def show_status(self, status: RunStatus | None, problem: str = "") -> None:
        """Show how the run stands; without one, why."""
        if self._shown == (status, problem):
            return
        self._shown = (status, problem)
        self._present.setVisible(status is not None)
        self._scroll.setVisible(status is not None)
        self.empty.setVisible(status is None)
        self.empty.setText(problem or EMPTY)
        if status is None:
            return
        self._show_state(status.title, status.colour)
        for label, text in (
            (self.sentence, status.sentence),
            (self.where, status.where),
            (self.figures, status.figures),
        ):
            label.setText(text)
            label.setVisible(bool(text))
        self.whole.setValue(status.whole)
        self.epoch.setVisible(status.epoch is not None)
        self.epoch.setValue(status.epoch or 0)
        self.stop.setText("End at once" if status.can_kill else "Stop")
        self.stop.setEnabled(status.can_stop or status.can_kill)
        self.resume.setEnabled(status.can_resume)
        self.use.setEnabled(status.can_use)
        if self.log.toPlainText() != status.log:
            self.log.setPlainText(status.log)
            self.log.verticalScrollBar().setValue(self.log.verticalScrollBar().maximum())
        self.log.setVisible(bool(status.log))
