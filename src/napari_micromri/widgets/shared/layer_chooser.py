"""A list of the viewer's image layers that keeps itself up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import QObject, Qt, Signal
from superqt.utils import signals_blocked

from napari_micromri.widgets.results import is_preview, is_result

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from qtpy.QtWidgets import QComboBox


class LayerChooser(QObject):
    """Fills a combo box with the image layers of a viewer.

    It follows the selected layer, except when that is a result: what a run adds doesn't become the next run's input by
    itself. ``changed`` is sent when layers came, went or were renamed.
    """

    changed = Signal()

    def __init__(self, box: QComboBox, viewer: ViewerModel) -> None:
        super().__init__(box)
        self._box, self._viewer = box, viewer
        self.layers: list[Image] = []
        events = viewer.layers.events
        self._events = (events.inserted, events.removed, events.reordered, events.renamed)
        for event in self._events:
            event.connect(self.refresh)
        viewer.layers.selection.events.active.connect(self._follow)
        self.refresh()

    @property
    def current(self) -> Image | None:
        """The chosen layer."""
        index = self._box.currentIndex()
        return self.layers[index] if 0 <= index < len(self.layers) else None

    def choose(self, layer: Image) -> None:
        """Choose a layer of the list."""
        self._box.setCurrentIndex(self.layers.index(layer))

    def disconnect_viewer(self) -> None:
        """Listen to the viewer no more."""
        for event in self._events:
            event.disconnect(self.refresh)
        self._viewer.layers.selection.events.active.disconnect(self._follow)

    def refresh(self) -> None:
        """Refresh the list of layers; the choice stays where it can."""
        chosen = self.current
        self.layers = [one for one in self._viewer.layers if isinstance(one, Image) and not is_preview(one)]
        if chosen not in self.layers:
            active = self._viewer.layers.selection.active
            chosen = active if active in self.layers else next(reversed(self.layers), None)
        with signals_blocked(self._box):
            self._box.clear()
            for k, one in enumerate(self.layers):
                self._box.addItem(one.name)
                self._box.setItemData(
                    k, one.name, Qt.ItemDataRole.ToolTipRole
                )  # the dock may be too narrow for the name
            self._box.setCurrentIndex(self.layers.index(chosen) if chosen is not None else -1)
        self.changed.emit()

    def _follow(self) -> None:
        active = self._viewer.layers.selection.active
        if active in self.layers and not is_result(active):
            self.choose(active)
