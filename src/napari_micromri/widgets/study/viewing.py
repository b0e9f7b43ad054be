"""The pair that is shown in the viewer: its two layers, the slice, the mark and the outline of the crop."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_micromri.plugin.layers import Placement, mm_per
from napari_micromri.plugin.study_layers import STUDY_KEY, PairPixels, crop_corners
from napari_micromri.study.model import REASON_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.components import ViewerModel
    from napari.layers import Image, Shapes
    from napari.utils.events import Event
    from numpy.typing import NDArray

    from napari_micromri.study.model import Crop, Pair, Reason

RED = "#ff4d4d"
PAUSE_MS = 150
OUTLINE = {"edge_color": "#ffd24d", "face_color": "transparent", "opacity": 1.0}


class PairView(QObject):
    """Shows one pair at a time and says where the viewer's slider stands.

    ``moved`` is sent with the slice that is shown now, ``closed`` when the person removed a layer of the pair, and
    ``drawn`` with the corners (4, 2) in mm of a crop that was dragged.
    """

    moved = Signal(int)
    closed = Signal()
    drawn = Signal(object)

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.pair: Pair | None = None
        self.hr: Image | None = None
        self.lr: Image | None = None
        self.outline: Shapes | None = None
        self._busy = self._editing = False
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._tell_drawing)
        self._marked: tuple[Reason | None, list[Image]] = (None, [])
        self._text_before: dict[str, Any] | None = None
        self._grid_before: tuple[bool, int] | None = None
        viewer.dims.events.point.connect(self._tell_slice)
        viewer.layers.events.removed.connect(self._look_for_layers)

    # The pair

    def show(self, pixels: PairPixels) -> None:
        """Show a pair in the place of the one before; the slider stays where it can."""
        before = self.pair
        with self._at_work():
            self.pair = pixels.pair
            below, above = pixels.layers()
            self.hr = self._put(self.hr, below)
            self.lr = self._put(self.lr, above)
            self._drop_outline()
            if before is None or _view(before) != _view(pixels.pair):
                self.viewer.reset_view()
            self.viewer.layers.selection.active = self.lr
        self._tell_slice()

    def close(self) -> None:
        """Take away what this put into the viewer."""
        with self._at_work():
            self.side_by_side(False)
            self._drop_outline()
            for layer in (self.lr, self.hr):
                if layer is not None and layer in self.viewer.layers:
                    self.viewer.layers.remove(layer)
        self._forget()

    def disconnect_viewer(self) -> None:
        """Listen to the viewer no more and give back its text and grid."""
        self.viewer.dims.events.point.disconnect(self._tell_slice)
        self.viewer.layers.events.removed.disconnect(self._look_for_layers)
        self.side_by_side(False)
        self._forget()

    @property
    def layers(self) -> list[Image]:
        """The pair's layers."""
        return [layer for layer in (self.hr, self.lr) if layer is not None]

    def _put(self, old: Image | None, made: tuple[Any, dict[str, Any], str]) -> Image:
        data, attributes, _ = made
        if old is None or old not in self.viewer.layers:
            return self.viewer.add_image(data, **attributes)
        # Removing a layer and adding another takes napari much longer.
        old.data = data
        for name in ("scale", "translate", "units", "axis_labels", "metadata", "name"):
            setattr(old, name, attributes[name])
        old.contrast_limits_range = old.contrast_limits = attributes["contrast_limits"]
        return old

    def _look_for_layers(self) -> None:
        if self._busy or self.pair is None:
            return
        if self.outline is not None and self.outline not in self.viewer.layers:
            self.outline = None
        if any(layer not in self.viewer.layers for layer in self.layers):
            self.close()
            self.closed.emit()

    def _forget(self) -> None:
        self.show_mark(None)
        self.pair = self.hr = self.lr = self.outline = None

    # The slice

    @property
    def index(self) -> int:
        """The slice that is shown."""
        if self.pair is None:
            return 0
        return self._placement.indices_at(self.viewer.dims.point, self.viewer.layers.units, self.pair.hr.shape)["z"]

    def go_to(self, index: int) -> None:
        """Move the slider to a slice, or to the nearest there is."""
        if self.pair is None:
            return
        index = min(max(index, 0), self.pair.slice_count - 1)
        axis, placement = self.viewer.dims.ndim - 3, self._placement
        length = placement.translate[0] + index * placement.scale[0]
        units = self.viewer.layers.units
        self.viewer.dims.set_point(axis, length / (mm_per(units[axis]) if units is not None else 1.0))

    @property
    def _placement(self) -> Placement:
        assert self.pair is not None  # noqa: S101
        return Placement.of_info(self.pair.hr.info)

    def _tell_slice(self) -> None:
        if self.pair is not None and not self._busy:
            self.moved.emit(self.index)

    # The mark

    def show_mark(self, reason: Reason | None) -> None:
        """Frame an excluded slice in red and say why; None shows a kept one as it is."""
        if (reason, self.layers) == self._marked:
            return  # setting the frame again would draw everything again
        self._marked = (reason, self.layers)
        for layer in self.layers:
            box = layer.bounding_box
            box.line_color, box.line_thickness, box.points = RED, 3, False
            box.visible = reason is not None
        text = self.viewer.canvas.overlays.text
        if reason is None:
            if self._text_before is not None:
                text.update(self._text_before)
                self._text_before = None
            return
        if self._text_before is None:
            names = ("text", "color", "font_size", "position", "box", "visible")
            self._text_before = {name: getattr(text, name) for name in names}
        text.update(
            {
                "text": f"excluded: {REASON_WORDS[reason]}",
                "color": RED,
                "font_size": 14,
                "position": "top_center",
                "box": True,
                "visible": True,
            }
        )

    # Crop and grid

    def show_crop(self, crop: Crop | None) -> None:
        """Outline a crop on the pair; nothing for None."""
        if self.pair is None:
            return
        if crop is None:
            self._drop_outline()
            return
        corners = crop_corners(self.pair, crop)
        if self.outline is None:
            self._add_outline(corners)
            return
        if len(self.outline.data) == 1 and np.allclose(self.outline.data[0], corners):
            return
        with self._at_work():
            self.outline.data = [(corners, "rectangle")]
            if self._editing:
                self.outline.selected_data = {0}

    def edit_crop(self, wanted: bool) -> None:
        """Let the person drag the outline; ``drawn`` is sent with its corners when they let go."""
        self._editing = wanted and self.outline is not None
        if self.outline is None:
            return
        selection = self.viewer.layers.selection
        self.outline.mode = "select" if wanted else "pan_zoom"
        self.outline.selected_data = {0} if wanted else set()
        selection.active = self.outline if wanted else self.lr

    def _add_outline(self, corners: NDArray[np.float64]) -> None:
        assert self.pair is not None  # noqa: S101
        active = self.viewer.layers.selection.active
        with self._at_work():
            self.outline = self.viewer.add_shapes(
                [corners],
                shape_type="rectangle",
                name="crop",
                edge_width=1.5 * min(self.pair.hr.info.voxel_size[-2:]),
                units=("millimeter", "millimeter"),
                axis_labels=("y", "x"),
                metadata={STUDY_KEY: self.pair.key},
                visible=self._grid_before is None,
                **OUTLINE,
            )
            self.viewer.layers.selection.active = active
        self.outline.events.data.connect(self._note_drawing)

    def _note_drawing(self, event: Event) -> None:
        # napari reports every step of a drag; what counts is where it ends.
        if not self._busy and str(event.action) in ("changed", "added"):
            self._pause.start()

    def _tell_drawing(self) -> None:
        if self.outline is not None and len(self.outline.data):
            self.drawn.emit(np.asarray(self.outline.data[-1])[:, -2:])

    def _drop_outline(self) -> None:
        outline, self.outline, self._editing = self.outline, None, False
        if outline is not None and outline in self.viewer.layers:
            with self._at_work():
                self.viewer.layers.remove(outline)

    def side_by_side(self, wanted: bool) -> None:
        """Show LR and HR in two cells of napari's grid; the outline, which would take a third, is hidden then."""
        grid = self.viewer.canvas.grid
        if wanted and self._grid_before is None:
            self._grid_before = (grid.enabled, grid.stride)
            grid.stride = -1  # from the top layer on: LR to the left of HR, as where three are compared
            grid.enabled = True
        elif not wanted and self._grid_before is not None:
            grid.enabled, grid.stride = self._grid_before
            self._grid_before = None
        else:
            return
        if self.outline is not None:
            self.outline.visible = not wanted
        if self.pair is not None:
            self.viewer.reset_view()  # a cell of the grid is half as wide

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Take what happens in the viewer for our own doing."""
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before


def _view(pair: Pair) -> tuple[float, ...]:
    """Where in the plane a pair lies, so that the camera is moved only to what it wouldn't show."""
    info, shape = pair.hr.info, pair.hr.shape
    return (*info.origin[-2:], *info.voxel_size[-2:], *shape[-2:])
