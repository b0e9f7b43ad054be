"""What the tab "Tune" says of a tuning and what can be clicked, without Qt."""

from __future__ import annotations

import math
import platform
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.runs.words import duration
from napari_micromri.tuning.words import figure, figures, heading
from napari_micromri.widgets.training.run_model import COLOURS, PER_MILLE, STATE_WORDS

if TYPE_CHECKING:
    from napari_micromri.tuning.process import WorkerRow
    from napari_micromri.tuning.state import TrialRow, TuneState

AT_WORK = ("working", "waiting", "stopping")


@dataclass(frozen=True)
class TuneStatus:
    """What is shown of a tuning.

    ``live`` tells that workers are running, ``part`` how much is done, in thousandths.
    """

    title: str
    live: bool
    sentence: str
    workers: str
    part: int
    can_pause: bool
    can_resume: bool
    can_stop: bool
    can_kill: bool
    can_add: bool

    @property
    def colour(self) -> str:
        """Colour of the title."""
        known = {STATE_WORDS[state]: colour for state, colour in COLOURS.items()}
        return known.get(self.title, COLOURS["stopped"])


def describe_tuning(state: TuneState, *, paused: bool = False, stopping: bool = False) -> TuneStatus:
    """Describe the state of a tuning; ``paused`` and ``stopping`` tell what its workers were asked for."""
    at_work = [worker for worker in state.workers if worker.state in AT_WORK]
    over = is_complete(state)
    return TuneStatus(
        title=_title(state, at_work, paused=paused, stopping=stopping),
        live=bool(at_work),
        sentence=_sentence(state, at_work),
        workers="" if over and not at_work else workers_line(state),
        part=round(PER_MILLE * min(1.0, state.finished / max(1, state.planned))),
        can_pause=bool(at_work) and not paused and not stopping,
        can_resume=not over and (paused or not at_work) and not (stopping and bool(at_work)),
        can_stop=bool(at_work) and not stopping,
        can_kill=bool(at_work) and stopping,
        can_add=not over and bool(at_work) and not paused and not stopping,
    )


def is_complete(state: TuneState) -> bool:
    """Tell whether all trials that were asked for are finished."""
    return 0 < state.planned <= state.finished


def _title(state: TuneState, at_work: list[WorkerRow], *, paused: bool, stopping: bool) -> str:
    busy = any(worker.state != "waiting" for worker in at_work)
    if at_work and stopping:
        return "Stopping…"
    if at_work and paused:
        return "Pausing after these trials…" if busy else "Paused"
    if is_complete(state) and not busy:
        return "Done"
    if at_work:
        return "Running" if any(row.state != "waiting" for row in state.trials) else "Starting"
    if any(worker.state == "died" for worker in state.workers) and not stopping:
        return "Died"
    return "Stopped"


def _sentence(state: TuneState, at_work: list[WorkerRow]) -> str:
    counts, whole = state.counts, state.planned
    text = f"{state.finished} of {whole} trials finished" if whole else f"{state.finished} trials finished"
    parts = [text + (f", {counts['pruned']} of them pruned" if counts["pruned"] else "")]
    parts += [f"{number} {word}" for number, word in ((counts["running"], "running"), (state.lost, "failed")) if number]
    if (left := seconds_left(state, len(at_work))) is not None:
        parts.append(f"about {duration(left)} left")
    return "; ".join(parts) + "."


def seconds_left(state: TuneState, workers: int) -> float | None:
    """Guess how long the rest takes, from the trials so far; None where nothing can be said."""
    took = [row.seconds for row in state.trials if row.state in ("done", "pruned") and row.seconds is not None]
    rest = state.planned - state.finished
    if not workers or not took or rest <= 0:
        return None
    pace = statistics.fmean(took)
    running = sum(min(row.seconds or 0.0, pace) for row in state.trials if row.state == "running")
    return max(0.0, rest * pace - running) / min(workers, rest)


def best_row(state: TuneState, objective: int = 0) -> TrialRow | None:
    """Give the best trial by one of the objectives."""
    rows = [row for row in state.best_rows if row.values is not None and math.isfinite(row.values[objective])]
    sign = 1 if state.directions[objective] == "minimize" else -1
    return min(rows, key=lambda row: sign * row.values[objective], default=None)  # type: ignore[index]


def best_sentence(state: TuneState, objective: int = 0) -> str:
    """Say which trial is best; empty before the first one is done."""
    row = best_row(state, objective)
    if row is None or row.values is None:
        return ""
    said = figures(state.objectives, row.values)
    worse = f" {loss_sentence(state, row)}".rstrip()
    if len(state.objectives) == 1:
        return f"Best: trial {row.number}, {said}.{worse}"
    number = len(state.best)
    others = f" ★: {number} trials that no other trial beats in all goals." if number > 1 else ""
    return f"Best by {heading(state.objectives[objective])}: trial {row.number}, {said}.{others}{worse}"


def loss_sentence(state: TuneState, row: TrialRow) -> str:
    """Warn of a trial that is worse than the input itself; empty for any other."""
    said = [
        f"{heading(name)} {figure(name, state.baseline(place))}"
        for place, name in enumerate(state.objectives)
        if state.loses(row, place)
    ]
    return f"That is worse than the scan without denoising ({', '.join(said)})." if said else ""


def workers_line(state: TuneState) -> str:
    """Say which worker runs which trial, and which died; without any, why the last one ended."""
    lines = [f"{_name(worker)}: {_doing(worker)}" for worker in state.workers if worker.state in AT_WORK]
    lines += [f"{_name(worker)} died: {_said(worker)}" for worker in state.workers if worker.state == "died"]
    ended = [worker for worker in state.workers if worker.state == "ended"]
    if ended and not any(worker.state in AT_WORK for worker in state.workers):
        last = max(ended, key=lambda worker: worker.since)
        lines.append(f"{_name(last)} ended: {_said(last)}")
    return f"{'; '.join(lines)}." if lines else "No workers are running."


def _name(worker: WorkerRow) -> str:
    return worker.name if worker.host == platform.node() else f"{worker.name} on {worker.host}"


def _said(worker: WorkerRow) -> str:
    return (worker.message[:1].lower() + worker.message[1:]).rstrip(".") or "it doesn't say why"


def _doing(worker: WorkerRow) -> str:
    if worker.trial is None:
        return _said(worker) if worker.message else worker.state
    stopping = " (stopping)" if worker.state == "stopping" else ""
    return f"trial {worker.trial}{stopping}{f' ({_said(worker)})' if worker.message else ''}"


def trial_sentence(state: TuneState, row: TrialRow) -> str:
    """Say how one trial went."""
    parts = [f"Trial {row.number}: {row.state}"]
    if row.values is not None and row.state == "done":
        parts.append(figures(state.objectives, row.values))
    if row.epoch:
        parts.append(f"epoch {row.epoch}" + (f" of {row.epochs_planned}" if row.epochs_planned else ""))
    if row.seconds is not None:
        parts.append(duration(row.seconds))
    if row.worker:
        parts.append(row.worker)
    sentences = [f"{', '.join(parts)}."]
    if row.origin == "given":
        sentences.append("It has the settings that the tuning began with.")
    if row.retry_of is not None:
        sentences.append(f"It continues trial {row.retry_of}.")
    if row.reason:
        sentences.append(f"{row.reason[:1].upper()}{row.reason[1:].rstrip('.')}.")
    return " ".join(sentences)
