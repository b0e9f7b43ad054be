"""The fields of the dock "IVIM maps"; what they mean is decided in `dock` and `model`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined,unused-ignore]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_micromri.ivim import METHODS
from napari_micromri.widgets.ivim.model import BRIGHT, EVERYWHERE, SUGGESTED, offered_methods
from napari_micromri.widgets.ivim.voxel_plot import VoxelPlot

if TYPE_CHECKING:
    from collections.abc import Sequence


class IvimForm(QScrollArea):
    """Holds the widgets; ``changed`` is sent when the person changes a field."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.hint = _text()
        self.layer = _chooser("The diffusion series: an image layer with one volume per b-value.")
        self.b_values = QLineEdit()
        self.b_values.setPlaceholderText("0, 10, 20, 50, 100, 300, 800")
        self.b_values.setToolTip("In s/mm², one for each volume, in the order of the volumes. Repeats are averaged.")
        self.load = QToolButton()
        self.load.setText("…")
        self.load.setToolTip("Read the b-values from a .bval file.")
        self.where = _chooser("Fit only a part of the image: above a threshold, or what is drawn in a labels layer.")
        self.method = _chooser("How the maps are estimated.")
        self.method.addItems(offered_methods())
        self.method.setCurrentText(SUGGESTED)
        self.advice = _text()
        self.deviations = QCheckBox("Standard deviations")
        self.deviations.setToolTip("Adds a map of the standard deviation of D, f and D*, where the method has them.")
        self.quality = QCheckBox("Misfit")
        self.quality.setToolTip("Adds a map of the mean difference between measured and fitted signal, in % of S0.")
        self.preview = QPushButton("Preview slice")
        self.preview.setToolTip("Fit only the slice that is shown.")
        self.fit = QPushButton("Fit")
        self.fit.setToolTip("Fit all slices and add the maps as layers.")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop the fit; nothing is kept.")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.status = _text()
        self.plot = VoxelPlot()
        self.voxel = _text()
        self._lay_out()
        self._connect()
        self.show_running(False)

    def set_lines(self, chooser: QComboBox, labels: Sequence[str]) -> None:
        """Replace the lines of a chooser without telling anyone; the choice stays where it can."""
        from superqt.utils import signals_blocked

        chosen = chooser.currentText()
        with signals_blocked(chooser):
            chooser.clear()
            chooser.addItems(list(labels))
            chooser.setCurrentIndex(max(0, chooser.findText(chosen)))

    def set_masks(self, labels: Sequence[str]) -> None:
        """Offer the labels layers that there are."""
        self.set_lines(self.where, [BRIGHT, EVERYWHERE, *labels])

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
        values, boxes, buttons = QHBoxLayout(), QVBoxLayout(), QHBoxLayout()
        values.addWidget(self.b_values, 1)
        values.addWidget(self.load)
        boxes.addWidget(self.deviations)
        boxes.addWidget(self.quality)
        buttons.addWidget(self.preview)
        buttons.addWidget(self.fit)
        rows = QFormLayout()
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        rows.addRow("Scan", self.layer)
        rows.addRow("b-values", values)
        rows.addRow("Where", self.where)
        rows.addRow("Method", self.method)
        rows.addRow(self.advice)
        rows.addRow("Also", boxes)
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(9, 6, 9, 6)
        layout.addWidget(self.hint)
        layout.addLayout(rows)
        layout.addLayout(buttons)
        for widget in (self.cancel, self.progress, self.status, self.plot, self.voxel):
            layout.addWidget(widget)
        layout.addStretch()
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(280)


def _chooser(tooltip: str) -> QComboBox:
    chooser = QComboBox()
    chooser.setToolTip(tooltip)
    chooser.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    chooser.setMinimumContentsLength(8)
    chooser.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return chooser


def _text() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
