"""Take what a generator gives from a thread, as it comes: for lists that fill while one works with them already."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import notification_manager
from qtpy.QtCore import QObject, QTimer, Signal

from napari_micromri.errors import CancelledError, MicroMRIError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_micromri.progress import ShouldStop

EVERY_MS = 30


class Stream(QObject):
    """Runs a generator once; ``came`` brings at most ``at_once`` things at a time, on the window's thread.

    Exactly one ``ended`` follows, with a sentence when it was an error that ended it. Nothing comes after `stop`. Like
    `Looking` it isn't listed among napari's activities, and stops when its parent goes.
    """

    came = Signal(list)
    ended = Signal(str)

    def __init__(
        self, make: Callable[[ShouldStop], Iterator[Any]], parent: QObject | None = None, *, at_once: int = 25
    ) -> None:
        super().__init__(parent)
        self._at_once = at_once
        self._flow = _Flow()
        self.destroyed.connect(self._flow.stop.set)
        self._thread = threading.Thread(target=self._flow.run, args=(make,), name="stream", daemon=True)
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(self._fetch)

    @property
    def busy(self) -> bool:
        """Whether more may come."""
        return self._timer.isActive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._timer.start()

    def stop(self) -> None:
        """Ask the generator to stop; nothing more comes."""
        self._flow.stop.set()
        self._timer.stop()

    def _fetch(self) -> None:
        flow = self._flow
        over = flow.over.is_set()  # asked first: what is put before it is there then
        batch = [flow.things.popleft() for _ in range(min(self._at_once, len(flow.things)))]
        if batch:
            self.came.emit(batch)
        if over and not flow.things and self._timer.isActive():
            self._timer.stop()
            if flow.error is not None and not isinstance(flow.error, MicroMRIError):
                notification_manager.receive_error(type(flow.error), flow.error, flow.error.__traceback__)
            self.ended.emit("" if flow.error is None else str(flow.error) or "An unexpected error occurred.")


class _Flow:
    """What the thread holds: no widget, so that none is kept alive or touched by it."""

    def __init__(self) -> None:
        self.stop, self.over = threading.Event(), threading.Event()
        self.things: deque[Any] = deque()
        self.error: Exception | None = None

    def run(self, make: Callable[[ShouldStop], Iterator[Any]]) -> None:
        try:
            for thing in make(self.stop.is_set):
                if self.stop.is_set():
                    break
                self.things.append(thing)
        except CancelledError:
            pass
        except Exception as error:  # told by _fetch
            self.error = error
        self.over.set()
