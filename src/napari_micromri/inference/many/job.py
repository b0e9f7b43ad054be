"""The job: its folder, what happens in it, and the work.

Results lie beside the files of the job (see `napari_micromri.runs.folder`), with ``scans.csv``, a row per scan.
"""

from __future__ import annotations

import os
import traceback
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from napari_micromri.errors import CancelledError, InputError, MicroMRIError
from napari_micromri.inference.many.request import ManyRequest, Wanted, expand
from napari_micromri.inference.many.task import Task, denoise_far, denoise_one
from napari_micromri.runs import record
from napari_micromri.runs.events import Done, Event, Progress, Resumed, Started, Stopped, by_name
from napari_micromri.runs.folder import JobFolder
from napari_micromri.runs.kinds import JobKind
from napari_micromri.runs.reading import Job, JobReader
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from napari_micromri.progress import ShouldStop

HOW_COMPUTED = ("device", "precision", "batch_size")
"""Options that make the same results, but for rounding."""

TABLE = "scans.csv"
COLUMNS = ("source", "file", "slices", "snr", "verdict", "seconds", "reason")
LOOK_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class ScanDone(Event):
    """A scan is denoised, now or ``before``. ``content`` is that of `content_of`, ``verdict`` of the trust check."""

    name: ClassVar[str] = "scan_done"
    source: str
    content: str
    file: str
    slices: int
    before: bool = False
    snr: float = float("nan")
    verdict: str = ""
    seconds: float = float("nan")


@dataclass(frozen=True, kw_only=True)
class ScanRefused(Event):
    """A scan can't be denoised."""

    name: ClassVar[str] = "scan_refused"
    source: str
    reason: str


class ManyFolder(JobFolder):
    """The files of the job."""

    kind, label = "denoise", "denoising of many scans"
    events_read = by_name(ScanDone, ScanRefused)
    results = (TABLE,)


@dataclass(frozen=True, kw_only=True)
class Many(Job):
    """The job as it was when it was read; ``scans`` holds the newest event of each scan by its source."""

    folder_of = ManyFolder

    scans: Mapping[str, ScanDone | ScanRefused]

    def rows(self) -> list[dict[str, Any]]:
        """Give the table of scans, one for each of `COLUMNS`."""
        return [{name: getattr(scan, name, None) for name in COLUMNS} for scan in self.scans.values()]


class ManyReader(JobReader[Many]):
    """Reads the job again and again, each time only what is new."""

    job = Many

    def _forget(self) -> None:
        super()._forget()
        self._scans: dict[str, ScanDone | ScanRefused] = {}

    def _take(self, event: Event) -> None:
        super()._take(event)
        if isinstance(event, ScanDone) and event.before and event.source in self._scans:
            return  # its first row has the figures
        if isinstance(event, ScanDone | ScanRefused):
            self._scans[event.source] = event

    def _facts(self) -> dict[str, Any]:
        return {"scans": dict(self._scans)}


def prepare_many(request: ManyRequest, path: Path | str, *, overwrite: bool = False) -> ManyFolder:
    """Make the folder, or use the one that is there for this request: what it holds already will be skipped.

    Parameters
    ----------
    overwrite
        Replace results that were made with another model or other options.

    Raises
    ------
    JobError
        Another process is working on it, or it holds other files, or results that would be replaced.
    ModelError
        There is no such model.
    """
    from napari_micromri.nn.registry import find_model

    find_model(request.model)
    folder, config = ManyFolder(path), _absolute(request).model_dump(mode="json")
    if not folder.exists:
        record.create_job(ManyReader, path, {"config": config})
        return folder
    if ManyReader(path).read().live:
        raise folder.error(f"Another process is working on {path}. Wait until it is done, or stop it first.")
    with folder.hold():
        if not overwrite and (changed := _changed(folder.read_settings()["config"], config)):
            raise folder.error(
                f"{path} holds results of another {changed}, which these would replace. Choose another folder, or "
                "replace them with --overwrite."
            )
        folder.change_settings(config=config)
        folder.stop.unlink(missing_ok=True)
    return folder


