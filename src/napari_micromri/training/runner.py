"""Training as a job: make and reopen its folder, and train in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import StudyError, TrainingError
from napari_micromri.progress import never
from napari_micromri.runs.kinds import JobKind
from napari_micromri.runs.record import create_job, reopen_job, run_job
from napari_micromri.training.beginning import settle_config
from napari_micromri.training.config import parse_config
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.run import RunReader, read_run
from napari_micromri.training.words import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_micromri.progress import ShouldStop
    from napari_micromri.runs.events import Event
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import TrainingData


def create_run(config: TrainConfig, study: Path | str, path: Path | str, *, overwrite: bool = False) -> RunFolder:
    """Make a run directory; training is yet to begin.

    Raises
    ------
    TrainingError
        The folder holds a run and ``overwrite`` is False, another process is working on it, or it holds something else.
    StudyError
        There is no such study.
    ModelError, InputError
        See `napari_micromri.training.beginning.settle_config`.
    """
    study = Path(study)
    if not study.is_dir():
        raise StudyError(f"There is no study {study}.")
    settings = {"study": str(study.resolve()), "config": settle_config(config).model_dump(mode="json")}
    create_job(RunReader, path, settings, overwrite=overwrite)
    return RunFolder(path)


def reopen_run(path: Path | str, *, study: Path | str | None = None) -> RunFolder:
    """Make a run ready to be resumed, by default with the study where it was.

    Raises
    ------
    TrainingError
        The folder isn't a run, the run is finished, or a process is still working on it.
    """
    run, folder = read_run(path), RunFolder(path)
    if run.state == "done":
        raise TrainingError(
            f"The run {run.path} is finished. To continue from its model, start a new run with init_from={run.model}."
        )
    reopen_job(run)
    if study is not None:
        folder.change_settings(study=str(Path(study).resolve()))
    return folder


def run_training(
    folder: RunFolder,
    should_stop: ShouldStop = never,
    *,
    config: TrainConfig | None = None,
    data: TrainingData | None = None,
    why_stopped: Callable[[], str] = str,
) -> Iterator[Event]:
    """Train in a run directory that `create_run` or `reopen_run` gave, and record what happens (see `run_job`).

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
        Another process is working in this folder.
    """
    if not first_process():
        return _train(folder, config, data, never)

    def work(asked: ShouldStop) -> Iterator[Event]:
        return _train(folder, config, data, asked)

    return run_job(folder, work, should_stop, words=describe, advice=advice, why_stopped=why_stopped)


def first_process() -> bool:
    """Tell whether this is the one of the processes of torchrun, SLURM or Fabric that makes and writes the run."""
    ranks = (os.environ.get(name) for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"))
    return next((rank for rank in ranks if rank is not None), "0") == "0"


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


def advice(error: Exception) -> str | None:
    """Say what to change when the memory is not enough."""
    from napari_micromri.inference.devices import is_out_of_memory

    if is_out_of_memory(error):
        return "The memory is not enough. Choose a smaller batch_size, a smaller crop, or a smaller network."
    return None


TRAINING = JobKind(reader=RunReader, run=run_training, words=describe)
