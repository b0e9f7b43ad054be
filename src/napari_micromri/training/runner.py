"""Run a training in this process, and keep its record: every event in its file, exactly one at the end."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import MicroMRIError, StudyError, TrainingError, describe_os_error
from napari_micromri.progress import never
from napari_micromri.training.beginning import settle_config
from napari_micromri.training.config import parse_config
from napari_micromri.training.events import Batch, Done, Event, Failed, Stopped, Terminal
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.presence import Heartbeat
from napari_micromri.training.run import read_run
from napari_micromri.training.words import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from napari_micromri.progress import ShouldStop
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import TrainingData


def create_run(config: TrainConfig, study: Path | str, path: Path | str, *, overwrite: bool = False) -> RunFolder:
    """Make a run directory; training is yet to begin.

    Raises
    ------
    TrainingError
        The folder holds a run (and ``overwrite`` is False, or a process is at work on it) or something else.
    StudyError
        There is no such study.
    ModelError, InputError
        See `napari_micromri.training.beginning.settle_config`.
    """
    study = Path(study)
    if not study.is_dir():
        raise StudyError(f"There is no study {study}.")
    folder = RunFolder(path)
    with suppress(TrainingError):  # one that can't be read is no reason to keep it
        if read_run(path).live:
            overwrite = False
    folder.create(study.resolve(), settle_config(config).model_dump(mode="json"), overwrite=overwrite)
    return folder


def reopen_run(path: Path | str, *, study: Path | str | None = None) -> RunFolder:
    """Make a run ready to go on, by default with the study where it was.

    Raises
    ------
    TrainingError
        The folder is no run, the run is finished, or a process is still at work on it.
    """
    run = read_run(path)
    if run.live:
        raise TrainingError(f"The run {run.path} is going on already.")
    if run.state == "done":
        raise TrainingError(
            f"The run {run.path} is finished. To go on from its model, start a new run with init_from={run.model}."
        )
    folder = RunFolder(path)
    if study is not None:
        folder.change_study(Path(study).resolve())
    folder.stop.unlink(missing_ok=True)
    return folder


def run_training(
    folder: RunFolder,
    should_stop: ShouldStop = never,
    *,
    config: TrainConfig | None = None,
    data: TrainingData | None = None,
    why_stopped: Callable[[], str] = str,
) -> Iterator[Event]:
    """Train in a run directory that `create_run` or `reopen_run` gave, and record what happens.

    Stops when ``should_stop`` says so or a file ``stop`` appears in the folder. What goes wrong is the last event,
    `Failed`; faults of the program are raised after that.

    Parameters
    ----------
    config
        That of the folder, for processes which may be there before the first one has written it.
    data
        Slices to train on, instead of those of the study.
    why_stopped
        Sentence that stands before the words of a stop; by default none.

    Raises
    ------
    TrainingError
        Another process is at work in this folder.
    """
    if not first_process():
        yield from _train(folder, config, data, never)
        return
    with ExitStack() as stack:
        _claim(folder, stack)
        heartbeat = stack.enter_context(Heartbeat(folder.presence))

        def asked() -> bool:
            return should_stop() or folder.stop.exists()

        for event in _until_the_end(folder, config, data, should_stop=asked, why_stopped=why_stopped):
            if isinstance(event, Batch):
                heartbeat.tell(event.epoch, event.batch, event.batches, event.loss)
            yield event


def first_process() -> bool:
    """Tell whether this is the one of the processes of torchrun, SLURM or Fabric that makes and writes the run."""
    ranks = (os.environ.get(name) for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"))
    return next((rank for rank in ranks if rank is not None), "0") == "0"


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


def _claim(folder: RunFolder, stack: ExitStack) -> None:
    from filelock import FileLock, Timeout

    try:
        stack.enter_context(FileLock(folder.lock, timeout=0))
        folder.clean()
    except Timeout as error:
        raise TrainingError(f"Another process is at work on the run {folder.path}. Stop it first.") from error
    except OSError as error:
        raise TrainingError(describe_os_error(error, folder.path)) from error


def _until_the_end(
    folder: RunFolder,
    config: TrainConfig | None,
    data: TrainingData | None,
    *,
    should_stop: ShouldStop,
    why_stopped: Callable[[], str],
) -> Iterator[Event]:
    """Record every event; whatever happens, the last one is an end."""
    place: tuple[int, int] = (0, 0)
    ending: Terminal | None = None
    try:
        for event in _train(folder, config, data, should_stop):
            if isinstance(event, Stopped):
                event = replace(event, message=f"{why_stopped()} {event.message}".lstrip())
            if isinstance(event, Stopped | Done):
                ending = event
                break
            if isinstance(event, Batch):
                place = event.epoch, event.batch
            else:
                _record(folder, event)
            yield event
    except (KeyboardInterrupt, GeneratorExit):
        words = "Interrupted at once. It can be resumed from its last checkpoint."
        _record(folder, Stopped(epoch=place[0], batch=place[1], message=words))
        raise
    except Exception as error:
        sentence = explain(error, folder)
        if sentence is None:
            folder.write_log(traceback.format_exc())
            _record(folder, Failed(message=f"Something unexpected went wrong ({type(error).__name__}: {error})."))
            raise
        ending = Failed(message=sentence)
    if ending is not None:
        _record(folder, ending)
        yield ending


def _record(folder: RunFolder, event: Event) -> None:
    if isinstance(event, Stopped | Failed | Done):
        folder.append_last(event)
    else:
        folder.append(event)
    if text := describe(event):
        folder.write_log(text)


def _train(
    folder: RunFolder, config: TrainConfig | None, data: TrainingData | None, should_stop: ShouldStop
) -> Iterator[Event]:
    from napari_micromri.training.engine.devices import make_fabric
    from napari_micromri.training.engine.loop import train

    config = config or parse_config(folder.read_settings()["config"])
    fabric = make_fabric(config)  # where all processes meet; from here on the folder is complete for all of them
    yield from train(config, data or open_data(folder), folder, should_stop, fabric=fabric)


def open_data(folder: RunFolder) -> TrainingData:
    """Open the study of a run.

    Raises
    ------
    StudyError
        It is not there, or damaged.
    """
    from napari_micromri.study.store import Study
    from napari_micromri.training.data import TrainingData

    return TrainingData.from_study(Study.open(folder.read_settings()["study"]))


def explain(error: Exception, folder: RunFolder) -> str | None:
    """Say in a sentence what ended a run; None for faults of the program."""
    from napari_micromri.inference.devices import is_out_of_memory

    if isinstance(error, MicroMRIError):
        return str(error)
    if is_out_of_memory(error):
        return "The memory is not enough. Choose a smaller batch_size, a smaller crop, or a smaller network."
    if isinstance(error, OSError):
        return describe_os_error(error, error.filename or folder.path)
    return None
