"""Let only the window's thread collect garbage.

Widgets and plots are part of reference cycles. Python frees these in whichever thread happens to make enough objects,
and Qt crashes when that isn't the window's.

Python's thresholds say so, and not `gc.disable`: dask (2026.8) calls `gc.enable` whenever an array of it is sliced, if
collection was enabled when dask was imported. A library that asks for a collection in another thread, as Optuna does
after a trial, has nothing to look at there.
"""

from __future__ import annotations

import gc
import threading
from functools import cache
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, QTimer

EVERY_MS = 100
"""Soon enough that there is never much to look at: that holds the window."""

ENOUGH = (700, 10, 10)
"""Objects made since the last collection, and collections of the generation before, that call for one."""


AT_FIRST = 400_000
"""Objects that napari has about when the first dock opens; to count them would hold the window, too."""

GROWN = 0.25
"""Part of the objects that must be new before all are looked at, which holds the window for a moment; as in Python."""


@cache
def collect_garbage_here() -> Collector:
    """Collect garbage all the time in this thread, the window's, and in no other."""
    gc.set_threshold(0)
    if look_away_elsewhere not in gc.callbacks:
        gc.callbacks.append(look_away_elsewhere)
    collector = Collector(QCoreApplication.instance())
    collector.start(EVERY_MS)
    return collector


def look_away_elsewhere(phase: str, _info: dict[str, Any]) -> None:
    """Hide all objects from a collection that isn't in the main thread, for as long as it lasts."""
    if threading.current_thread() is not threading.main_thread():
        if phase == "start":
            gc.freeze()
        else:
            gc.unfreeze()


class Collector(QTimer):
    """Collects in the thread that it lives in, as much as Python would."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known, self._new = AT_FIRST, 0
        self.timeout.connect(self.collect_what_is_due)

    def collect_what_is_due(self) -> None:
        """Collect the generations of which enough has come together since the last time."""
        due = -1
        for made, enough in zip(gc.get_count(), ENOUGH, strict=True):
            if made <= enough:
                break
            due += 1
        if due < 0:
            return
        self._new += gc.get_count()[0]
        if due == len(ENOUGH) - 1 and self._new < GROWN * self._known:
            due -= 1
        self._new -= gc.collect(due)
        if due == len(ENOUGH) - 1:
            self._known, self._new = len(gc.get_objects()), 0