def _changed(before: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Name what would make other results under the same names; empty when nothing would."""
    if before.get("model") != config["model"] and "{model}" not in config["name"]:
        return "model"
    chosen = [
        {name: value for name, value in one.get("options", {}).items() if name not in HOW_COMPUTED}
        for one in (before, config)
    ]
    return "choice of options" if chosen[0] != chosen[1] else ""


def _absolute(request: ManyRequest) -> ManyRequest:
    inputs = tuple(text if "://" in text else os.path.abspath(text) for text in request.inputs)
    model = os.path.abspath(request.model) if os.path.isfile(request.model) else request.model
    return request.model_copy(update={"inputs": inputs, "model": model})


def run_many(folder: ManyFolder, should_stop: ShouldStop) -> Iterator[Event]:
    """Do the work in a folder that `prepare_many` gave, in this process, and record what happens."""
    return record.run_job(folder, lambda asked: _work(folder, asked), should_stop, words=words)


def words(event: Event) -> str | None:
    """Say in one line what happened."""
    match event:
        case ScanDone(before=True):
            return f"{event.source}: done before, {event.file}"
        case ScanDone():
            return f"{event.source}: {event.file}, SNR {event.snr:.1f}, {event.verdict}, {event.seconds:.1f} s"
        case ScanRefused():
            return f"{event.source}: left out. {event.reason}"
        case _:
            return record.describe(event)


def _work(folder: ManyFolder, asked: ShouldStop) -> Iterator[Event]:
    request = ManyRequest.model_validate(folder.read_settings()["config"])
    earlier = ManyReader(folder.path).read().scans.values()
    known = {one.content: one.file for one in earlier if isinstance(one, ScanDone)}
    wanted, rejected = expand(request, besides=folder.path)
    if not wanted and not rejected:
        raise InputError("No scan fits. Check the folders and the pattern of 'only'.")
    yield (Resumed if earlier else Started)(note=f"{counted(len(wanted), 'scan')} with {request.model}.")
    yield from (ScanRefused(source=one.path, reason=one.reason) for one in rejected)
    counts = {"now": 0, "before": 0, "refused": len(rejected)}
    stopped = False
    with _executor(request) as (executor, here):
        run = _Round(folder, request, known, executor, here=here, asked=asked)
        for event in run.events(wanted):
            if isinstance(event, ScanDone):
                counts["before" if event.before else "now"] += 1
            counts["refused"] += isinstance(event, ScanRefused)
            yield event
        stopped = run.stopped
    _write_table(folder)
    said = (
        f"{counted(counts['now'], 'scan')} denoised, {counts['before']} were done before, {counts['refused']} left out."
    )
    yield Stopped(message=f"Stopped. {said} It can be resumed.") if stopped else Done(message=f"Done. {said}")


@contextmanager
def _executor(request: ManyRequest) -> Iterator[tuple[Executor, bool]]:
    """Give where the scans are denoised, and whether that is this process."""
    if request.scheduler is None:
        import torch

        torch.set_num_threads(max(1, (os.cpu_count() or 1) // request.workers))
        with ThreadPoolExecutor(request.workers, "denoise") as pool:
            yield pool, True
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("A scheduler needs 'pip install napari-micromri[cluster]'.") from error
    try:
        # Not the default: this process, and what comes after it, reads scans without the scheduler.
        client = Client(request.scheduler, timeout="20s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"No scheduler answers at {request.scheduler} ({error}).") from error
    with client:
        yield cast("Executor", client.get_executor()), False


class _Round:
    """One pass over the scans: hands them out, and tells what comes back."""

    def __init__(
        self,
        folder: ManyFolder,
        request: ManyRequest,
        known: Mapping[str, str],
        executor: Executor,
        *,
        here: bool,
        asked: ShouldStop,
    ) -> None:
        self._folder, self._request, self._known = folder, request, known
        self._executor, self._here, self._asked = executor, here, asked
        self._slices: dict[str, float] = {}
        self.stopped = False

    def events(self, wanted: list[Wanted]) -> Iterator[Event]:
        total = sum(one.slices for one in wanted)
        waiting = {self._submit(one): one for one in wanted}
        while waiting:
            over, _ = wait(waiting, LOOK_SECONDS, FIRST_COMPLETED)
            for future in over:
                one = waiting.pop(future)
                self._slices[one.source] = one.slices
                if not future.cancelled() and (event := self._outcome(one, future)) is not None:
                    yield event
            yield Progress(
                done=sum(self._slices.values()), total=max(1, total), text=f"{counted(len(waiting), 'scan')} left"
            )
            if self._asked() and not self.stopped:
                self.stopped = True
                for future in waiting:
                    future.cancel()

    def _submit(self, one: Wanted) -> Future[dict[str, Any]]:
        request = self._request
        task = Task(one.source, str(self._folder.path.resolve()), one.file, request.model, request.options, self._known)
        if not self._here:
            return self._executor.submit(denoise_far, task)

        def progress(done: int, total: int, /) -> None:
            self._slices[one.source] = one.slices * done / max(1, total)

        return self._executor.submit(denoise_one, task, progress, self._asked)

    def _outcome(self, one: Wanted, future: Future[dict[str, Any]]) -> Event | None:
        try:
            return ScanDone(source=one.source, slices=one.slices, **future.result())
        except CancelledError:
            self.stopped = True
            return None
        except MicroMRIError as error:
            return ScanRefused(source=one.source, reason=str(error))
        except Exception as error:  # one scan must not end the others
            self._folder.write_log(traceback.format_exc())
            return ScanRefused(source=one.source, reason=f"Something unexpected went wrong ({error!r}).")


def _write_table(folder: ManyFolder) -> None:
    from napari_micromri.io.atomic import atomic_output
    from napari_micromri.io.csv_table import write_csv

    rows = ManyReader(folder.path).read().rows()
    with (
        atomic_output(folder.path / TABLE, overwrite=True, lock=False) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        write_csv(stream, COLUMNS, rows)


MANY = JobKind(reader=ManyReader, run=run_many, words=words)
