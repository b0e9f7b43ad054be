"""Let only the window's thread collect garbage.

Widgets and plots are part of reference cycles. Python frees these in whichever thread happens to make enough objects,
and Qt crashes when that isn't the window's.
"""

from __future__ import annotations

import gc
from functools import cache

from qtpy.QtCore import QCoreApplication, QTimer

EVERY_MS = 1000


@cache
def collect_garbage_here() -> QTimer:
    """Collect garbage every second in this thread, the window's, and in no other; by Python's own thresholds."""
    gc.disable()
    timer = QTimer(QCoreApplication.instance())
    timer.timeout.connect(collect_what_is_due)
    timer.start(EVERY_MS)
    return timer


def collect_what_is_due() -> None:
    """Collect the generations of which enough has come together since the last time."""
    due = -1
    for made, enough in zip(gc.get_count(), gc.get_threshold(), strict=True):
        if made <= enough:
            break
        due += 1
    if due >= 0:
        gc.collect(due)
