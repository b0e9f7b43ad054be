"""Tunings and their workers as processes that outlive whoever started them: create, start, pause, stop, look.

A worker is ``python -m napari_micromri.training.tuning.process``; what it tells goes into the tuning's folder.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import InputError, MicroMRIError, TrainingError, describe_os_error
from napari_micromri.training.presence import Presence
from napari_micromri.training.tuning.folder import TuneFolder, find_tunings
from napari_micromri.training.tuning.roster import WISH, Record, WorkerRow, records_in
from napari_micromri.training.tuning.storage import (
    VARIABLE,
    Tuning,
    create_study,
    full_url,
    hide_password,
    is_url,
    open_tuning,
    remember,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_micromri.training.tuning.config import TuneConfig

__all__ = [
    "WorkerRow",
    "create_tuning",
    "find_tunings",
    "pause_tuning",
    "read_workers",
    "resume_tuning",
    "start_workers",
    "stop_tuning",
]

BROUGHT = ("network", "upsampling", "normalisation")
"""Settings that a model to start from brings along."""

GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"

_children: list[subprocess.Popen[bytes]] = []


def create_tuning(
    path: Path | str,
    config: TuneConfig,
    *,
    storage: str | None = None,
    first: Sequence[Mapping[str, Any]] | None = None,
) -> TuneFolder:
    """Make a tuning, or make the one that is there ready to go on; no worker is started.

    Parameters
    ----------
    storage
        URL of an Optuna storage; by default the journal in the folder. Its password is kept in memory only.
    first
        Values of parameters that the first trials shall try; by default those of the settings to start from, if the
        space holds them.

    Raises
    ------
    TrainingError
        The folder holds something else, or a tuning with other settings (only the number of trials and the time may
        change); the study has no slices to judge by; the storage can't be reached.
    StudyError
        There is no such study.
    InputError
        The settings don't fit together.
    """
    from filelock import FileLock

    from napari_micromri.training.tuning import slots

    config = _settle(config)
    folder = TuneFolder(path)
    shown = None if storage is None else remember(storage)
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.lock):
            _check_the_one_there(folder, config, shown)
            folder.prepare()
            if storage is not None:  # one that can't be reached leaves no folder that says otherwise
                create_study(storage, config, folder).close()
            folder.create(config, shown)
            with create_study(folder, config, folder) as tuning:
                tuning.optuna.set_user_attr(slots.TRIALS, config.trials)
                slots.enqueue(tuning, _beginning(config) if first is None else first)
                slots.fill(tuning)
    except OSError as error:
        raise TrainingError(describe_os_error(error, folder.path)) from error
    return folder


def _beginning(config: TuneConfig) -> list[dict[str, Any]]:
    values = config.space.values_of(config.base.model_dump(mode="json"))
    return [] if values is None else [values]


def _settle(config: TuneConfig) -> TuneConfig:
    """Check what can be checked before any trial, and let runs be judged by what they are tuned for."""
    from napari_micromri.training.beginning import settle_config
    from napari_micromri.training.tuning.objective import check_data
    from napari_micromri.training.tuning.search import make_pruner, make_sampler

    if config.base.devices * config.base.nodes > 1:
        raise InputError("A trial trains in one process: leave devices and nodes at 1, and start more workers.")
    study = Path(config.study).resolve()
    check_data(study)
    base = settle_config(config.base.model_copy(update={"monitor": config.curve}))
    brought = [name for name in config.space.parameters if name.startswith(BROUGHT)]
    if base.init_from is not None and brought:
        raise InputError(f"'{brought[0]}' can't be searched, since {base.init_from} brings its own.")
    config = config.model_copy(update={"base": base, "study": str(study)})
    make_sampler(config, 0)
    make_pruner(config)
    return config


def _check_the_one_there(folder: TuneFolder, config: TuneConfig, storage: str | None) -> None:
    if not folder.exists:
        return
    settings = folder.read()
    may_change = {"trials": 0, "timeout_minutes": None}
    before, now = (c.model_copy(update=may_change).model_dump() for c in (settings.config, config))
    others = [key for key in now if now[key] != before[key]] + ["storage"] * (settings.storage != storage)
    if others:
        raise TrainingError(
            f"{folder.path} holds a tuning with other settings ({', '.join(others)}). Choose another folder; only the "
            "number of trials and the time of a tuning can be changed."
        )


def start_workers(path: Path | str, count: int = 1, *, threads: int | None = None) -> list[str]:
    """Start workers in the background, which share this machine with those that are at work already.

    Parameters
    ----------
    threads
        CPU threads for each; by default the cores are divided.

    Returns
    -------
    list of str
        Their names.

    Raises
    ------
    TrainingError
        There is no such tuning, or the system refuses.
    """
    folder = TuneFolder(path)
    storage = folder.read().storage
    here = [record for record in records_in(folder).values() if record.presence.here and _is_live(record.row())]
    share = threads or max(1, _cores() // (count + len(here)))
    try:
        if folder.stop.exists():
            resume_tuning(path)
        folder.workers.mkdir(parents=True, exist_ok=True)
        return [_spawn(folder, storage, place=len(here) + k, threads=share) for k in range(count)]
    except OSError as error:
        raise TrainingError(describe_os_error(error, folder.path)) from error


def stop_tuning(path: Path | str, *, kill: bool = False) -> None:
    """Ask all workers to stop after their batch; their trials will be gone on with when workers are started again.

    Parameters
    ----------
    kill
        End those on this machine at once instead. A new worker finds their trials and goes on with them.

    Raises
    ------
    TrainingError
        There is no such tuning, or a process can't be killed.
    """
    _wish(path, "stop")
    if not kill:
        return
    for record in records_in(TuneFolder(path)).values():
        if record.presence.here and record.phase != "ended":
            _kill(record.presence)


def pause_tuning(path: Path | str) -> None:
    """Ask all workers to begin no new trial.

    Raises
    ------
    TrainingError
        There is no such tuning.
    """
    _wish(path, "pause")


def resume_tuning(path: Path | str) -> None:
    """Take a pause, or the wish to stop, back.

    Raises
    ------
    TrainingError
        There is no such tuning.
    """
    _wish(path, "")


def _wish(path: Path | str, wish: str) -> None:
    folder = TuneFolder(path)
    storage = folder.read().storage
    try:
        for name, file in (("pause", folder.pause), ("stop", folder.stop)):
            file.touch() if name == wish else file.unlink(missing_ok=True)
    except OSError as error:
        raise TrainingError(describe_os_error(error, folder.path)) from error
    if storage is not None:  # for workers that don't see the folder
        with open_tuning(folder.path) as tuning:
            tuning.optuna.set_user_attr(WISH, wish)


def read_workers(path: Path | str) -> list[WorkerRow]:
    """List the workers that tell of themselves in a tuning's folder, by name.

    Raises
    ------
    TrainingError
        There is no such tuning.
    """
    folder = TuneFolder(path)
    folder.read()
    _forget_ended()
    return [record.row() for record in records_in(folder).values()]


def _is_live(row: WorkerRow) -> bool:
    return row.state not in ("ended", "died")


def _kill(presence: Presence) -> None:
    import psutil

    if presence.alive:
        try:
            psutil.Process(presence.pid).kill()
        except psutil.NoSuchProcess:
            return
        except psutil.Error as error:
            raise TrainingError(f"The process {presence.pid} can't be killed: {error}.") from error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _spawn(folder: TuneFolder, storage: str | None, *, place: int, threads: int) -> str:
    name = new_name(folder)
    command = [sys.executable, "-m", "napari_micromri.training.tuning.process", str(folder.path)]
    command += ["--name", name, "--threads", str(threads), "--place", str(place)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if storage is not None:  # with its password, which must not stand among the arguments
        environment[VARIABLE] = full_url(storage)
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with (folder.workers / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=True, env=environment, **apart
        )
    _children.append(process)
    _forget_ended()
    Record(name=name, presence=Presence.of(process.pid), message="Starting.").write(folder)
    return name


def _forget_ended() -> None:
    """Ask ended workers for their end; the others must not be forgotten, or Python complains."""
    _children[:] = [child for child in _children if child.poll() is None]


def new_name(folder: TuneFolder) -> str:
    """Take the next free name for a worker, by making its log; no two workers get the same."""
    number = 1
    while True:
        name = f"worker-{number:02}"
        try:
            (folder.workers / f"{name}.log").touch(exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return name


def take_gpu(place: int) -> None:
    """Let this process see one of the GPUs that it may use: workers take them in turn."""
    import torch

    count = torch.cuda.device_count()  # asks the driver without occupying a device
    if count > 1:
        visible = os.environ.get(GPU_VARIABLE)
        numbers = visible.split(",") if visible else [str(k) for k in range(count)]
        os.environ[GPU_VARIABLE] = numbers[place % count]


def run_worker(
    where: Path | str,
    *,
    name: str | None = None,
    tuning_name: str | None = None,
    study: Path | str | None = None,
    runs: Path | str | None = None,
    threads: int | None = None,
    timeout_minutes: float | None = None,
) -> str:
    """Work on a tuning in this process until its end; gives the sentence why it ended.

    Parameters
    ----------
    where
        Folder of the tuning, or URL of its storage.
    name
        Of this worker.
    tuning_name
        Which tuning, where a storage holds several.
    study, runs
        The data, and the folder for runs, on this machine; by default those of the tuning.

    Raises
    ------
    TrainingError, StudyError, InputError
        The tuning or its data can't be found here, or see `napari_micromri.training.tuning.worker.Worker.work`.
    """
    from napari_micromri.training.runner import stop_on_signals
    from napari_micromri.training.tuning.objective import Workplace, check_data
    from napari_micromri.training.tuning.worker import Worker

    with open_tuning(where, tuning_name) as tuning, stop_on_signals() as should_stop:
        if runs is None and not tuning.shares_folder:
            raise TrainingError(
                f"This machine doesn't see the tuning's folder {tuning.folder.path}. Say with --runs where its runs go."
            )
        workplace = Workplace(Path(study or tuning.config.study), Path(runs or tuning.folder.runs), threads)
        check_data(workplace.study)
        far = is_url(where) or tuning.folder.read().storage is not None
        minutes = timeout_minutes or tuning.config.timeout_minutes
        worker = Worker(tuning, name or _own_name(tuning), workplace, should_stop, far=far, timeout_minutes=minutes)
        return worker.work()


def _own_name(tuning: Tuning) -> str:
    if tuning.shares_folder:
        return new_name(tuning.folder)
    own = Presence.of(os.getpid())
    return f"{own.host}-{own.pid}-{int(own.created) % 100_000}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Work on the tuning that is named; 0 when it ended well, 2 when it failed."""
    from napari_micromri.training.process import NICENESS

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("where")
    parser.add_argument("--name")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--place", type=int, default=0)
    options = parser.parse_args(arguments)
    faulthandler.enable()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    logging.basicConfig(format="%(asctime)s  %(message)s", datefmt="%Y-%m-%d %H:%M:%S", level=logging.WARNING)
    logging.getLogger("napari_micromri").setLevel(logging.INFO)
    if options.place:  # the first one takes the first GPU anyway
        take_gpu(options.place)
    try:
        run_worker(options.where, name=options.name, threads=options.threads)
    except MicroMRIError as error:
        logging.getLogger("napari_micromri").error("%s", hide_password(str(error)))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
