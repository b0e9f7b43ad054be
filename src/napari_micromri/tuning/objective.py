"""One trial: settings from the sampler, an ordinary run directory, and what came of it."""

from __future__ import annotations

import gc
import math
import sys
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from napari_micromri.errors import MicroMRIError, TrainingError
from napari_micromri.runs.events import Failed
from napari_micromri.training.config import parse_config
from napari_micromri.training.events import Done, Epoch
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.run import read_run
from napari_micromri.training.runner import create_run, open_data, reopen_run, run_training
from napari_micromri.tuning.memory import shortage
from napari_micromri.tuning.objectives import JUDGED
from napari_micromri.tuning.persistence import StorageAwayError
from napari_micromri.tuning.rows import find_run
from napari_micromri.tuning.trials import BASELINE, CONFIG, EPOCH, REASON, RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from optuna import Trial

    from napari_micromri.progress import ShouldStop
    from napari_micromri.runs.events import Event
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.run import Run
    from napari_micromri.tuning.storage import Tuning


@dataclass(frozen=True)
class Workplace:
    """Where a worker works.

    Parameters
    ----------
    study
        Path of the data here.
    runs
        Folder for the run directories here.
    threads
        CPU threads for a trial whose settings leave that open.
    """

    study: Path
    runs: Path
    threads: int | None = None

    def place(self, tuning: Tuning, run: Path) -> str:
        """Write a run's path down as others will understand it: relative to the tuning's folder if it lies in it."""
        try:
            return run.resolve().relative_to(tuning.folder.path.resolve()).as_posix()
        except ValueError:
            return str(run.resolve())


class FailedTrial(TrainingError):
    """These settings can't be trained with, or their figures make no sense."""


class InterruptedTrial(Exception):
    """Somebody asked for the end: the trial is to be continued."""


