"""Let only the window's thread collect garbage.

Widgets and plots are part of reference cycles. Python frees these in whichever thread happens to make enough objects,
and Qt crashes when that isn't the window's.

Python's thresholds say so, and not `gc.disable`: dask (2026.8) calls `gc.enable` whenever an array of it is sliced, if
collection was enabled when dask was imported.
"""

from __future__ import annotations

import gc
from functools import cache

from qtpy.QtCore import QCoreApplication, QTimer

EVERY_MS = 1000

ENOUGH = (700, 10, 10)
"""Objects made since the last collection, and collections of the generation before, that call for one."""


@cache
def collect_garbage_here() -> QTimer:
    """Collect garbage every second in this thread, the window's, and in no other."""
    gc.set_threshold(0)
    timer = QTimer(QCoreApplication.instance())
    timer.timeout.connect(collect_what_is_due)
    timer.start(EVERY_MS)
    return timer


def collect_what_is_due() -> None:
    """Collect the generations of which enough has come together since the last time."""
    due = -1
    for made, enough in zip(gc.get_count(), ENOUGH, strict=True):
        if made <= enough:
            break
        due += 1
    if due >= 0:
        gc.collect(due)
