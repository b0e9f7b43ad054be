"""The fields, buttons and table of the tab "Many scans"; what they mean is decided in `model` and `tab`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QHeaderView,
    QLineEdit,
    QListWidget,
    QProgressBar,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_micromri.inference.many.request import NAME_FIELDS
from napari_micromri.widgets.many.model import COLUMNS, cells, describe, names_of
from napari_micromri.widgets.shared.device_chooser import DeviceChooser
from napari_micromri.widgets.shared.parts import Chooser, ElidedLabel, Fold, button, row, small_button, text_line
from napari_micromri.widgets.shared.quality_chooser import QualityChooser, dark_air_box
from napari_micromri.widgets.shared.sampling_form import SamplingForm
from napari_micromri.widgets.shared.strength_field import StrengthField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    from napari_micromri.widgets.many.model import JobView, ManyState
    from napari_micromri.widgets.shared.models import ModelChoice

ENDINGS = {"OME-Zarr": ".ome.zarr", "NIfTI": ".nii.gz"}
PER_MILLE = 1000
LIST_HEIGHT, TABLE_HEIGHT = 76, 130


class ManyForm(QWidget):
    """Holds the widgets; ``dropped`` brings paths, ``opened`` a line of the table."""

    dropped = Signal(list)
    opened = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self.hint, self.status = text_line(), text_line()
        self.inputs = QListWidget()
        self.inputs.setToolTip("Folders, files, studies (their fast scans), and tables (.csv) with a column 'scan'.")
        self.inputs.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.inputs.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.inputs.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.inputs.setFixedHeight(LIST_HEIGHT)
        self.add_folder = button("Add folder…", "All scans in a folder and below it, or those of a study.")
        self.add_files = button("Add files…", "Scans, or tables of scans.")
        self.remove = button("Remove", "Remove the selected entries, or all, from the list. No file is touched.")
        self.model = Chooser("The trained network that denoises.")
        self.add_model = small_button("…", "Use a model file (.safetensors), for example one that you trained.")
        self.quality, self.strength, self.sampling = QualityChooser(), StrengthField(), SamplingForm()
        self.sampling.uncertainty.hide()
        self.folder = ElidedLabel("none")
        self.choose_folder = small_button("…", "Choose the folder for the results, or one with earlier results.")
        self.only = QLineEdit()
        self.only.setPlaceholderText("all, or for example *RARE*")
        self.only.setToolTip("Only scans whose name or protocol matches. * matches anything.")
        self.name = QLineEdit("{name}")
        self.name.setToolTip(f"Of each result. It may hold {', '.join(f'{{{name}}}' for name in NAME_FIELDS)}.")
        self.ending = Chooser("The format of the results.", list(ENDINGS))
        self.workers = QSpinBox()
        self.workers.setRange(1, 64)
        self.workers.setToolTip("Scans denoised at the same time. More are faster if processor cores are free.")
        self.device = DeviceChooser()
        self.dark_air = dark_air_box()
        self.anyway = QCheckBox("Denoise anyway")
        self.anyway.setToolTip("Also denoise what isn't a magnitude image, such as phase images, field maps or labels.")
        self.replace = QCheckBox("Replace other results")
        self.replace.setToolTip(
            "Also replace results in the folder that were made with another model or other settings."
        )
        self.start = button("Denoise all", "Start in the background.")
        self.stop = button(
            "Stop", "Stop after the current call of the network. Finished scans are kept, and Resume continues."
        )
        self.progress = QProgressBar()
        self.progress.setRange(0, PER_MILLE)
        self.progress.setTextVisible(False)
        self.table = _table()
        self._shown: list[object] = []
        self._lay_out()
        self.table.doubleClicked.connect(lambda index: self.opened.emit(index.row()))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take folders and files of this machine."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Add what was dropped."""
        event.acceptProposedAction()
        self.dropped.emit([url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()])

    def show_inputs(self, inputs: Sequence[str]) -> None:
        """List files and folders."""
        self.inputs.clear()
        self.inputs.addItems(list(inputs))
        for line, text in enumerate(inputs):
            self.inputs.item(line).setToolTip(text)

    def show_model(self, model: ModelChoice | None) -> None:
        """Show only what the model understands."""
        self.strength.show_for(model is not None and model.takes_noise)
        self._rows.setRowVisible(self.strength, model is not None and model.takes_noise)
        self.sampling.show_for(model.most_steps if model is not None else 1)
        self._rows.setRowVisible(self.sampling, model is not None and model.most_steps > 1)

    def show_state(self, state: ManyState) -> None:
        """Let only that be clicked which has an effect, and say what to do."""
        self.hint.setText(state.hint)
        self.start.setText(state.start_label)
        self.start.setEnabled(state.can_start)
        self.stop.setVisible(state.live)
        self.stop.setEnabled(state.can_stop)
        self.remove.setEnabled(state.inputs > 0)
        self.progress.setVisible(state.live)

    def show_job(self, snapshot: JobView | None) -> None:
        """Show how the work stands, and its table."""
        scans = list(snapshot.job.scans.values()) if snapshot is not None else []
        if snapshot is not None:
            self.progress.setValue(round(PER_MILLE * snapshot.job.fraction))
            self.status.setText(describe(snapshot))
        self.table.setVisible(bool(scans))
        if scans[: len(self._shown)] != self._shown:
            self._shown = []
        self.table.setRowCount(len(scans))
        for line in range(len(self._shown), len(scans)):
            for column, text in enumerate(cells(scans[line])):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(line, column, item)
        if scans != self._shown:
            for line, name in enumerate(names_of([scan.source for scan in scans])):
                self.table.model().setData(self.table.model().index(line, 0), name)
        self._shown = list(scans)

    def ask_folder(self, title: str) -> Path | None:
        """Ask for a folder."""
        path = QFileDialog.getExistingDirectory(self, title)
        return Path(path) if path else None

    def ask_files(self) -> list[str]:
        """Ask for files."""
        return QFileDialog.getOpenFileNames(self, "Scans, or tables of scans")[0]

    def ask_model(self) -> Path | None:
        """Ask for a model file."""
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", "", "Models (*.safetensors)")
        return Path(path) if path else None

    def _lay_out(self) -> None:
        self._rows, more = _rows(), _rows()
        for label, field in (
            ("Model", row(self.model, self.add_model)),
            ("Quality", self.quality),
            ("Strength", self.strength),
            ("Texture", self.sampling),
            ("Results", row(self.folder, self.choose_folder, stretch=(1, 0))),
        ):
            self._rows.addRow(label, field)
        for label, field in (
            ("Only", self.only),
            ("Names", self.name),
            ("Format", self.ending),
            ("At once", self.workers),
            ("Device", self.device),
        ):
            more.addRow(label, field)
        more.addRow(self.dark_air)
        more.addRow(self.anyway)
        more.addRow(self.replace)
        inside = QWidget()
        inside.setLayout(more)
        self.more = Fold("More options", inside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.addWidget(self.hint)
        layout.addWidget(self.inputs)
        layout.addWidget(row(self.add_folder, self.add_files, self.remove))
        layout.addLayout(self._rows)
        for widget in (self.more, inside, row(self.start, self.stop), self.progress, self.status):
            layout.addWidget(widget)
        layout.addWidget(self.table, 1)
        layout.addStretch()


def _rows() -> QFormLayout:
    rows = QFormLayout()
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return rows


def _table() -> QTableWidget:
    table = QTableWidget(0, len(COLUMNS))
    for column, (title, tooltip) in enumerate(COLUMNS):
        item = QTableWidgetItem(title)
        item.setToolTip(tooltip)
        table.setHorizontalHeaderItem(column, item)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setResizeContentsPrecision(20)  # only the first rows are looked at, or a long table would be slow
    header.setMaximumSectionSize(150)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(22)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setMinimumHeight(TABLE_HEIGHT)
    return table
