"""`micromri train` and `micromri resume`: train a model on a study, here or in the background."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import JobError, TrainingError
from napari_micromri.runs.events import Event, Failed, Progress, Stopped
from napari_micromri.training.events import BatchDone, Epoch, Started

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from napari_micromri.cli.console import Commands
    from napari_micromri.runs.folder import JobFolder
    from napari_micromri.runs.kinds import JobKind
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.folder import RunFolder

INTERRUPTED = 130
DEFAULT_PRESET = "quick"


def add_to(commands: Commands) -> None:
    """Add the commands to the program."""
    train = commands.add_parser(
        "train",
        help="train a model on a study",
        description="Train a model on the pairs of a study. RUN is a new folder for all that the run writes; its "
        "best.safetensors is a finished model for 'micromri denoise --model'.",
        epilog="Examples:\n"
        "  micromri train mice.mri.zarr runs/first\n"
        "  micromri train mice.mri.zarr runs/tuned --preset tuned --set epochs=100 --detach\n"
        "  micromri train mice.mri.zarr runs/wide --set network.features_main=64,128 --set learning_rate=0.0005\n"
        "  torchrun --nproc-per-node 4 -m napari_micromri.cli train mice.mri.zarr runs/four --preset first-run",
    )
    train.add_argument("study", metavar="STUDY", help="study, NAME.mri.zarr")
    train.add_argument("run_folder", metavar="RUN", help="new folder for the run")
    train.add_argument(
        "--preset",
        help=f"settings to start from, e.g. quick, fine-tune, apddm; --preset list names all (default "
        f"{DEFAULT_PRESET}, or --config)",
    )
    train.add_argument("--config", metavar="FILE", help="settings in a .json or .toml file, or a run's config.json")
    train.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; can be given several times"
    )
    train.add_argument("--overwrite", action="store_true", help="replace the run that is in RUN")
    train.add_argument("--detach", action="store_true", help="train in the background, and return at once")
    train.set_defaults(run=run_train)
    resume = commands.add_parser(
        "resume",
        help="resume a training run or another job that was stopped, failed or died",
        description="Resume a training run from its last checkpoint, or another job where it was interrupted.",
        epilog="Example:\n  micromri resume runs/first",
    )
    resume.add_argument("run_folder", metavar="RUN", help="folder of the run")
    resume.add_argument("--study", help="where the study is now, if it was moved")
    resume.add_argument("--detach", action="store_true", help="train in the background, and return at once")
    resume.set_defaults(run=run_resume)


def run_train(options: argparse.Namespace) -> int:
    """Make the run and train."""
    from napari_micromri.training.beginning import settle_config
    from napari_micromri.training.config import make_config
    from napari_micromri.training.data import check_data
    from napari_micromri.training.folder import RunFolder
    from napari_micromri.training.process import start_run
    from napari_micromri.training.runner import create_run, first_process

    preset = options.preset or (None if options.config else DEFAULT_PRESET)
    config = make_config(preset, options.config, options.set)
    if options.detach:
        start_run(config, options.study, options.run_folder, overwrite=options.overwrite)
        return _say_where(options.run_folder)
    if first_process():
        check_data(options.study)
        create_run(config, options.study, options.run_folder, overwrite=options.overwrite)
    return _train(RunFolder(options.run_folder), settle_config(config))


def run_resume(options: argparse.Namespace) -> int:
    """Resume."""
    from napari_micromri.runs.kinds import kind_of
    from napari_micromri.training.folder import RunFolder
    from napari_micromri.training.process import resume_run
    from napari_micromri.training.run import RunReader
    from napari_micromri.training.runner import first_process, reopen_run

    if (kind := kind_of(options.run_folder)).reader is not RunReader:
        return _resume_job(kind, options)
    if options.detach:
        resume_run(options.run_folder, study=options.study)
        return _say_where(options.run_folder)
    if first_process():
        reopen_run(options.run_folder, study=options.study)
    return _train(RunFolder(options.run_folder))


def _resume_job(kind: JobKind, options: argparse.Namespace) -> int:
    from napari_micromri.runs.record import reopen_job

    job = kind.reader(options.run_folder).read()
    reopen_job(job)
    return work_on(kind, job.folder_of(job.path), detach=options.detach)


def work_on(kind: JobKind, folder: JobFolder, *, detach: bool) -> int:
    """Work on a job of any kind whose folder is ready, here or in the background."""
    from napari_micromri.runs.process import start_job
    from napari_micromri.runs.record import stop_on_signals

    if detach:
        start_job(folder)
        return _say_where(str(folder.path))
    ending: Event | None = None
    with stop_on_signals() as should_stop:
        ending = show(kind.run(folder, should_stop), kind.words)
    if isinstance(ending, Failed):
        raise JobError(ending.message)
    return INTERRUPTED if isinstance(ending, Stopped) else 0


def _say_where(run: str) -> int:
    print(f"Working in the background. Watch it with: micromri watch {run}")
    return 0


def _train(folder: RunFolder, config: TrainConfig | None = None) -> int:
    from napari_micromri.runs.record import stop_on_signals
    from napari_micromri.training.runner import first_process, run_training

    ending: Event | None = None
    with stop_on_signals() as should_stop:
        events = run_training(folder, should_stop, config=config)
        ending = show(events) if first_process() else list(events)[-1]
        interrupted = should_stop()
    if isinstance(ending, Failed):
        raise TrainingError(ending.message)
    return INTERRUPTED if interrupted and isinstance(ending, Stopped) else 0


def show(events: Iterator[Event], words: Callable[[Event], str | None] | None = None) -> Event | None:
    """Print events as lines on standard output, and batches as a bar where there is a terminal; gives the last one."""
    from napari_micromri.training.words import describe

    words = words or describe
    last = None
    with ExitStack() as stack:
        bar = Bar(stack)
        for last in events:
            bar.take(last)
            text = words(last)
            if text and not isinstance(last, Failed):
                bar.print(text)
    return last


class Bar:
    """A progress bar of batches over the whole run, with the time left, on standard error."""

    def __init__(self, stack: ExitStack) -> None:
        from tqdm import tqdm

        self._bar = stack.enter_context(
            tqdm(unit="batch", file=sys.stderr, disable=None, leave=False, dynamic_ncols=True)
        )
        self._batches = 1

    def take(self, event: Event) -> None:
        """Move on by an event."""
        match event:
            case Started():
                self._batches = event.batches
                self._bar.reset(total=event.epochs * event.batches)
                self._move(getattr(event, "epoch", 1), getattr(event, "batch", 0))
                # Only what is done from here on says how fast it goes.
                self._bar.initial = self._bar.n
            case BatchDone():
                self._bar.set_description_str(f"epoch {event.epoch}, loss {event.loss:.4g}", refresh=False)
                self._move(event.epoch, event.batch)
            case Epoch():
                self._move(event.epoch + 1, 0)
            case Progress():
                self._bar.unit, self._bar.total = "step", event.total
                self._bar.set_description_str(event.text, refresh=False)
                self._bar.update(event.done - self._bar.n)

    def print(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.write(text, file=sys.stdout)

    def _move(self, epoch: int, batch: int) -> None:
        done: Any = (epoch - 1) * self._batches + batch
        self._bar.update(done - self._bar.n)
