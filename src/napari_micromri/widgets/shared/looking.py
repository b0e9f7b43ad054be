"""Look at files from a thread, now and then: a slow disk never holds the window, and nothing waits for it at the end.

Unlike a `BackgroundJob` it isn't listed among napari's activities, and napari doesn't ask about it when it closes.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import notification_manager
from qtpy.QtCore import QObject, QTimer, Signal

from napari_micromri.errors import MicroMRIError

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_MS = 25


class Looking(QObject):
    """Calls a function in a thread, once or every ``every_ms``; one call at a time.

    Without a function it waits for `begin`. ``seen`` brings what it gave and ``failed`` the sentence of a
    `MicroMRIError`, both on the window's thread. Nothing more comes after `stop`.
    """

    seen = Signal(object)
    failed = Signal(str)

    def __init__(self, look: Callable[[], object] | None, parent: QObject, *, every_ms: int = 0) -> None:
        super().__init__(parent)
        self._look = look
        self._outcome: _Outcome | None = None
        self._wait = QTimer(self)
        self._wait.setInterval(WAIT_MS)
        self._wait.timeout.connect(self._fetch)
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(every_ms)
        self._again.timeout.connect(self.look)

    @property
    def busy(self) -> bool:
        """Whether a call is under way."""
        return self._outcome is not None

    def begin(self, look: Callable[[], object]) -> None:
        """Call another function from now on; what is under way is forgotten."""
        self.stop()
        self._look = look
        self.look()

    def look(self) -> None:
        """Call now, unless a call is under way."""
        if self._outcome is None and self._look is not None:
            self._again.stop()
            self._outcome = outcome = _Outcome()
            threading.Thread(target=outcome.take, args=(self._look,), name="looking", daemon=True).start()
            self._wait.start()

    def stop(self) -> None:
        """Call no more; what is under way is forgotten."""
        self._outcome = None
        self._wait.stop()
        self._again.stop()

    def _fetch(self) -> None:
        outcome = self._outcome
        if outcome is None or not outcome.over.is_set():
            return
        self._outcome = None
        self._wait.stop()
        if self._again.interval():
            self._again.start()
        match outcome.error:
            case None:
                self.seen.emit(outcome.value)
            case MicroMRIError():
                self.failed.emit(str(outcome.error))
            case error:  # a fault of ours: shown with its traceback, once
                self.stop()
                self.failed.emit(f"An unexpected error occurred: {error}")
                notification_manager.receive_error(type(error), error, error.__traceback__)


class _Outcome:
    """What a call gave; made in the window's thread, filled in the other one."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.value: Any = None
        self.error: Exception | None = None

    def take(self, look: Callable[[], object]) -> None:
        try:
            self.value = look()
        except Exception as error:  # told by _fetch
            self.error = error
        self.over.set()
