"""LR, DL and HR beside each other in napari's grid, each with the regions and the cursor's crosshair over it.

A grid has cells of as many layers of the list as its stride says. So each image is followed by a layer of regions: the
first by the one that is drawn in, the others by copies of it, which follow it; and by one with the crosshair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Shapes
from qtpy.QtCore import QObject, QTimer, Signal

from napari_micromri.widgets.measuring.contrast import LinkedContrast
from napari_micromri.widgets.measuring.crosshair import Crosshair
from napari_micromri.widgets.results import RESULT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari.components import ViewerModel
    from napari.layers import Image, Layer

FROM_THE_TOP = -3
"""Stride: three layers a cell, the topmost first, so that layers below, which are hidden, shift nothing."""

BETWEEN_MS = 10
"""Between two layers, for what else the window has to do; with 0 Qt may take several turns at once."""


class SideBySide(QObject):
    """Shows images beside each other until it is told to stop, or until layers come or go; then ``ended`` is sent.

    One layer is added or moved in each turn of the event loop: napari takes a while for each. ``ready`` comes last.
    """

    ready = Signal()
    ended = Signal()

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.contrast = LinkedContrast(viewer)
        self._regions: Shapes | None = None
        self._copies: list[Shapes] = []
        self._crosshair: Crosshair | None = None
        self._before: tuple[bool, int, tuple[int, int]] | None = None
        self._visible: dict[Layer, bool] = {}
        self._width = 1.0
        self._turns: Iterator[None] = iter(())
        self._timer = QTimer(self)
        self._timer.setInterval(BETWEEN_MS)
        self._timer.timeout.connect(self._turn)

    @property
    def on(self) -> bool:
        """Whether images are shown beside each other."""
        return self._before is not None

    def start(self, images: Sequence[Image], regions: Shapes) -> None:
        """Show images from left to right, with the regions over each."""
        self.stop()
        layers, grid = self._viewer.layers, self._viewer.canvas.grid
        self._before = (grid.enabled, grid.stride, grid.shape)
        self._regions, self._width = regions, float(max(regions.edge_width, default=regions.current_edge_width))
        self._visible = {layer: layer.visible for layer in layers}
        layers.events.inserted.connect(self._interrupt)
        layers.events.removed.connect(self._interrupt)
        self._turns = self._lay_out(images, regions)
        self._timer.start()

    def _turn(self) -> None:
        if next(self._turns, self) is self:
            self._timer.stop()
            self.ready.emit()

    def _lay_out(self, images: Sequence[Image], regions: Shapes) -> Iterator[None]:
        """Put the layers of each cell on top of the list, the last cell first, and show them in a grid."""
        layers, grid = self._viewer.layers, self._viewer.canvas.grid
        _draw_edges(regions, self._width * len(images))  # what is drawn smaller would lose parts of its lines
        for image in images[1:]:
            yield
            self._copies.append(_copy(regions, image))
            _update(self._copies[-1], regions)
        yield
        self._crosshair = Crosshair(self._viewer, images, regions)
        cells = list(zip(images, (regions, *self._copies), self._crosshair.layers, strict=True))
        for layer in [one for one in layers if one.visible and one not in {one for cell in cells for one in cell}]:
            layer.visible = False
        for layer in (one for cell in reversed(cells) for one in cell):
            yield
            if layer in layers:
                layers.move(layers.index(layer), len(layers))
            else:
                self._viewer.add_layer(layer)
        yield
        for image, _, _ in cells:
            if not image.visible:
                image.visible = True
        with grid.events.stride.blocker(), grid.events.shape.blocker():  # napari rebuilds the canvas for each
            grid.stride, grid.shape = FROM_THE_TOP, (1, len(cells))
        grid.enabled = True
        yield
        self.contrast.link([image for image, _, _ in cells])
        layers.selection.active = regions
        self._viewer.reset_view()  # a cell of the grid is narrower than the canvas

    def follow(self) -> None:
        """Bring the copies of the regions up to date."""
        if self._regions is not None:
            for copy in self._copies:
                _update(copy, self._regions)

    def _interrupt(self, event: Any) -> None:
        if event.value not in (*self._copies, *(self._crosshair.layers if self._crosshair is not None else ())):
            self.stop()

    def stop(self) -> None:
        """Show everything as it was before."""
        if self._before is None:
            return
        self._timer.stop()
        layers, grid = self._viewer.layers, self._viewer.canvas.grid
        layers.events.inserted.disconnect(self._interrupt)
        layers.events.removed.disconnect(self._interrupt)
        self.contrast.unlink()
        grid.enabled, grid.stride, grid.shape = self._before
        if self._regions is not None:
            _draw_edges(self._regions, self._width)
        if self._crosshair is not None:
            self._crosshair.stop()
        copies, self._copies, self._before, self._regions, self._crosshair = self._copies, [], None, None, None
        for copy in copies:
            if copy in layers:
                layers.remove(copy)
        for layer, visible in self._visible.items():
            if layer in layers:
                layer.visible = visible
        self._visible = {}
        self._viewer.reset_view()
        self.ended.emit()


def _draw_edges(regions: Shapes, width: float) -> None:
    regions.edge_width = [width] * len(regions.data)
    regions.current_edge_width = width


def _copy(regions: Shapes, image: Image) -> Shapes:
    copy = Shapes(
        ndim=regions.ndim,
        name=f"ROIs on {image.name}",
        scale=regions.scale,
        translate=regions.translate,
        units=regions.units,
        axis_labels=regions.axis_labels,
        metadata={RESULT_KEY: "copy"},
    )
    copy.editable = False
    return copy


def _update(copy: Shapes, regions: Shapes) -> None:
    copy.selected_data = set()
    copy.data = []
    if regions.data:
        copy.add(
            list(regions.data),
            shape_type=list(regions.shape_type),
            edge_color=regions.edge_color,
            face_color=regions.face_color,
            edge_width=list(regions.edge_width),
        )
