"""The line in the viewer along which profiles are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_micromri.measure.roi import NORMALS
from napari_micromri.plugin.roi_layers import roi_layer
from napari_micromri.widgets.measuring.roi_watch import ShapesWatch
from napari_micromri.widgets.results import RESULT_KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Shapes

    from napari_micromri.measure.roi import Point
    from napari_micromri.scan import Scan

    Line = tuple[str, Point, Point, float]

COLOUR = "#f781bf"
FLAT = 1e-6
"""In mm: what lies apart by less lies on one slice."""


class LineLayer(QObject):
    """Holds at most one Shapes layer, of which the newest line counts; ``changed`` is sent while it is dragged, too."""

    changed = Signal()

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.layer: Shapes | None = None
        self._axes = ""
        self._watch = ShapesWatch(self)
        self._watch.changed.connect(self.changed)
        viewer.layers.events.removed.connect(self._look)

    def draw(self, scan: Scan) -> None:
        """Let the person drag a line over a scan."""
        if self.layer is None:
            _, like, _ = roi_layer(scan)
            kept = ("ndim", "scale", "translate", "units", "axis_labels", "edge_width")
            attributes = {name: like[name] for name in kept}
            self.layer = self._viewer.add_shapes(
                None, name="Profile line", edge_color=COLOUR, metadata={RESULT_KEY: "line"}, **attributes
            )
            self._axes = "".join(like["axis_labels"])
            self._watch.watch(self.layer)
        self.layer.visible = True
        self._viewer.layers.selection.active = self.layer
        self.layer.mode = "add_line"

    @property
    def line(self) -> Line | None:
        """Plane, start, end and position across it, all in mm; None without a line in one plane."""
        if self.layer is None or not len(self.layer.data):
            return None
        start, end = (np.asarray(self.layer.data_to_world(point)) for point in self.layer.data[-1][[0, -1]])
        places = dict(zip(self._axes, zip(start.tolist(), end.tolist(), strict=True), strict=True))
        for plane, normal in NORMALS.items():
            across = places.get(normal, (0.0, 0.0))
            if set(plane) <= set(places) and abs(across[1] - across[0]) < FLAT:
                (y0, y1), (x0, x1) = (places[axis] for axis in plane)
                return plane, (y0, x0), (y1, x1), across[0]
        return None

    def disconnect_viewer(self) -> None:
        """Listen to viewer and layer no more; the line stays."""
        self._watch.stop()
        self._viewer.layers.events.removed.disconnect(self._look)
        self.layer = None

    def _look(self, _event: object = None) -> None:
        if self.layer is not None and self.layer not in self._viewer.layers:
            self._watch.stop()
            self.layer = None
            self.changed.emit()
