"""The fields, tables and buttons of the measuring dock; what they mean is decided in `dock` and `model`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTableView,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_micromri.widgets.measuring.plots import Plot
from napari_micromri.widgets.measuring.tables import FiguresModel, RegionsModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtCore import QAbstractItemModel

    from napari_micromri.widgets.measuring.layers import LayerRoles
    from napari_micromri.widgets.measuring.model import MeasureState, Quantity

MINIMUM_WIDTH = 310
HERE, EVERYWHERE = "this slice", "all slices"
QUANTITIES: tuple[Quantity, ...] = ("CNR", "normalised SD", "contrast", "background SD", "mean")


class MeasureForm(QWidget):
    """Holds the widgets."""

    def __init__(self, layers: LayerRoles, quality: QWidget) -> None:
        super().__init__()
        self.setMinimumWidth(MINIMUM_WIDTH)
        self.layers = layers
        self.hint, self.explanation, self.status = text(), text(), text()
        self.draw_roi = button(
            "Draw ROI", "Then drag a rectangle over the tissue of interest. The first click makes the layer."
        )
        self.draw_background = button("Draw background", "Then drag a rectangle over what the ROI is compared with.")
        self.shown = chooser("Which rows to show.", (HERE, EVERYWHERE))
        self.figures, self.regions = FiguresModel(), RegionsModel()
        self.table = table_view(self.figures, "Click a row to go to its slice and ROI.")
        self.list = table_view(self.regions, "All ROIs. Click one to go to it.")
        self.export = button(
            "Export CSV…", "Save all rows, and beside them a JSON with everything needed to repeat them."
        )
        self.copy = button("Copy", "Copy all rows to the clipboard, for a spreadsheet.")
        self.rule = chooser(
            "Which pixels of a ROI count: those whose centre lies in it, or each by the part that is covered.",
            ("pixel centres", "covered area"),
        )
        self.backgrounds = chooser(
            "Several backgrounds on a slice: all their pixels together, or a row for each.", ("together", "one by one")
        )
        self.quantity = chooser("What the bars show: the mean over slices of each ROI.", QUANTITIES)
        self.bars = Plot("The figures of each ROI, side by side. Over several slices, their mean.")
        self.copy_slices = button(
            "Copy to slices…", "Copy the ROIs of this slice to other slices. There they can be moved on their own."
        )
        self.save = button("Save…", "Save all ROIs in mm (.json), or for ImageJ (.zip).")
        self.load = button("Load…", "Load ROIs from .json, or from ImageJ (.roi, .zip).")
        self.delete = button("Delete", "Delete the chosen ROI.")
        self.tabs = QTabWidget()
        self.quality = quality
        self._lay_out()

    def enable(self, state: MeasureState) -> None:
        """Let only that be clicked which has an effect."""
        for one in (self.draw_roi, self.draw_background):
            one.setEnabled(state.can_draw)
        for one in (self.export, self.copy):
            one.setEnabled(state.can_export)
        for one in (self.save, self.delete, self.copy_slices):
            one.setEnabled(state.regions + state.backgrounds > 0)
        self.load.setEnabled(state.images > 0)

    def _lay_out(self) -> None:
        self.tabs.addTab(
            column(row(QLabel("Rows of"), self.shown), self.table, self.explanation, row(self.export, self.copy)),
            "Table",
        )
        self.tabs.addTab(column(row(QLabel("Show"), self.quantity), self.bars), "Bars")
        self.tabs.addTab(
            column(
                self.list,
                row(self.copy_slices, self.delete),
                row(self.save, self.load),
                row(QLabel("Count"), self.rule),
                row(QLabel("Backgrounds"), self.backgrounds),
            ),
            "ROIs",
        )
        self.tabs.addTab(self.quality, "Image quality")
        for place, tooltip in enumerate(
            (
                "Mean, SD, CNR and normalised SD of every ROI.",
                "LR, DL and HR as bars.",
                "Names, kinds, copies, files and rules of the ROIs.",
                "PSNR, SSIM, bias and detail against a reference; residual images.",
            )
        ):
            self.tabs.setTabToolTip(place, tooltip)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 6, 9, 6)
        for widget in (self.hint, self.layers, row(self.draw_roi, self.draw_background)):
            layout.addWidget(widget)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.status)


def text() -> QLabel:
    """Make a line of text that wraps."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def button(label: str, tooltip: str) -> QPushButton:
    """Make a button."""
    made = QPushButton(label)
    made.setToolTip(tooltip)
    return made


def chooser(tooltip: str, lines: Sequence[str] = ()) -> QComboBox:
    """Make a combo box that doesn't widen the dock."""
    made = QComboBox()
    made.setToolTip(tooltip)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(6)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    made.addItems(list(lines))
    return made


def table_view(model: QAbstractItemModel, tooltip: str) -> QTableView:
    """Make a table whose rows are chosen whole."""
    view = QTableView()
    view.setModel(model)
    view.setToolTip(tooltip)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setMinimumHeight(130)
    view.setWordWrap(False)
    view.verticalHeader().setVisible(False)
    view.verticalHeader().setDefaultSectionSize(22)
    view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    # Only the first rows are looked at for the widths, or a long table would be slow.
    view.horizontalHeader().setResizeContentsPrecision(20)
    view.horizontalHeader().setMinimumSectionSize(34)
    return view


def row(*widgets: QWidget) -> QWidget:
    """Put widgets side by side."""
    parent = QWidget()
    layout = QHBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget, 0 if isinstance(widget, QLabel) else 1)
    return parent


def column(*widgets: QWidget) -> QWidget:
    """Put widgets below each other."""
    parent = QWidget()
    layout = QVBoxLayout(parent)
    layout.setContentsMargins(4, 6, 4, 4)
    for widget in widgets:
        layout.addWidget(widget, 1 if isinstance(widget, QTableView | Plot) else 0)
    return parent
