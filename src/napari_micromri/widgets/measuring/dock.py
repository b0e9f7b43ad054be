"""The dock "Measure CNR"."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut

from napari_micromri.errors import MicroMRIError
from napari_micromri.measure.comparison import Settings
from napari_micromri.plugin.roi_layers import Reading
from napari_micromri.widgets.measuring import files
from napari_micromri.widgets.measuring.crop import PairCrop
from napari_micromri.widgets.measuring.curve_control import CurveControl
from napari_micromri.widgets.measuring.evaluate_tab import EvaluateTab
from napari_micromri.widgets.measuring.file_actions import FileActions
from napari_micromri.widgets.measuring.form import BARS, HERE, QUANTITIES, MeasureForm
from napari_micromri.widgets.measuring.layers import LayerRoles
from napari_micromri.widgets.measuring.live import LiveComparison
from napari_micromri.widgets.measuring.model import MeasureState, bars, explain, labels, most_telling, rows_here
from napari_micromri.widgets.measuring.place import Place, place_of, time_and_weighting
from napari_micromri.widgets.measuring.quality_tab import QualityTab
from napari_micromri.widgets.measuring.roi_list import RoiList
from napari_micromri.widgets.measuring.rois import RoiLayer
from napari_micromri.widgets.measuring.shift_drag import measure_by_dragging
from napari_micromri.widgets.measuring.side_by_side import SideBySide
from napari_micromri.widgets.shared.dock import Dock
from napari_micromri.widgets.shared.stored import remember_fields
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_micromri.measure.comparison import Comparison
    from napari_micromri.measure.comparison_rows import Row
    from napari_micromri.measure.roi import Kind


class MeasureWidget(Dock):
    """Measure CNR and normalised SD on LR, DL and HR: draw two rectangles, read the figures, export them."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = napari_viewer
        measure_by_dragging(napari_viewer)
        self.layers = LayerRoles(napari_viewer)
        self.quality = QualityTab(napari_viewer)
        self.evaluation = EvaluateTab()
        self.form = MeasureForm(self.layers, self.quality, self.evaluation)
        self.rois = RoiLayer(napari_viewer, self)
        self.list = RoiList(self.form.list, self.form.regions, self.rois)
        self.crop = PairCrop(napari_viewer, self)
        self.live = LiveComparison(self)
        self.files = FileActions(self)
        self.beside = SideBySide(napari_viewer, self)
        self.curves = CurveControl(self)
        self.found: Comparison | None = None
        self.reading = Reading(())
        self._problem: str | None = None
        self._awaited = 0  # shapes there will be when the one that is to be drawn is there
        self._kind: Kind = "roi"
        self.hold(self.form)
        names = ("shown", "quantity", "rule", "backgrounds")
        remember_fields(
            "measure", {name: getattr(self.form, name) for name in names} | {"upsampling": self.quality.mode}
        )
        self._connect()
        self._connect_form()
        self.measure()

    def _connect(self) -> None:
        self.layers.changed.connect(self.measure)
        self.layers.pixels_changed.connect(self.live.forget)
        self.rois.changed.connect(self.measure)
        self.rois.changed.connect(self.beside.follow)
        self.curves.line.changed.connect(self._show_bars)
        self.rois.selected.connect(self._show_bars)
        self.beside.ended.connect(lambda: self.form.side_by_side.setChecked(False))
        self.rois.gone.connect(self.measure)
        self.crop.changed.connect(self.measure)
        self.live.found.connect(self._take)
        self.live.failed.connect(self._fail)
        dims = self.viewer.dims.events
        self._dims_events: tuple[Any, ...] = (dims.point, dims.ndisplay, dims.order)
        for event in self._dims_events:
            event.connect(self._moved)

    def _connect_form(self) -> None:
        form = self.form
        form.draw_roi.clicked.connect(lambda: self.draw("roi"))
        form.side_by_side.toggled.connect(self.show_side_by_side)
        form.match.clicked.connect(lambda: self.beside.contrast.match([layer for layer, _ in self.layers.ticked]))
        form.draw_background.clicked.connect(lambda: self.draw("background"))
        for chooser in (form.shown, form.quantity):
            chooser.currentIndexChanged.connect(self._show)
        for chooser in (form.rule, form.backgrounds):
            chooser.currentIndexChanged.connect(self.measure)
        form.tabs.currentChanged.connect(self._show_bars)
        form.table.clicked.connect(lambda index: self.go_to(self.form.figures.rows[index.row()]))
        form.table.selectionModel().currentChanged.connect(self._explain)
        form.copy_slices.clicked.connect(self._ask_slices)
        form.delete.clicked.connect(self.delete)
        form.undo.clicked.connect(self.rois.undo)
        form.redo.clicked.connect(self.rois.redo)
        for keys, owner, action in (
            (QKeySequence.StandardKey.Delete, form.list, self.delete),
            (QKeySequence.StandardKey.Undo, self, self.rois.undo),
            (QKeySequence.StandardKey.Redo, self, self.rois.redo),
        ):
            shortcut = QShortcut(QKeySequence(keys), owner)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)

    def shut_down(self) -> None:
        """Stop what is computed, and listen to the viewer no more."""
        self.beside.stop()
        self.curves.shut_down()
        self.live.stop()
        self.form.bars.stop()
        self.quality.stop()
        self.evaluation.shut_down()
        self.layers.disconnect_viewer()
        self.rois.disconnect_viewer()
        self.crop.disconnect_viewer()
        events, self._dims_events = self._dims_events, ()
        for event in events:
            event.disconnect(self._moved)

    def show_side_by_side(self, wanted: bool) -> None:
        """Show the ticked layers beside each other, or everything as it was before."""
        scan = self.layers.finest()
        if not wanted:
            self.beside.stop()
        elif scan is not None:
            self.beside.start([layer for layer, _ in self.layers.ticked], self.rois.make(scan))

    # Drawing

    def draw(self, kind: Kind, corners: NDArray[np.float64] | None = None) -> None:
        """Let the person draw a region, or take a rectangle in world coordinates that was drawn already."""
        scan = self.layers.finest()
        if scan is not None:
            self._awaited, self._kind = self.rois.count + 1, kind
            self.rois.draw(kind, scan, corners)
            self._say()

    def _drawn(self) -> None:
        """After the first ROI comes its background; after that, shapes are selected and moved."""
        if self._awaited and not self.rois.drawing:
            self._awaited = 0
            if {roi.kind for roi in self.reading.usable} == {"roi"}:
                self.draw("background")
            elif self.rois.layer is not None:
                self.rois.layer.mode = "select"

    def delete(self) -> None:
        """Delete the regions that are selected, which are the same in the list and on the canvas."""
        self.rois.delete()

    def copy_to(self, slices: Sequence[int]) -> int:
        """Copy the regions of the slice that is shown to others, and count the copies."""
        here = self.place.shapes(self.reading.rois)
        made = self.rois.copy(here, slices)
        self.note(f"Copied {counted(len(here), 'ROI')}: {made} new." if made else "Nothing to copy on this slice.")
        return made

    def _ask_slices(self) -> None:
        scan, axis = self.layers.finest(), self.place.axis
        if scan is not None and axis in scan.info.spatial:
            slices = files.ask_slices(self, scan.shape[scan.info.axes.index(axis)])
            if slices is not None:
                self.copy_to(slices)

    def go_to(self, row: Row) -> None:
        """Go to a row's slice and region."""
        if row.roi in self.reading.rois:
            self.rois.show(self.reading.rois.index(row.roi))

    # Measuring

    def measure(self, *_: object) -> None:
        """Bring everything up to date with layers, regions and settings."""
        self._problem = None
        try:
            self.reading = self.rois.reading()
        except MicroMRIError as error:
            self.reading, self._problem = Reading(()), str(error)
        images, rois = self.layers.compared, self.reading.usable
        crop = self.crop.box(self.layers.pairs)
        if self.rois.count >= self._awaited:
            self._drawn()
        self.quality.show_images(images, self.layers.roles, self.layers.reference)
        self.quality.show_areas(crop, rois)
        self.list.show(self.reading.rois, self.layers.finest())
        self.form.undo.setEnabled(self.rois.history.can_undo)
        self.form.redo.setEnabled(self.rois.history.can_redo)
        settings = Settings(
            rule="area" if self.form.rule.currentIndex() else "centre",
            backgrounds="each" if self.form.backgrounds.currentIndex() else "pooled",
            reference=self.layers.reference,
            at=self._at(),
            crop=crop,
        )
        self.live.ask(images, rois, settings)
        if self.live.busy:
            self._say()

    def _take(self, found: Comparison) -> None:
        self.found = found
        self._show()

    def _fail(self, sentence: str) -> None:
        self.found, self._problem = None, sentence
        self._show()

    @property
    def place(self) -> Place:
        """The slice that is shown."""
        return place_of(self.viewer, self.layers.finest())

    def _at(self) -> dict[str, int]:
        return time_and_weighting(self.viewer, self.layers.ticked)

    # Showing

    def _moved(self, _event: object = None) -> None:
        if self.found is not None and dict(self.found.settings.at) != self._at():
            self.measure()
        else:
            self._show()

    def _show(self, *_: object) -> None:
        self.form.figures.show(self._rows(), self._short())
        self._explain()
        self._show_bars()
        self._say()

    def _rows(self, *, here: bool | None = None) -> Sequence[Row]:
        if self.found is None:
            return ()
        only_here = self.form.shown.currentText() == HERE if here is None else here
        return rows_here(self.found.rows, self.place) if only_here else self.found.rows

    def _show_bars(self, *_: object) -> None:
        place = self.place
        self.quality.show_position(place.position if place.axis == "z" else 0.0, self._at())
        chosen = self.form.quantity.currentIndex()
        self.form.show_curve_parts()
        if self.form.tab == BARS and chosen >= len(QUANTITIES):
            short = self._short()
            named = [replace(image, name=short.get(image.name, image.name)) for image in self.layers.compared]
            self.curves.ask(named, self.reading.rois, self._at())
        elif self.form.tab == BARS and self.found is not None:
            quantity, short = QUANTITIES[chosen], self._short()
            images = [short.get(image.name, image.name) for image in self.found.images]
            self.form.bars.show_bars(bars(self._rows(), quantity, short), images, quantity)

    def _explain(self, *_: object) -> None:
        rows = self.form.figures.rows
        chosen = self.form.table.currentIndex().row()
        row = rows[chosen] if 0 <= chosen < len(rows) else most_telling(rows, self.layers.roles)
        said = explain(rows, row, self._short(), self.layers.reference) if row is not None else ""
        self.form.explanation.setText(" ".join([said, *self.reading.problems]).strip())

    def _say(self) -> None:
        rois = self.reading.usable
        state = MeasureState(
            images=len(self.layers.compared),
            regions=sum(roi.kind == "roi" for roi in rois),
            backgrounds=sum(roi.kind == "background" for roi in rois),
            here=len(self._rows(here=True)),
            volume=self.viewer.dims.ndisplay == 3,
            has_images=self.layers.topLevelItemCount() > 0,
            drawing=self._kind if self._awaited else None,
            busy=self.live.busy,
            problem=self._problem,
        )
        self.form.hint.setText(state.hint)
        self.form.enable(state)

    def _short(self) -> dict[str, str]:
        return labels([image.name for image in self.layers.compared], self.layers.roles)

    def note(self, sentence: str) -> None:
        """Say what was done, at the foot of the dock."""
        self.form.status.setText(sentence)
