"""The ROI layer in the viewer: made, drawn in, named, copied, and watched while it is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import QObject, Signal

from napari_micromri.plugin.roi_layers import (
    COLOURS,
    ROIS_KEY,
    Reading,
    complete_names,
    features,
    named,
    read_rois,
    roi_layer,
    roi_to_shapes,
)
from napari_micromri.widgets.measuring.roi_history import History, RoiState
from napari_micromri.widgets.measuring.roi_shapes import colour, copies, twins
from napari_micromri.widgets.measuring.roi_watch import ShapesWatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_micromri.measure.roi import Kind, Roi
    from napari_micromri.scan import Scan


UNDO, REDO = "Control-Z", "Control-Shift-Z"
NEARLY = 1e-3
"""Parts of a slice that rounding may make."""


class RoiLayer(QObject):
    """Holds at most one Shapes layer; ``changed`` is sent a moment after shapes changed, also while one is dragged.

    ``selected`` is sent when other shapes were selected on the canvas or by us.
    """

    changed = Signal()
    gone = Signal()
    selected = Signal()

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.layer: Shapes | None = None
        self._known = 0
        self.history = History()
        self.watch = ShapesWatch(self)
        self.watch.changed.connect(self._tell)
        viewer.layers.events.removed.connect(self._look_for_layer)
        viewer.layers.events.inserted.connect(self._look_for_layer)
        self._look_for_layer()

    def disconnect_viewer(self) -> None:
        """Listen to viewer and layer no more."""
        self._let_go()
        self.watch.stop()
        self._viewer.layers.events.removed.disconnect(self._look_for_layer)
        self._viewer.layers.events.inserted.disconnect(self._look_for_layer)
        self.layer = None

    @property
    def count(self) -> int:
        """Number of shapes in the layer."""
        return len(self.layer.data) if self.layer is not None else 0

    @property
    def drawing(self) -> bool:
        """A shape is being drawn or dragged; napari tells of the former by no public way (0.9.2)."""
        return self.watch.dragging or bool(getattr(self.layer, "_is_creating", False))

    @property
    def selection(self) -> set[int]:
        """Shapes that are selected, here and on the canvas."""
        return {int(k) for k in self.layer.selected_data} if self.layer is not None else set()

    def select(self, indices: Iterable[int]) -> None:
        """Select shapes, also on the canvas."""
        wanted = {k for k in indices if 0 <= k < self.count}
        if self.layer is not None and wanted != self.selection:
            self.layer.selected_data = wanted

    def delete(self) -> None:
        """Delete the shapes that are selected."""
        if self.layer is not None and self.selection:
            self.layer.remove_selected()

    def undo(self) -> None:
        """Take the last change of shapes, names or kinds back."""
        self._go_to(self.history.step(-1))

    def redo(self) -> None:
        """Do again what was undone last."""
        self._go_to(self.history.step(1))

    def _go_to(self, state: RoiState | None) -> None:
        layer = self.layer
        if layer is None or state is None:
            return
        with layer.events.data.blocker():
            layer.selected_data = set(range(len(layer.data)))
            layer.remove_selected()
        self._known = 0
        self._append(state.corners, state.shapes, state.names, state.kinds)
        self.watch.note()

    def reading(self) -> Reading:
        """Read the regions; none without a layer.

        Raises
        ------
        InputError
            The layer can't be read at all.
        """
        return read_rois(self.layer) if self.layer is not None else Reading(())

    def make(self, scan: Scan, rois: Sequence[Roi] = ()) -> Shapes:
        """Give the layer, made for a scan if there is none."""
        if self.layer is None:
            data, attributes, _ = roi_layer(scan)
            self._viewer.add_shapes(data or None, **attributes)
        if self.layer is None:  # the insertion told us of it
            raise RuntimeError("The ROI layer was taken away while it was made.")
        if rois:
            self.add(rois, scan)
        return self.layer

    def draw(self, kind: Kind, scan: Scan, corners: NDArray[np.float64] | None = None) -> None:
        """Let the next rectangle that is drawn be of a kind; one in world coordinates is taken at once."""
        layer = self.make(scan)
        layer.visible = True
        self._viewer.layers.selection.active = layer
        layer.selected_data = set()
        layer.feature_defaults = {"name": "", "kind": kind}
        layer.current_edge_color = COLOURS[kind]
        layer.mode = "add_rectangle"
        if corners is not None:
            layer.add_rectangles(np.array([layer.world_to_data(corner) for corner in corners]))

    def add(self, rois: Iterable[Roi], scan: Scan) -> int:
        """Add regions, and count the shapes that they became: one for each slice."""
        layer = self.make(scan)
        shapes = [shape for roi in rois for shape in roi_to_shapes(roi, scan, layer)]
        added = [r for _, _, r in shapes]
        self._append(
            [corners for _, corners, _ in shapes],
            [s for s, _, _ in shapes],
            [r.name for r in added],
            [r.kind for r in added],
        )
        return len(shapes)

    def copy(self, chosen: Sequence[int], slices: Sequence[int]) -> int:
        """Copy shapes to other slices of their plane; what stands there under the same name is replaced."""
        if self.layer is None:
            return 0
        rois = self.reading().rois
        copied = list(copies(self.layer, ((k, rois[k]) for k in chosen), slices))
        if old := twins(self.layer, copied):
            self.layer.selected_data = old
            self.layer.remove_selected()
            self._known = len(self.layer.data)
        self._append(
            [corners for corners, _ in copied],
            [roi.shape for _, roi in copied],
            [roi.name for _, roi in copied],
            [roi.kind for _, roi in copied],
        )
        return len(copied)

    def rename(self, index: int, name: str) -> None:
        """Name a shape."""
        if self.layer is not None and index < len(self.layer.data):
            names, kinds = named(self.layer)
            names[index] = name
            self._set(names, kinds)

    def set_kind(self, index: int, kind: Kind) -> None:
        """Make a shape a region or a background."""
        if self.layer is not None and index < len(self.layer.data):
            names, kinds = named(self.layer)
            kinds[index] = kind
            self._set(names, kinds)

    def show(self, index: int, *, alone: bool = True) -> None:
        """Go to a shape's slice and select it, alone or beside those that are selected."""
        if self.layer is None or index >= len(self.layer.data):
            return
        world = self.layer.data_to_world(self.layer.data[index][0])
        first = self._viewer.dims.ndim - self.layer.ndim
        for k in range(self.layer.ndim):
            if first + k not in self._viewer.dims.displayed:
                self._viewer.dims.set_point(first + k, float(world[k]))
        self._viewer.layers.selection.active = self.layer
        self.layer.mode = "select"
        self.select({index} if alone else self.selection | {index})

    def _append(
        self,
        corners: Sequence[NDArray[np.float64]],
        shapes: Sequence[str],
        new_names: Sequence[str],
        new_kinds: Sequence[Kind],
    ) -> None:
        if self.layer is None or not corners:
            return
        names, kinds = named(self.layer)
        with self.layer.events.data.blocker():
            self.layer.selected_data = set()
            self.layer.add(list(corners), shape_type=list(shapes), edge_color="white", face_color="transparent")
        self._known = len(self.layer.data)
        self._set([*names, *new_names], [*kinds, *new_kinds])

    def _set(self, names: Sequence[str], kinds: Sequence[Kind]) -> None:
        if self.layer is None:
            return
        self.layer.features = features(list(zip(names, kinds, strict=True)))
        colour(self.layer, kinds)
        self.watch.note()

    def _look_for_layer(self) -> None:
        if self.layer is not None and self.layer not in self._viewer.layers:
            self._hold(None)
            self.gone.emit()
        if self.layer is None:
            found = [one for one in self._viewer.layers if isinstance(one, Shapes) and ROIS_KEY in one.metadata]
            if found:
                self._hold(found[-1])

    def _hold(self, layer: Shapes | None) -> None:
        self._let_go()
        self.layer = layer
        self.watch.watch(layer)
        if layer is not None:
            self._known = len(layer.data)
            self.history = History(RoiState.of(layer))
            layer.selected_data.events.items_changed.connect(self._tell_selection)
            layer.events.set_data.connect(self._snap)
            for key, action in ((UNDO, self.undo), (REDO, self.redo)):
                layer.bind_key(key, lambda _layer, act=action: act(), overwrite=True)
            self.watch.note()

    def _let_go(self) -> None:
        if self.layer is not None:
            self.layer.selected_data.events.items_changed.disconnect(self._tell_selection)
            self.layer.events.set_data.disconnect(self._snap)
            for key in (UNDO, REDO):
                self.layer.bind_key(key, None, overwrite=True)

    def _tell_selection(self, *_: object) -> None:
        self.selected.emit()

    def _snap(self, _event: object = None) -> None:
        """Let shapes be clicked on every slice.

        napari draws a shape within half a slice but lets it be clicked only where the slider's place is exactly the
        shape's, which rounding keeps it from with slices of, say, 0.6 mm (seen in 0.9.2; there is no public way).
        """
        view = getattr(self.layer, "_data_view", None)
        key = np.asarray(getattr(view, "slice_key", ()), dtype=float)
        whole = np.round(key)
        if view is not None and key.size and (key != whole).any() and np.abs(key - whole).max() < NEARLY:
            view.slice_key = whole

    def _tell(self) -> None:
        layer = self.layer
        if layer is not None:
            count = len(layer.data)
            if count > self._known:
                names = complete_names(layer, range(self._known, count))
                kinds = named(layer)[1]
                self._known = count
                layer.features = features(list(zip(names, kinds, strict=True)))
                colour(layer, kinds)
            self._known = count
            if not self.watch.dragging:
                self.history.note(RoiState.of(layer))
        self.changed.emit()
