"""The validation slice of a run in the viewer: three layers that follow the network as it learns."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_micromri.plugin.run_layers import ROLES, RUN_KEY, RunSlice, load_run_slice
from napari_micromri.widgets.shared.looking import Looking

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.layers import Image
    from napari.utils.events import Event

    from napari_micromri.plugin.layers import LayerData

PLACE = ("scale", "translate", "units", "axis_labels", "metadata")


class SliceView(QObject):
    """Shows one epoch of one run at a time.

    ``shown`` comes with the `RunSlice` when it is in the viewer, ``closed`` when the person removed one of the layers.
    """

    shown = Signal(object)
    closed = Signal()
    failed = Signal(str)

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.layers: dict[str, Image] = {}
        self._wanted: tuple[Path, int, Path] | None = None
        self._loaded: tuple[Path, int, Path] | None = None
        self._loading: Looking | None = None
        self._present: RunSlice | None = None
        self._busy = False
        self._grid_before: tuple[bool, int, tuple[int, int]] | None = None
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.setInterval(0)
        self._next.timeout.connect(self._put_next)
        viewer.layers.events.removed.connect(self._look_for_layers)

    def show(self, run: Path, epoch: int, image: Path) -> None:
        """Show a run after an epoch as soon as it is read; what was asked for before and isn't read yet is skipped."""
        self._wanted = (run, epoch, image)
        if self._wanted != self._loaded and self._loading is None:
            self._load()

    def close(self) -> None:
        """Take the layers away."""
        self._forget()
        self.side_by_side(False)
        layers, self.layers = self.layers, {}
        for layer in layers.values():
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def disconnect_viewer(self) -> None:
        """Leave the layers to the person, give the grid back and listen to the viewer no more."""
        self.viewer.layers.events.removed.disconnect(self._look_for_layers)
        self._forget()
        self.side_by_side(False)
        self.layers = {}

    def side_by_side(self, wanted: bool) -> None:
        """Show the layers in a row, in napari's grid, instead of over each other."""
        grid = self.viewer.canvas.grid
        if wanted and self._grid_before is None:
            self._grid_before = (grid.enabled, grid.stride, grid.shape)
            grid.stride, grid.shape, grid.enabled = 1, (1, -1), True
        elif not wanted and self._grid_before is not None:
            grid.enabled, grid.stride, grid.shape = self._grid_before
            self._grid_before = None
        else:
            return
        if "HR" in self.layers:
            self.layers["HR"].visible = wanted
        if self.layers:
            self.viewer.reset_view()  # a cell of the grid is narrower

    def _forget(self) -> None:
        self._wanted = self._loaded = self._present = None
        self._next.stop()
        if self._loading is not None:
            self._loading.stop()
        self._end_loading()

    # Reading

    def _load(self) -> None:
        wanted = self._wanted
        if wanted is None:
            return
        self._loading = Looking(partial(load_run_slice, *wanted), self)
        self._loading.seen.connect(partial(self._take, wanted))
        self._loading.failed.connect(self._fail)
        self._loading.look()

    def _take(self, wanted: tuple[Path, int, Path], found: RunSlice) -> None:
        self._end_loading()
        self._loaded, self._present = wanted, found
        self._put_next()
        if self._wanted != self._loaded:
            self._load()

    def _fail(self, sentence: str) -> None:
        self._end_loading()
        self._loaded = self._wanted  # asked for again only when there is something new
        self.failed.emit(sentence)

    def _end_loading(self) -> None:
        if self._loading is not None:
            self._loading.deleteLater()
            self._loading = None

    # Showing

    def _put_next(self) -> None:
        """Change the layers; new ones are made one at a time, since each takes napari a while."""
        present = self._present
        if present is None:
            return
        made = present.layers()
        missing = [role for role in ROLES if role not in self.layers]
        for role, layer in self.layers.items():
            _change(layer, made[role])
        if missing:
            self._add(missing[0], made)
        if len(missing) > 1:
            self._next.start()
        else:
            if missing:
                self.viewer.reset_view()
            self.shown.emit(present)

    def _add(self, role: str, made: Mapping[str, LayerData]) -> None:
        data, attributes, _ = made[role]
        self._busy = True
        try:
            # HR would hide the image that is learned; its eye compares the two.
            seen = role != "HR" or self._grid_before is not None
            self.layers[role] = self.viewer.add_image(data, **(attributes | {"visible": seen}))
        finally:
            self._busy = False

    def _look_for_layers(self, event: Event) -> None:
        if not self._busy and any(layer not in self.viewer.layers for layer in self.layers.values()):
            self.close()
            self.closed.emit()


def _change(layer: Image, made: LayerData) -> None:
    """Give a layer another image; the contrast stays as the person set it while it is the same run and size."""
    data, attributes, _ = made
    same = layer.data.shape == data.shape and layer.metadata.get(RUN_KEY) == attributes["metadata"][RUN_KEY]
    if not same or not np.array_equal(layer.data, data):
        layer.data = data
    if not same:
        for name in PLACE:
            setattr(layer, name, attributes[name])
    if layer.name != attributes["name"]:
        layer.name = attributes["name"]
    if not same:
        layer.contrast_limits_range = layer.contrast_limits = attributes["contrast_limits"]
