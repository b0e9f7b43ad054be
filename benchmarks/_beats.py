"""How long the window's thread computes at a stretch: all of it, and without napari's making of layers and docks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari._qt.qt_main_window import Window
from napari._vispy.canvas import VispyCanvas
from napari.components import ViewerModel
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication
from vispy.scene import SceneCanvas

if TYPE_CHECKING:
    from collections.abc import Callable

NAPARIS = (
    (ViewerModel, "add_image"),
    (ViewerModel, "add_layer"),
    (Window, "_add_viewer_dock_widget"),  # an empty one: our docks get their content later
    (VispyCanvas, "_update_scenegraph"),  # after layers got another order, and for a grid
    (SceneCanvas, "on_draw"),
)


class Beats:
    """Measures the processor time between two beats of a timer, so that other programs hardly count."""

    def __init__(self) -> None:
        self._naparis = self._since = 0.0
        self._depth = 0
        self._stretches: list[tuple[float, float]] = []
        for owner, name in NAPARIS:
            setattr(owner, name, self._timed(getattr(owner, name)))
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(5)
        self.during(lambda: None, self.after(3))  # what a new window still has to do

    def during(
        self, start: Callable[[], object], done: Callable[[], bool], limit: float = 300.0
    ) -> tuple[float, float]:
        """Start something, wait until it is done, and give the longest stretch: all of it, and ours, in ms."""
        self._stretches.clear()
        self._naparis, self._since = 0.0, time.thread_time()
        start()
        self._beat()
        end = time.perf_counter() + limit
        while not done():
            if time.perf_counter() > end:
                raise TimeoutError
            QApplication.processEvents()
            time.sleep(0.001)
        self._beat()
        return max(whole for whole, _ in self._stretches), max(ours for _, ours in self._stretches)

    def stop(self) -> None:
        """Beat no more."""
        self._timer.stop()

    @staticmethod
    def after(seconds: float) -> Callable[[], bool]:
        """Give what is done after a time."""
        end = time.perf_counter() + seconds
        return lambda: time.perf_counter() > end

    def _beat(self) -> None:
        now = time.thread_time()
        whole = 1000 * (now - self._since)
        self._stretches.append((whole, whole - 1000 * self._naparis))
        self._since, self._naparis = now, 0.0

    def _timed(self, work: Any) -> Any:
        def timed(*arguments: Any, **named: Any) -> Any:
            self._depth += 1
            began = time.thread_time()
            try:
                return work(*arguments, **named)
            finally:
                self._depth -= 1
                if not self._depth:
                    self._naparis += time.thread_time() - began

        return timed
