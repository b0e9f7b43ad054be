"""The fields, tables and buttons of the measuring dock; what they mean is decided in `dock` and `model`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QAbstractItemView, QLabel, QTabWidget, QVBoxLayout, QWidget

from napari_micromri.widgets.measuring.parts import chooser, column, row, table_view
from napari_micromri.widgets.measuring.plots import Plot
from napari_micromri.widgets.measuring.tables import FiguresModel, RegionsModel
from napari_micromri.widgets.shared.dock import Scroll
from napari_micromri.widgets.shared.parts import button, text_line

if TYPE_CHECKING:
    from napari_micromri.widgets.measuring.layers import LayerRoles
    from napari_micromri.widgets.measuring.model import MeasureState, Quantity

HERE, EVERYWHERE = "this slice", "all slices"
TABLE, BARS, ROIS, QUALITY, EVALUATE = "Table", "Plots", "ROIs", "Image quality", "Evaluate"
PROFILE, HISTOGRAM = "profile along a line", "histogram of a ROI"
QUANTITIES: tuple[Quantity, ...] = ("CNR", "normalised SD", "contrast", "background SD", "mean")


class MeasureForm(QWidget):
    """Holds the widgets."""

    def __init__(self, layers: LayerRoles, quality: QWidget, evaluation: QWidget) -> None:
        super().__init__()
        self.layers = layers
        self.hint, self.explanation, self.status = text_line(), text_line(), text_line()
        self.draw_roi = button(
            "Draw ROI", "Click, then drag a rectangle over the tissue of interest. The first click adds the ROI layer."
        )
        self.draw_background = button(
            "Draw background", "Click, then drag a rectangle over the tissue or air to compare with."
        )
        self.side_by_side = button(
            "Side by side",
            "Show the ticked layers side by side, with the same zoom, slice and ROIs. A change of contrast applies to "
            "all of them. Hold Alt and drag to set window (across) and level (up and down).",
        )
        self.side_by_side.setCheckable(True)
        self.match = button(
            "Match contrast",
            "Set the contrast limits of each ticked layer to the darkest and brightest values of its slice.",
        )
        self.shown = chooser("Which rows to show.", (HERE, EVERYWHERE))
        self.figures, self.regions = FiguresModel(), RegionsModel()
        self.table = table_view(self.figures, "Click a row to go to its slice and ROI.")
        self.list = table_view(self.regions, "All ROIs. Click one to go to it.")
        self.export = button(
            "Export CSV",
            "Save all rows beside the scan, under a new name, with a JSON that has everything needed to repeat them.",
        )
        self.export_as = button("Save as…", "Choose where to save the rows.")
        self.copy = button("Copy", "Copy all rows to the clipboard, for a spreadsheet.")
        self.rule = chooser(
            "Which pixels of a ROI count: those whose centre is inside, or each pixel by the part that is covered.",
            ("pixel centres", "covered area"),
        )
        self.backgrounds = chooser(
            "Several backgrounds on a slice: pool their pixels, or give each a row.", ("together", "one by one")
        )
        self.quantity = chooser(
            "Bars of the mean over slices of each ROI; signal along a line; or the values in the selected ROI.",
            (*QUANTITIES, PROFILE, HISTOGRAM),
        )
        self.draw_line = button(
            "Draw line", "Click, then drag a line across an edge to see how sharp it is in each layer."
        )
        self.curve_words = text_line()
        self.bars = Plot("The figures of each ROI, side by side. Over several slices, their mean.")
        self.copy_slices = button(
            "Copy to slices…", "Copy the ROIs of this slice to other slices. Each copy can be moved on its own."
        )
        self.save = button("Save…", "Save all ROIs in mm (.json), or for ImageJ (.zip).")
        self.load = button("Load…", "Load ROIs from .json, or from ImageJ (.roi, .zip).")
        self.delete = button("Delete", "Delete the selected ROIs, here and on the canvas (Del).")
        self.undo = button("Undo", "Undo the last change of ROIs (Ctrl+Z, also on the canvas).")
        self.redo = button("Redo", "Redo what was undone (Ctrl+Shift+Z).")
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.tabs = QTabWidget()
        self.quality, self.evaluation = quality, evaluation
        self._lay_out()
        self.tabs.currentChanged.connect(lambda *_: self.about_layers.setVisible(self.tab != EVALUATE))

    @property
    def tab(self) -> str:
        """Title of the tab that is shown."""
        return self.tabs.tabText(self.tabs.currentIndex())

    def open_tab(self, title: str) -> None:
        """Show a tab."""
        self.tabs.setCurrentIndex([self.tabs.tabText(k) for k in range(self.tabs.count())].index(title))

    def show_curve_parts(self) -> None:
        """Show what belongs to profiles and histograms only with them."""
        self.draw_line.setVisible(self.quantity.currentText() == PROFILE)
        self.curve_words.setVisible(self.quantity.currentText() in (PROFILE, HISTOGRAM))

    def enable(self, state: MeasureState) -> None:
        """Let only that be clicked which has an effect."""
        for one in (self.draw_roi, self.draw_background):
            one.setEnabled(state.can_draw)
        for one in (self.export, self.export_as, self.copy):
            one.setEnabled(state.can_export)
        for one in (self.save, self.delete, self.copy_slices):
            one.setEnabled(state.regions + state.backgrounds > 0)
        self.load.setEnabled(state.images > 0)
        self.draw_line.setEnabled(state.can_draw)
        self.match.setEnabled(state.images > 0)
        self.side_by_side.setEnabled(self.side_by_side.isChecked() or (state.images > 1 and not state.volume))

    def _lay_out(self) -> None:
        export = row(self.export, self.export_as, self.copy)
        figures = column(row(QLabel("Rows of"), self.shown), self.table, self.explanation, export)
        regions = column(
            self.list,
            row(self.copy_slices, self.delete),
            row(self.undo, self.redo),
            row(self.save, self.load),
            row(QLabel("Count"), self.rule),
            row(QLabel("Backgrounds"), self.backgrounds),
        )
        plots = column(row(QLabel("Show"), self.quantity), self.draw_line, self.bars, self.curve_words)
        for title, widget, tooltip in (
            (TABLE, figures, "Mean, SD, CNR and normalised SD of every ROI."),
            (BARS, plots, "LR, DL and HR as bars; profiles along a line; histograms."),
            (ROIS, regions, "Names, kinds, copies, files and rules of the ROIs."),
            (QUALITY, Scroll(self.quality), "PSNR, SSIM, bias and detail against a reference; residual images."),
            (EVALUATE, Scroll(self.evaluation), "Models on a set of a study, with a report."),
        ):
            self.tabs.setTabToolTip(self.tabs.addTab(widget, title), tooltip)
        looks = row(self.side_by_side, self.match)
        self.about_layers = column(self.hint, self.layers, looks, row(self.draw_roi, self.draw_background))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 6)
        layout.addWidget(self.about_layers)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.status)
