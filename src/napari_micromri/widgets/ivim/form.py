"""The fields of the dock "IVIM maps"; what they mean is decided in `dock` and `model`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
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
from napari_micromri.widgets.ivim.model import BRIGHT, EVERYWHERE, SUGGESTED
from napari_micromri.widgets.ivim.networks import NetworkChooser
from napari_micromri.widgets.ivim.voxel_plot import PosteriorPlot, VoxelPlot
from napari_micromri.widgets.shared.curves import CurvePlot
from napari_micromri.widgets.shared.parts import Chooser, button, column, row, set_lines, small_button, text_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_micromri.curves import Chart
    from napari_micromri.widgets.ivim.voxel_model import VoxelCurves


class IvimForm(QWidget):
    """Holds the widgets; ``changed`` is sent when the person changes a field."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.hint = text_line()
        self.several = QCheckBox("The selected layers are one series")
        self.several.setToolTip(
            "Select image layers of one volume each in the layer list, and type a b-value for each, from below."
        )
        self.layer = Chooser("The diffusion series: an image layer with one volume per b-value.")
        self.b_values = QLineEdit()
        self.b_values.setPlaceholderText("0, 10, 20, 50, 100, 300, 800")
        self.b_values.setToolTip("In s/mm², one for each volume, in the order of the volumes. Repeats are averaged.")
        self.load = small_button("…", "Read the b-values from a .bval file.")
        self.where = Chooser("Fit only part of the image: voxels above a threshold, or those in a Labels layer.")
        self.method = Chooser("How the maps are estimated.")
        self.method.addItems(list(METHODS))
        self.method.setCurrentText(SUGGESTED)
        self.advice = text_line()
        self.network = NetworkChooser()
        self.bounds = QLineEdit()
        self.bounds.setPlaceholderText("D=0,0.005 f=0,1 Dp=0.005,0.2")
        self.bounds.setToolTip("Lowest and highest D and D* in mm²/s and f as a fraction. Empty: the values shown.")
        self.deviations = QCheckBox("Standard deviations")
        self.deviations.setToolTip("Adds a map of the standard deviation of D, f and D*, if the method gives them.")
        self.quality = QCheckBox("Misfit")
        self.quality.setToolTip("Adds a map of the mean difference between measured and fitted signal, in % of S0.")
        self.preview = button("Preview slice", "Fit only the slice that is shown.")
        self.fit = button("Fit", "Fit all slices and add the maps as layers.")
        self.cancel = button("Cancel", "Stop the fit; nothing is kept.")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.status = text_line()
        self.follow = QCheckBox("Follow the cursor")
        self.follow.setChecked(True)
        self.follow.setToolTip(
            "Show the voxel below the cursor. Click a voxel to see its posterior, too. With a Shapes layer selected, "
            "click a region to see its mean."
        )
        self.plot = VoxelPlot()
        self.residuals = CurvePlot("Measured minus fitted", "In % of S0, for each method.", height=110, epochs=False)
        self.posterior = [PosteriorPlot() for _ in range(3)]
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
        self.rows.setRowVisible(self.network, method.learns)
        self.rows.setRowVisible(self.bounds, method.bounded and (not method.learns or self.network.chosen is None))
        self.layer.setEnabled(not self.several.isChecked())

    def show_running(self, running: bool) -> None:
        """Show what belongs to a fit under way only while there is one."""
        self.cancel.setVisible(running)
        self.progress.setVisible(running)

    def show_voxel(self, curves: VoxelCurves) -> None:
        """Show signals, curves and what they leave over, of one voxel."""
        self.plot.show_voxel(curves)
        self.residuals.show_chart(curves.residuals)
        self.voxel.setText("\n".join(f"{name}: {words}" for name, words in curves.words.items()))

    def stop(self) -> None:
        """Draw nothing more."""
        self.plot.stop()
        for plot in (self.residuals, *self.posterior):
            plot.stop()

    def show_posterior(self, charts: Sequence[Chart]) -> None:
        """Show the posterior of a voxel; without charts, nothing."""
        for plot in self.posterior[len(charts) :]:
            plot.show_lines(())
        for plot, chart in zip(self.posterior, charts, strict=False):
            plot.show_chart(chart)

    def ask_b_values(self) -> str:
        """Ask for a file of b-values; empty when none was chosen."""
        path, _ = QFileDialog.getOpenFileName(self, "b-values", "", "b-values (*.bval *.txt);;All files (*)")
        return path

    def _connect(self) -> None:
        for chooser in (self.layer, self.where, self.method, self.network.box):
            chooser.currentIndexChanged.connect(lambda _: self.changed.emit())
        for line in (self.b_values, self.bounds):
            line.textChanged.connect(lambda _: self.changed.emit())
        self.several.toggled.connect(lambda _: self.changed.emit())
        self.network.said.connect(self.status.setText)

    def _lay_out(self) -> None:
        rows = self.rows = QFormLayout()
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        rows.addRow("Scan", self.layer)
        rows.addRow(self.several)
        rows.addRow("b-values", row(self.b_values, self.load))
        rows.addRow("Where", self.where)
        rows.addRow("Method", self.method)
        rows.addRow(self.advice)
        rows.addRow("Network", self.network)
        rows.addRow("Bounds", self.bounds)
        rows.addRow("Also", column(self.deviations, self.quality))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 6, 9, 6)
        layout.addWidget(self.hint)
        layout.addLayout(rows)
        for widget in (
            row(self.preview, self.fit),
            self.cancel,
            self.progress,
            self.status,
            self.follow,
            self.plot,
            self.voxel,
            self.residuals,
            row(*self.posterior),
        ):
            layout.addWidget(widget)
        layout.addStretch()
