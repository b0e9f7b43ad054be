"""The fields of the dock "IVIM maps"; what they mean is decided in `dock` and `model`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined,unused-ignore]
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_micromri.ivim import METHODS
from napari_micromri.widgets.ivim.model import BRIGHT, EVERYWHERE, SUGGESTED, offered_methods
from napari_micromri.widgets.ivim.voxel_plot import VoxelPlot
from napari_micromri.widgets.shared.parts import Chooser, button, column, row, set_lines, small_button, text_line

if TYPE_CHECKING:
    from collections.abc import Sequence


class IvimForm(QWidget):
    """Holds the widgets; ``changed`` is sent when the person changes a field."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.hint = text_line()
        self.layer = Chooser("The diffusion series: an image layer with one volume per b-value.")
        self.b_values = QLineEdit()
        self.b_values.setPlaceholderText("0, 10, 20, 50, 100, 300, 800")
        self.b_values.setToolTip("In s/mm², one for each volume, in the order of the volumes. Repeats are averaged.")
        self.load = small_button("…", "Read the b-values from a .bval file.")
        self.where = Chooser("Fit only a part of the image: above a threshold, or what is drawn in a labels layer.")
        self.method = Chooser("How the maps are estimated.")
        self.method.addItems(offered_methods())
        self.method.setCurrentText(SUGGESTED)
        self.advice = text_line()
        self.deviations = QCheckBox("Standard deviations")
        self.deviations.setToolTip("Adds a map of the standard deviation of D, f and D*, where the method has them.")
        self.quality = QCheckBox("Misfit")
        self.quality.setToolTip("Adds a map of the mean difference between measured and fitted signal, in % of S0.")
        self.preview = button("Preview slice", "Fit only the slice that is shown.")
        self.fit = button("Fit", "Fit all slices and add the maps as layers.")
        self.cancel = button("Cancel", "Stop the fit; nothing is kept.")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.status = text_line()
        self.plot = VoxelPlot()
        self.voxel = text_line()
        self._lay_out()
        self._connect()
        self.show_running(False)

    def set_masks(self, labels: Sequence[str]) -> None:
        """Offer the labels layers that there are."""
        set_lines(self.where, [BRIGHT, EVERYWHERE, *labels])

    def show_advice(self) -> None:
        """Say when to use the method, and offer what it gives."""
        method = METHODS[self.method.currentText()]
        self.advice.setText(method.advice)
        self.deviations.setEnabled(method.has_sd)

    def show_running(self, running: bool) -> None:
        """Show what belongs to a fit under way only while there is one."""
        self.cancel.setVisible(running)
        self.progress.setVisible(running)

    def ask_b_values(self) -> str:
        """Ask for a file of b-values; empty when none was chosen."""
        path, _ = QFileDialog.getOpenFileName(self, "b-values", "", "b-values (*.bval *.txt);;All files (*)")
        return path

    def _connect(self) -> None:
        for chooser in (self.layer, self.where, self.method):
            chooser.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.b_values.textChanged.connect(lambda _: self.changed.emit())

    def _lay_out(self) -> None:
        rows = QFormLayout()
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        rows.addRow("Scan", self.layer)
        rows.addRow("b-values", row(self.b_values, self.load))
        rows.addRow("Where", self.where)
        rows.addRow("Method", self.method)
        rows.addRow(self.advice)
        rows.addRow("Also", column(self.deviations, self.quality))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 6, 9, 6)
        layout.addWidget(self.hint)
        layout.addLayout(rows)
        for widget in (row(self.preview, self.fit), self.cancel, self.progress, self.status, self.plot, self.voxel):
            layout.addWidget(widget)
        layout.addStretch()
