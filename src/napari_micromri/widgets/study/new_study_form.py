"""The fields of the window "New study"; what they do is decided in `new_study` and `planning`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QDialog,
    QDoubleSpinBox,
    QGroupBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QProgressBar,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from napari_micromri.io.formats import names_of_formats
from napari_micromri.study.plan import Simulation
from napari_micromri.widgets.shared.parts import button, column, row, small_button, text_line
from napari_micromri.widgets.study.table import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Sequence


class NewStudyForm:
    """Lays the fields out in a window."""

    def __init__(self, window: QDialog) -> None:
        self.source_list = QListWidget()
        self.source_list.setMaximumHeight(90)
        self.source_list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.source_list.setToolTip(f"{names_of_formats()}, or CSV tables; folders are searched.")
        self.add_folder = button("Add folder…", "Look for scans in a folder and all its subfolders.")
        self.add_files = button("Add files…", "Add single scans, or a table subject,region,plane,lr,hr (CSV).")
        self.remove = button("Remove", "Remove the selected entries from the list.")
        self.pair_up = QRadioButton("Pairs: find each fast scan (LR) and its good scan (HR)")
        self.pair_up.setChecked(True)
        self.simulate = QRadioButton("Good scans only: simulate the fast ones")
        choice = QButtonGroup(window)
        choice.addButton(self.pair_up)
        choice.addButton(self.simulate)
        self.factor = _number(2.0, 1.0, 8.0, "How many times coarser the fast scan's pixels are.")
        self.snr = _number(15.0, 1.0, 1000.0, "Signal-to-noise ratio of the fast scan.")
        self.find = button("Find pairs", "Look through the scans. Nothing is written yet.")
        self.propose = button("Good scans only: simulate the fast ones", "Make a pair from each suitable scan.")
        self.pairs = Table(["Subject", "Region", "Plane", "Slices", "LR / HR"], editable=(0, 1, 2))
        self.pairs.set_widths(16, 16, 13, 6)
        self.pairs.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.leave_out = button("Leave out", "Remove the selected pairs from the plan.")
        self.left_out = Table(["Left out", "Why"])
        self.left_out.set_widths(22)
        self.left_out_box = _box("Scans left out", self.left_out)
        self.target = QLineEdit()
        self.target.setPlaceholderText("name of the study, with the extension .mri.zarr")
        self.target.setToolTip("The folder to create. If it is already a study, pairs are added to it.")
        self.browse = small_button("…", "Choose folder and name.")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.status = text_line()
        self.build = button("Build", "Copy both scans of every pair into the study, and measure them.")
        self.stop = button("Stop", "Stop after this step. Finished pairs stay.")
        self.cancel = button("Close", "Close this window.")
        self._lay_out(window)

    def sources(self) -> list[Path]:
        """List the paths that were added."""
        return [Path(self.source_list.item(k).text()) for k in range(self.source_list.count())]

    def simulation(self) -> Simulation | None:
        """Give how fast scans are to be simulated; None when pairs are to be found."""
        if not self.simulate.isChecked():
            return None
        return Simulation(factor=self.factor.value(), snr=self.snr.value())

    def show_left_out(self, entries: Sequence[tuple[str, str, str]]) -> None:
        """List what is in no pair, in short and in full, and why."""
        self.left_out_box.setVisible(bool(entries))
        self.left_out.rows_model.show_rows([(Cell(short, full), Cell(why, why)) for short, full, why in entries])

    def enable(self, *, free: bool, ready: bool) -> None:
        """Enable what can be clicked now."""
        has_sources, selected = self.source_list.count() > 0, self.pairs.selectionModel().hasSelection()
        for one in (self.add_folder, self.add_files, self.pair_up, self.simulate, self.target, self.browse):
            one.setEnabled(free)
        self.remove.setEnabled(free and has_sources)
        self.find.setEnabled(free and has_sources)
        self.leave_out.setEnabled(free and selected)
        self.propose.setEnabled(free)
        self.build.setEnabled(free and ready)
        self.stop.setEnabled(not free)
        self.progress.setVisible(not free)
        for number in (self.factor, self.snr):
            number.setEnabled(free and self.simulate.isChecked())

    def _lay_out(self, window: QDialog) -> None:
        layout = QVBoxLayout(window)
        numbers = row(QLabel("coarser by"), self.factor, QLabel("SNR"), self.snr)
        choices = row(self.simulate, numbers, stretch=(1, 0))
        buttons = row(self.add_folder, self.add_files, self.remove)
        layout.addWidget(_box("1. Scans", self.source_list, buttons, self.pair_up, choices, self.find))
        layout.addWidget(_box("2. Pairs", self.pairs, row(QLabel(""), self.leave_out, stretch=(1, 0))), 3)
        layout.addWidget(self.left_out_box, 2)
        layout.addWidget(_box("3. Study", row(self.target, self.browse)))
        layout.addWidget(self.status)
        layout.addWidget(self.propose)
        layout.addWidget(self.progress)
        layout.addWidget(row(self.build, self.stop, self.cancel))
        self.left_out_box.hide()
        self.propose.hide()
        self.progress.hide()


def _box(title: str, *widgets: QWidget) -> QGroupBox:
    box = QGroupBox(title)
    layout = QVBoxLayout(box)
    layout.setContentsMargins(8, 8, 8, 8)
    layout.addWidget(column(*widgets, stretch=[int(isinstance(one, Table)) for one in widgets]))
    return box


def _number(value: float, lowest: float, highest: float, tooltip: str) -> QDoubleSpinBox:
    number = QDoubleSpinBox()
    number.setRange(lowest, highest)
    number.setDecimals(1)
    number.setValue(value)
    number.setToolTip(tooltip)
    return number
