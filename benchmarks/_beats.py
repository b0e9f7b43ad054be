"""How long the window's thread computes at a stretch: all of it, and what of it is our code's.

Ours is what runs below a function of this package, without what napari takes there to add, arrange and draw layers. The
rest is napari's and Qt's own: repainting the list of layers, styling controls, laying out docks.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

import napari_micromri

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

OURS = str(Path(napari_micromri.__file__).parent)
NAPARIS = {
    "ViewerModel.add_image",
    "ViewerModel.add_layer",
    "Window._add_viewer_dock_widget",  # an empty one: our docks get their content later
    "VispyCanvas._update_scenegraph",  # after layers got another order, and for a grid
    "SceneCanvas.on_draw",
}
EVERY_S = 0.001


class Beats:
    """Measures the processor time between two beats of a timer, so that other programs hardly count.

    A second thread looks every millisecond at what the window's thread is at, and books the processor time since.
    """

    def __init__(self) -> None:
        self._ours = self._since = 0.0
        self._stretches: list[tuple[float, float]] = []
        self._watched = threading.main_thread().ident or 0
        sys.setswitchinterval(EVERY_S / 2)
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(5)
        self.during(lambda: None, self.after(3))  # what a new window still has to do

    def during(
        self, start: Callable[[], object], done: Callable[[], bool], limit: float = 300.0
    ) -> tuple[float, float]:
        """Start something, wait until it is done, and give the longest stretch: all of it, and ours, in ms."""
        self._stretches.clear()
        self._ours, self._since = 0.0, time.thread_time()
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
        self._stopped.set()

    @staticmethod
    def after(seconds: float) -> Callable[[], bool]:
        """Give what is done after a time."""
        end = time.perf_counter() + seconds
        return lambda: time.perf_counter() > end

    def _beat(self) -> None:
        now = time.thread_time()
        self._stretches.append((1000 * (now - self._since), 1000 * self._ours))
        self._since, self._ours = now, 0.0

    def _watch(self) -> None:
        clock = time.pthread_getcpuclockid(self._watched)
        before = time.clock_gettime(clock)
        while not self._stopped.wait(EVERY_S):
            now = time.clock_gettime(clock)
            if _is_ours(sys._current_frames().get(self._watched)):
                self._ours += now - before
            before = now


def _is_ours(frame: FrameType | None) -> bool:
    found = False
    while frame is not None:
        if frame.f_code.co_qualname in NAPARIS:
            return False
        found = found or frame.f_code.co_filename.startswith(OURS)
        frame = frame.f_back
    return found
