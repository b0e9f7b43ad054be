"""Work on a job in this process, and keep its record: every event in its file, exactly one at the end."""

from __future__ import annotations

import signal
import threading
import traceback
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import JobError, MicroMRIError, describe_os_error
from napari_micromri.progress import never
from napari_micromri.runs.events import Done, Event, Failed, Started, Stopped
from napari_micromri.runs.presence import Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import FrameType

    from napari_micromri.progress import ShouldStop
    from napari_micromri.runs.events import Terminal
    from napari_micromri.runs.folder import JobFolder
    from napari_micromri.runs.reading import Job, JobReader


def describe(event: Event) -> str | None:
    """Say in one line what happened; None for what a person need not read."""
    match event:
        case Started():
            return f"{'Started' if event.name == 'started' else 'Resumed'}. {event.note}".rstrip()
        case Stopped() | Failed() | Done():
            return event.message
        case _:
            return None


def create_job(
    reader: type[JobReader[Any]], path: Path | str, settings: Mapping[str, Any], *, overwrite: bool = False
) -> None:
    """Make the folder of a job; work is yet to begin.

    Raises
    ------
    JobError
        The folder holds a job and ``overwrite`` is False, another process is working on it, or it holds something else.
    """
    folder = reader.job.folder_of(path)
    if overwrite and _is_live(reader, path):
        raise folder.error(f"Another process is working on the {folder.label} {path}. Stop it first.")
    folder.create(settings, overwrite=overwrite)


def _is_live(reader: type[JobReader[Any]], path: Path | str) -> bool:
    try:
        return bool(reader(path).read().live)
    except JobError:  # one that can't be read is no reason to keep it
        return False


def reopen_job(job: Job) -> None:
    """Make a job ready to be resumed.

    Raises
    ------
    JobError
        It is finished, or a process is still working on it.
    """
    folder = job.folder_of(job.path)
    if job.live:
        raise folder.error(f"The {folder.label} {job.path} is running already.")
    if job.state == "done":
        raise folder.error(f"The {folder.label} {job.path} is finished.")
    folder.stop.unlink(missing_ok=True)


def run_job(
    folder: JobFolder,
    work: Callable[[ShouldStop], Iterator[Event]],
    should_stop: ShouldStop = never,
    *,
    words: Callable[[Event], str | None] = describe,
    advice: Callable[[Exception], str | None] = lambda _: None,
    why_stopped: Callable[[], str] = str,
) -> Iterator[Event]:
    """Work in the folder of a job, and record what happens.

    Stops when ``should_stop`` says so or a file ``stop`` appears in the folder. What goes wrong is the last event,
    `Failed`; faults of the program are raised after that.

    Parameters
    ----------
    work
        Gives the events: a `Started` or `Resumed` first, a `Stopped` or `Done` last.
    words
        A line for the log about an event, or None.
    advice
        A sentence about an exception that isn't the program's fault, or None.
    why_stopped
        Sentence that stands before the words of a stop; by default none.

    Raises
    ------
    JobError
        Another process is working in this folder.
    """

    def asked() -> bool:
        return should_stop() or folder.stop.exists()

    record = _Record(folder, words, advice)
    with folder.hold():
        try:
            folder.clean()
        except OSError as error:
            raise folder.error(describe_os_error(error, folder.path)) from error
        with Heartbeat(folder.presence, folder.events) as heartbeat:
            for event in record.until_the_end(work(asked), why_stopped):
                if not event.kept:
                    heartbeat.tell(event)
                yield event


class _Record:
    def __init__(
        self,
        folder: JobFolder,
        words: Callable[[Event], str | None],
        advice: Callable[[Exception], str | None],
    ) -> None:
        self._folder, self._words, self._advice = folder, words, advice

    def until_the_end(self, events: Iterator[Event], why_stopped: Callable[[], str]) -> Iterator[Event]:
        """Record every event; whatever happens, the last one is an end."""
        ending: Terminal | None = None
        try:
            for event in events:
                if isinstance(event, Stopped):
                    event = replace(event, message=f"{why_stopped()} {event.message}".lstrip())
                if isinstance(event, Stopped | Done):
                    ending = event
                    break
                if event.kept:
                    self._write(event)
                yield event
        except (KeyboardInterrupt, GeneratorExit):
            self._write(Stopped(message="Interrupted at once. It can be resumed from its last checkpoint."))
            raise
        except Exception as error:
            sentence = explain(error, self._folder.path, self._advice)
            if sentence is None:
                self._folder.write_log(traceback.format_exc())
                self._write(Failed(message=f"Something unexpected went wrong ({type(error).__name__}: {error})."))
                raise
            ending = Failed(message=sentence)
        if ending is not None:
            self._write(ending)
            yield ending

    def _write(self, event: Event) -> None:
        append = self._folder.append_last if isinstance(event, Stopped | Failed | Done) else self._folder.append
        append(event)
        if text := self._words(event):
            self._folder.write_log(text)


def explain(error: Exception, path: Path, advice: Callable[[Exception], str | None] = lambda _: None) -> str | None:
    """Say in a sentence what ended a job; None for faults of the program."""
    if isinstance(error, MicroMRIError):
        return str(error)
    if sentence := advice(error):
        return sentence
    return describe_os_error(error, error.filename or path) if isinstance(error, OSError) else None


@contextmanager
def stop_on_signals() -> Iterator[ShouldStop]:
    """Turn Ctrl-C and SIGTERM (the end of a cluster job) into a wish to stop; the second one ends at once."""
    asked = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.set()
        signal.signal(number, before[number])

    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
