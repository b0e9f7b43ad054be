"""The tab "Split": which subjects are for training, validation and test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFormLayout,
    QHeaderView,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_micromri.study.model import SETS
from napari_micromri.widgets.shared.parts import Chooser, button, text_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.study.model import Set

SUBJECT = "subject"


class SplitTab(QWidget):
    """Sends ``assigned`` with a subject and its new set, ``preset`` and ``random`` for the whole study."""

    assigned = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.summary = text_line()
        self.preset = button(
            "Published split",
            "Subjects 6 and 10 are for validation, 7, 16 and 22 for the test, the rest for training.",
        )
        self.validation = _number(10, 0, 90, " %", "Share of the subjects for validation.")
        self.test = _number(20, 0, 90, " %", "Share of the subjects for the test.")
        self.seed = _number(0, 0, 10**6, "", "The same seed draws the same subjects again.")
        self.random = button("Draw at random", "Draw the shares above from the subjects at random.")
        self.table = QTableWidget(0, 2)
        self.table.setHorizontalHeaderLabels(["Subject", "Set"])
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self._choosers: dict[str, Chooser] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.summary)
        layout.addWidget(self.preset)
        shares = QFormLayout()
        for label, field in (("Validation", self.validation), ("Test", self.test), ("Seed", self.seed)):
            shares.addRow(label, field)
        layout.addLayout(shares)
        layout.addWidget(self.random)
        layout.addWidget(self.table, 1)

    def show_split(self, sets: Mapping[str, Set], summary: str) -> None:
        """List the subjects and their sets."""
        self.summary.setText(summary)
        if list(self._choosers) != list(sets):
            self._list(list(sets))
        for subject, belongs in sets.items():
            chooser = self._choosers[subject]
            chooser.setCurrentIndex(SETS.index(belongs))

    def _list(self, subjects: list[str]) -> None:
        self.table.setRowCount(0)
        self.table.setRowCount(len(subjects))
        self._choosers = {}
        for k, subject in enumerate(subjects):
            item = QTableWidgetItem(subject)
            item.setToolTip(subject)
            chooser = Chooser(f"The set of {subject}, with all its regions and planes.", SETS)
            chooser.setProperty(SUBJECT, subject)
            chooser.activated.connect(self._tell)
            self._choosers[subject] = chooser
            self.table.setItem(k, 0, item)
            self.table.setCellWidget(k, 1, chooser)

    def _tell(self, index: int) -> None:
        self.assigned.emit(self.sender().property(SUBJECT), SETS[index])


def _number(value: int, lowest: int, highest: int, unit: str, tooltip: str) -> QSpinBox:
    number = QSpinBox()
    number.setRange(lowest, highest)
    number.setValue(value)
    number.setSuffix(unit)
    number.setToolTip(tooltip)
    return number