class TrialRun:
    """Trains with the settings of one trial; why it ended early is noted beside the trial."""

    def __init__(self, tuning: Tuning, trial: Trial, workplace: Workplace) -> None:
        self._tuning, self._trial, self._workplace = tuning, trial, workplace
        self._pruned = ""
        self._reported: set[int] = set()

    def train(self, should_stop: ShouldStop) -> tuple[float, ...]:
        """Train to the end; gives the objectives.

        Raises
        ------
        optuna.TrialPruned
            Its curve fell behind those of other trials.
        FailedTrial
            The settings can't be trained with.
        InterruptedTrial
            Somebody asked to stop.
        """
        try:
            config = self._settings()
            folder = self._open(config)
            if (sentence := shortage(config, open_data(folder))) is not None:
                raise TrainingError(sentence)
            return self._outcome(folder, self._follow(folder, config, should_stop))
        except StorageAwayError:  # that says nothing about the settings
            raise
        except MicroMRIError as error:
            self._trial.set_user_attr(REASON, str(error))
            raise FailedTrial(str(error)) from error
        finally:
            _release_memory()

    def _settings(self) -> TrainConfig:
        space, base = self._tuning.config.space, self._tuning.config.base.model_dump(mode="json")
        settings = space.settings(space.suggest(self._trial, base), base)
        settings["name"] = f"{self._tuning.config.name} {self._trial.number}"[:100]
        settings["threads"] = settings["threads"] or self._workplace.threads
        return parse_config(settings)

    def _open(self, config: TrainConfig) -> RunFolder:
        """Continue the run of a worker that died or was stopped, or else make a new one."""
        folder = self._earlier() or create_run(
            config, self._workplace.study, self._workplace.runs / f"trial-{self._trial.number:04}", overwrite=True
        )
        self._trial.set_user_attr(RUN, self._workplace.place(self._tuning, folder.path))
        self._trial.set_user_attr(CONFIG, folder.read_settings()["config"])
        return folder

    def _earlier(self) -> RunFolder | None:
        attributes = self._trial.user_attrs
        place = attributes.get(RUN) or attributes.get("resume")  # as version 0.1 called it
        if (path := find_run(place, self._tuning.folder.path)) is None:
            return None
        try:
            run = read_run(path)
            if run.state != "done":  # else only its figures were not told any more
                reopen_run(path, study=self._workplace.study)
        except TrainingError:  # gone, damaged, or somebody is at it after all
            return None
        for epoch in run.epochs:
            self._report(epoch)
        return RunFolder(path)

    def _follow(self, folder: RunFolder, config: TrainConfig, should_stop: ShouldStop) -> Event | None:
        run = read_run(folder.path)
        if run.state == "done":
            return run.end
        ending: Event | None = None
        events = run_training(folder, lambda: bool(self._pruned) or should_stop(), why_stopped=lambda: self._pruned)
        # Closed at once when the storage fails in between: a run that is left open can't be continued by others.
        with closing(_with_sentences(events)) as events:
            for ending in events:
                if isinstance(ending, Epoch):
                    self._report(ending)
                    if ending.epoch < config.epochs:
                        self._ask_pruner(ending)
        return ending

    def _report(self, epoch: Epoch) -> None:
        value = getattr(epoch.validation, self._tuning.config.curve)
        if epoch.epoch in self._reported or not math.isfinite(value):
            return
        if not self._reported:
            self._trial.set_user_attr(BASELINE, {"mse": epoch.baseline.mse, "ssim": epoch.baseline.ssim})
        self._reported.add(epoch.epoch)
        if len(self._tuning.config.objectives) == 1:
            self._trial.report(value, epoch.epoch)
        else:  # which Optuna's trials refuse; people want the curve all the same
            self._tuning.storage.set_trial_intermediate_value(self._trial._trial_id, epoch.epoch, value)

    def _ask_pruner(self, epoch: Epoch) -> None:
        if self._tuning.config.prunes and not self._pruned and self._trial.should_prune():
            figure = self._tuning.config.curve.upper()
            self._pruned = f"Pruned after epoch {epoch.epoch}: its {figure} was worse than that of other trials."

    def _outcome(self, folder: RunFolder, ending: Event | None) -> tuple[float, ...]:
        from optuna import TrialPruned

        run = read_run(folder.path)
        self._trial.set_user_attr(EPOCH, len(run.epochs))
        if isinstance(ending, Failed):
            raise TrainingError(ending.message)
        if isinstance(ending, Done):
            return self._judge(run)
        reason = self._pruned or "Its worker was asked to stop; the trial will resume later."
        self._trial.set_user_attr(REASON, reason)
        raise TrialPruned(reason) if self._pruned else InterruptedTrial(reason)

    def _judge(self, run: Run) -> tuple[float, ...]:
        """Give the objectives, all of the model of the best epoch."""
        best = run.best
        if best is None or run.began is None:
            raise TrainingError("The run ended before its first epoch was evaluated.")
        figures: dict[str, Callable[[], float]] = {
            **{figure.name: partial(getattr, best.validation, figure.name) for figure in JUDGED},
            "parameters": lambda: float(run.began.parameters) if run.began else math.nan,
            "latency": lambda: self._latency(run),
        }
        values = tuple(figures[name]() for name in self._tuning.config.objectives)
        if not all(map(math.isfinite, values)):
            raise TrainingError("An objective of the best epoch isn't a number.")
        return values

    def _latency(self, run: Run) -> float:
        from napari_micromri.tuning.latency import seconds_per_slice

        if run.model is None:
            raise TrainingError("The run wrote no model whose latency could be measured.")
        data = open_data(RunFolder(run.path))
        slice_ = data.validation[len(data.validation) // 2].lr
        return seconds_per_slice(run.model, slice_, run.settings["config"]["device"])


def _with_sentences(events: Iterator[Event]) -> Generator[Event]:
    """Turn faults of the program into sentences: the run's log has the traceback, and other settings may do better."""
    try:
        yield from events
    except MicroMRIError:
        raise
    except Exception as error:
        raise TrainingError(f"Something unexpected went wrong ({type(error).__name__}: {error}).") from error


def _release_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
