"""The fields, buttons and table of the tab "Evaluate"."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_micromri.measure.evaluation.summary import DEFINITIONS, heading
from napari_micromri.measure.metrics import METRICS
from napari_micromri.study.model import SETS
from napari_micromri.widgets.measuring.parts import chooser, row
from napari_micromri.widgets.shared.device_chooser import DeviceChooser
from napari_micromri.widgets.shared.parts import ElidedLabel, button, figures_table, text_line
from napari_micromri.widgets.shared.sampling_form import SamplingForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_micromri.study.model import Set
    from napari_micromri.widgets.measuring.evaluate_model import EvaluateState, Result, StudyLook
    from napari_micromri.widgets.shared.models import ModelChoice

MODEL_LINES = 4


class EvaluateForm(QWidget):
    """Holds the widgets; what they mean is decided in `evaluate_model`."""

    def __init__(self) -> None:
        super().__init__()
        self.hint, self.status, self.summary = text_line(), text_line(), text_line()
        self.study = ElidedLabel("none")
        self.choose_study = _browse("Choose the folder of a study (extension .mri.zarr).")
        self.split = chooser("The animals to evaluate on. Only those of the test set are new to a model.", SETS)
        self.split.setCurrentIndex(SETS.index("test"))
        self.models = QListWidget()
        self.models.setToolTip("Tick the models to compare with HR, with the fast scan, and with each other.")
        self.add_model = _browse("Add a model file (.safetensors) to the list.")
        self.sampling = SamplingForm()
        self.sampling.uncertainty.hide()
        self.rois = ElidedLabel("none")
        self.choose_rois = _browse(
            "Choose ROI files that were saved on scans of this set, to add CNR and normalised SD. Cancel for none."
        )
        self.device = DeviceChooser()
        self.device.setToolTip("Where to compute: Automatic uses a GPU if there is one.")
        self.folder = ElidedLabel("beside the study")
        self.choose_folder = _browse("Choose the folder for report and tables; one beside the study is proposed.")
        self.replace = QCheckBox("Replace the results that are there")
        self.replace.setToolTip("Deletes the evaluation in the folder and starts again; other files stay.")
        self.evaluate = button("Evaluate", "Run the models on all kept slices of the set.")
        self.stop = button("Stop", "Stop after this slice. Finished slices are kept.")
        self.progress = QProgressBar()
        self.progress.setFormat("%v of %m")
        self.table = figures_table(
            (
                ("", "Method."),
                *((metric.head, f"{heading(metric)}: {DEFINITIONS[metric.name]}") for metric in METRICS),
            )
        )
        self.open_report = button("Open report", "Open the page with tables, pictures and curves in the browser.")
        self._lay_out()

    def chosen_set(self) -> Set:
        """Give the set."""
        return SETS[self.split.currentIndex()]

    def show_study(self, look: StudyLook | None) -> None:
        """Show a study and the size of its sets."""
        self.study.setText(str(look.path) if look is not None else "")
        for k, name in enumerate(SETS):
            self.split.setItemText(k, f"{name}: {look.sizes[name].words}" if look is not None else name)

    def show_models(self, choices: Sequence[ModelChoice], ticked: set[str | Path]) -> None:
        """List models."""
        with signals_blocked(self.models):
            self.models.clear()
            for choice in choices:
                item = QListWidgetItem(choice.label)
                item.setToolTip(choice.tooltip)
                item.setCheckState(Qt.CheckState.Checked if choice.model in ticked else Qt.CheckState.Unchecked)
                self.models.addItem(item)
        line = max(self.models.sizeHintForRow(0), 16)
        bar = self.models.horizontalScrollBar().sizeHint().height()  # there in a narrow dock
        lines = min(max(len(choices), 1), MODEL_LINES)
        self.models.setFixedHeight(lines * line + bar + 2 * self.models.frameWidth() + 4)

    def ticked(self) -> list[int]:
        """Give the lines of the models that are ticked."""
        states = [self.models.item(k).checkState() for k in range(self.models.count())]
        return [k for k, state in enumerate(states) if state == Qt.CheckState.Checked]

    def show_state(self, state: EvaluateState) -> None:
        """Let only that be clicked which has an effect, and say what to do."""
        self.evaluate.setEnabled(state.can_evaluate)
        self.stop.setVisible(state.running)
        self.stop.setEnabled(state.running and not state.stopping)
        self.open_report.setEnabled(state.can_open)
        self.replace.setVisible(state.earlier is not None and not state.running)
        self.progress.setVisible(state.running)
        self.folder.setText(str(state.folder) if state.folder is not None else "")
        self.hint.setText(state.hint)
        choices = (self.choose_study, self.split, self.models, self.add_model, self.sampling, self.choose_rois)
        for one in (*choices, self.choose_folder, self.device):
            one.setEnabled(not state.running)

    def show_result(self, result: Result) -> None:
        """Show the table."""
        self.table.setRowCount(len(result.lines))
        for k, line in enumerate(result.lines):
            for column, cell in enumerate(line):
                item = QTableWidgetItem(cell.text)
                item.setToolTip(cell.tooltip)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(k, column, item)
        self.table.show()
        self.summary.setText(result.summary)
        self.summary.show()

    def say(self, sentence: str) -> None:
        """Say how the run goes, or went."""
        self.status.setText(sentence)
        self.status.setVisible(bool(sentence))

    def ask_study(self) -> Path | None:
        """Ask for a study."""
        path = QFileDialog.getExistingDirectory(self, "Choose a study (a folder with the extension .mri.zarr)")
        return Path(path) if path else None

    def ask_model(self) -> Path | None:
        """Ask for a model file."""
        path, _ = QFileDialog.getOpenFileName(self, "Add a model", "", "Models (*.safetensors)")
        return Path(path) if path else None

    def ask_rois(self) -> list[Path]:
        """Ask for files of regions; none when the dialog is cancelled."""
        paths, _ = QFileDialog.getOpenFileNames(self, "ROIs that were saved on scans of the set", "", "ROIs (*.json)")
        return [Path(path) for path in paths]

    def ask_folder(self, proposed: Path | None) -> Path | None:
        """Ask for a folder, which may be a new one."""
        start = str(proposed.parent) if proposed is not None else ""
        path = QFileDialog.getExistingDirectory(self, "Choose or make a folder for the results", start)
        return Path(path) if path else None

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        fields = QFormLayout()
        fields.setVerticalSpacing(4)
        for label, field in (
            ("Study", row(self.study, self.choose_study)),
            ("Set", self.split),
            ("Models", row(self.models, self.add_model)),
            ("", self.sampling),
            ("ROIs", row(self.rois, self.choose_rois)),
            ("Results", row(self.folder, self.choose_folder)),
            ("", self.replace),
            ("Device", self.device),
        ):
            fields.addRow(label, field)
        layout.addWidget(self.hint)
        layout.addLayout(fields)
        for widget in (row(self.evaluate, self.stop), self.progress, self.status, self.table, self.summary):
            layout.addWidget(widget)
        layout.addWidget(self.open_report)
        layout.addStretch(1)
        for widget in (self.table, self.sampling, self.status, self.summary):
            widget.hide()


def _browse(tooltip: str) -> QPushButton:
    made = button("…", tooltip)
    made.setFixedWidth(34)
    return made
