"""LR, DL and HR beside each other in napari's grid, each with the regions and the cursor's crosshair over it.

A grid has cells of as many layers of the list as its stride says. So each image is followed by a layer of regions: the
first by the one that is drawn in, the others by copies of it, which follow it; and by one with the crosshair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Shapes
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined,unused-ignore]

from napari_micromri.widgets.measuring.contrast import LinkedContrast
from napari_micromri.widgets.measuring.crosshair import Crosshair
from napari_micromri.widgets.results import RESULT_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Image, Layer

FROM_THE_TOP = -3
"""Stride: three layers a cell, the topmost first, so that layers below, which are hidden, shift nothing."""


class SideBySide(QObject):
    """Shows images beside each other until it is told to stop, or until layers come or go; then ``ended`` is sent."""

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
        _draw_edges(regions, self._width * len(images))  # what is drawn smaller would lose parts of its lines
        self._visible = {layer: layer.visible for layer in layers}
        self._copies = [self._viewer.add_layer(_copy(regions, image)) for image in images[1:]]
        self.follow()
        self._crosshair = Crosshair(self._viewer, images, regions)
        each = zip(images, (regions, *self._copies), self._crosshair.layers, strict=True)
        order = [one for cell in each for one in reversed(cell)]
        for layer in reversed(order):
            layers.move(layers.index(layer), len(layers))
        for layer in layers:
            layer.visible = layer in order
        grid.stride, grid.shape, grid.enabled = FROM_THE_TOP, (1, len(images)), True
        self.contrast.link(images)
        layers.selection.active = regions
        self._viewer.reset_view()  # a cell of the grid is narrower than the canvas
        layers.events.inserted.connect(self.stop)
        layers.events.removed.connect(self.stop)

    def follow(self) -> None:
        """Bring the copies of the regions up to date."""
        if self._regions is not None:
            for copy in self._copies:
                _update(copy, self._regions)

    def stop(self, *_: object) -> None:
        """Show everything as it was before."""
        if self._before is None:
            return
        layers, grid = self._viewer.layers, self._viewer.canvas.grid
        layers.events.inserted.disconnect(self.stop)
        layers.events.removed.disconnect(self.stop)
        self.contrast.unlink()
        grid.enabled, grid.stride, grid.shape = self._before
        if self._regions is not None:
            _draw_edges(self._regions, self._width)
        if self._crosshair is not None:
            self._crosshair.stop()
        copies, self._copies, self._before, self._regions = self._copies, [], None, None
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
