"""Long work in a thread of its own, shown in napari's activity list, that never touches a widget or a layer."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from napari.qt.threading import create_worker
from napari.utils.notifications import notification_manager, show_error
from napari.utils.progress import progress as activity
from qtpy.QtCore import QObject, QTimer, Signal

from napari_micromri.errors import CancelledError, MicroMRIError
from napari_micromri.widgets.shared.garbage import collect_garbage_here

if TYPE_CHECKING:
    from napari_micromri.progress import Progress, ShouldStop

POLL_MS = 100

_alive: set[BackgroundJob] = set()


class Work(Protocol):
    """What is done in the thread."""

    def __call__(self, progress: Progress, should_stop: ShouldStop, /) -> Any:
        """Return the result, or raise a `MicroMRIError`."""


class BackgroundJob(QObject):
    """Runs one piece of work; its signals arrive on the window's thread.

    Exactly one of ``succeeded``, ``cancelled`` and ``failed`` is sent, and then ``ended``. What goes wrong in a way
    that was foreseen is shown as its sentence; a bug is shown by napari, with its traceback. When its owner is
    destroyed, as widgets are when their window closes, the work is stopped and nothing more is sent.
    """

    progressed = Signal(int, int)
    succeeded = Signal(object)
    cancelled = Signal()
    failed = Signal(str)
    ended = Signal()

    def __init__(self, work: Work, title: str, owner: QObject | None = None) -> None:
        super().__init__()
        collect_garbage_here()  # commands have no dock that does
        if owner is not None:
            owner.destroyed.connect(self._orphaned)
        self._work: Work | None = work
        self._title = title
        self._stop = threading.Event()
        self._steps: tuple[int, int] | None = None
        self._seen: tuple[int, int] | None = None
        self._drop = False
        self._outcome: _Success | Exception | None = None
        self._bar: Any = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._look)
        self._task = _Task(self)
        self._worker = create_worker(self._task, _ignore_errors=True)
        self._worker.finished.connect(self._end)

    @property
    def title(self) -> str:
        """What the work is called in napari's activity list."""
        return self._title

    def start(self) -> None:
        """Begin; the object stays alive until the work has ended."""
        _alive.add(self)
        self._bar = activity(total=0, desc=self._title)
        self._timer.start()
        self._worker.start()

    def stop(self, *, keep: bool = False) -> None:
        """Ask the work to stop, which it does at its next step; with ``keep`` what it returns then still counts."""
        self._drop = not keep
        self._stop.set()

    def _orphaned(self) -> None:
        # Qt lets go of methods of a widget that was destroyed, but not of functions that hold one.
        self.blockSignals(True)
        self.stop()

    def should_stop(self) -> bool:
        """Tell, in any thread, whether the work was asked to stop by us or by napari, which is closing then."""
        return self._stop.is_set() or self._worker.abort_requested

    def _note(self, done: int, total: int, /) -> None:
        """Take progress in the work's thread; the window looks at it in its own time."""
        self._steps = (done, total)

    def run(self) -> None:
        """Do the work, in the thread."""
        work, self._work = self._work, None
        try:
            if work is not None:
                self._outcome = _Success(work(self._note, self.should_stop))
        except CancelledError:
            self._outcome = None
        except Exception as error:  # hidden from nobody: _end shows it
            self._outcome = error

    def _look(self) -> None:
        if self._steps is None or self._steps == self._seen:
            return
        self._seen = done, total = self._steps
        self.progressed.emit(done, total)
        # napari lets events through while it draws its bar, and the job may end in there.
        if self._bar is not None and self._bar.total != total:
            self._bar.total = total
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def _end(self) -> None:
        self._timer.stop()
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        outcome, self._outcome = self._outcome, None
        _alive.discard(self)
        self._task.job = None
        match outcome:
            case MicroMRIError():
                self.failed.emit(str(outcome))
            case Exception():
                self.failed.emit(f"An unexpected error occurred: {str(outcome) or type(outcome).__name__}")
            case _Success(value) if not self._drop and not self._worker.abort_requested:
                self.succeeded.emit(value)
            case _:
                self.cancelled.emit()
        self.ended.emit()
        if isinstance(outcome, Exception):
            _notify(outcome)


def _notify(error: Exception) -> None:
    if isinstance(error, MicroMRIError):
        show_error(str(error))
    else:
        notification_manager.receive_error(type(error), error, error.__traceback__)


@dataclass(frozen=True)
class _Success:
    value: object


class _Task:
    """What the worker calls; its text is what napari shows when it asks whether to close with work under way.

    napari keeps every worker for as long as its window lives, so the way from here to the job is cut when the work has
    ended.
    """

    def __init__(self, job: BackgroundJob) -> None:
        self.job: BackgroundJob | None = job
        self._title = job.title

    def __call__(self) -> None:
        if self.job is not None:
            self.job.run()

    def __str__(self) -> str:
        return self._title
