"""The crop of the study pair that is shown, as its outline in the viewer has it, also while that is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import QObject, QTimer, Signal

from napari_micromri.errors import StudyError
from napari_micromri.plugin.study_layers import STUDY_KEY, corners_box

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari.components import ViewerModel

    from napari_micromri.measure.roi import Box

PAUSE_MS = 100


class PairCrop(QObject):
    """Follows the outline that the study dock draws; ``changed`` is sent a moment after it came, went or was moved."""

    changed = Signal()

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._outline: Shapes | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self.changed)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(self._look)
        self._look()

    def box(self, pairs: Collection[str]) -> Box | None:
        """Give the crop in mm, (y, x), when it is that of one of these pairs."""
        outline = self._outline
        if outline is None or not len(outline.data) or outline.metadata.get(STUDY_KEY) not in pairs:
            return None
        try:
            box = corners_box(np.asarray(outline.data[-1])[:, -2:])
        except StudyError:  # a drawing that has only begun
            return None
        return (box.top, box.bottom), (box.left, box.right)

    def disconnect_viewer(self) -> None:
        """Listen to viewer and outline no more."""
        self._timer.stop()
        for event in (self._viewer.layers.events.inserted, self._viewer.layers.events.removed):
            event.disconnect(self._look)
        self._hold(None)

    def _look(self, _event: object = None) -> None:
        found = [one for one in self._viewer.layers if isinstance(one, Shapes) and STUDY_KEY in one.metadata]
        outline = found[-1] if found else None
        if outline is not self._outline:
            self._hold(outline)
            self._timer.start()

    def _hold(self, outline: Shapes | None) -> None:
        if self._outline is not None:
            self._outline.events.data.disconnect(self._moved)
        self._outline = outline
        if outline is not None:
            outline.events.data.connect(self._moved)

    def _moved(self, _event: object = None) -> None:
        self._timer.start()
