"""What a tuning looks like at one moment: its trials as rows, which are best, who works on it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from optuna.trial import FrozenTrial

    from napari_micromri.tuning.config import Direction, TuneConfig
    from napari_micromri.tuning.workers import WorkerRow

TrialState: TypeAlias = Literal["waiting", "running", "done", "pruned", "failed"]
STATES: tuple[TrialState, ...] = get_args(TrialState)

Origin: TypeAlias = Literal["given", "random", "suggested"]
"""Where a trial's parameters come from: a person (or the settings that the tuning began with), chance, the sampler."""

Value: TypeAlias = str | float | int | bool | None


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """A trial as it was when it was read.

    Parameters
    ----------
    values
        One per objective once it is done; of a pruned one the last figure that it reported.
    parameters
        What was searched, by name as in the space; conditional ones only where they hold.
    started
        In seconds since 1970.
    seconds
        How long it took, or has taken so far.
    epoch, epochs_planned
        The last epoch that it reported (0 before the first one), and how many there would be.
    run
        Its run directory.
    reason
        Why it failed or was pruned.
    curve
        The first objective after each epoch, as (epoch, value).
    retry_of
        The trial that it continues, since the worker of that one died or was stopped.
    settings
        All settings of its training, as in the ``config`` of a run.
    baseline
        What the input itself reaches, by objective; empty where that isn't known.
    """

    number: int
    state: TrialState
    values: tuple[float, ...] | None
    parameters: Mapping[str, Value]
    started: float | None
    seconds: float | None
    epoch: int
    epochs_planned: int | None
    run: Path | None
    worker: str
    reason: str
    curve: tuple[tuple[int, float], ...]
    origin: Origin = "suggested"
    retry_of: int | None = None
    settings: Mapping[str, Any] | None = None
    baseline: Mapping[str, float] = field(default_factory=dict)

    def reached(self, objective: int) -> float:
        """Give an objective by its place; before the end what was reported last, NaN without that."""
        if self.values is not None and objective < len(self.values):
            return self.values[objective]
        return self.curve[-1][1] if self.curve and objective == 0 else math.nan


@dataclass(frozen=True, kw_only=True)
class TuneState:
    """A tuning as it was when it was read.

    Parameters
    ----------
    path
        Its folder, which another machine may not see; None when nothing says it.
    source
        What it was read from, for people: never with a password.
    objectives, directions
        What is judged, such as ``mse``, and whether less or more is better.
    trials
        By number, without gaps.
    planned
        Finished trials that are wanted.
    best
        Numbers of the best trials: one, or with several objectives the Pareto front, ordered by the first one.
    time
        When it was read, in seconds since 1970.
    frozen
        The trials as Optuna has them.
    """

    path: Path | None
    source: str
    name: str
    config: TuneConfig | None
    objectives: tuple[str, ...]
    directions: tuple[Direction, ...]
    planned: int
    trials: tuple[TrialRow, ...]
    best: tuple[int, ...]
    workers: tuple[WorkerRow, ...]
    time: float
    frozen: tuple[FrozenTrial, ...] = field(default=(), repr=False, compare=False)

    @cached_property
    def counts(self) -> Mapping[TrialState, int]:
        """How many trials are in each state."""
        counted = Counter(row.state for row in self.trials)
        return {state: counted[state] for state in STATES}

    @property
    def finished(self) -> int:
        """How many trials count: done and pruned ones."""
        return self.counts["done"] + self.counts["pruned"]

    @property
    def retried(self) -> int:
        """How many trials continue what a worker had begun that died or was stopped."""
        return sum(row.retry_of is not None for row in self.trials)

    @property
    def lost(self) -> int:
        """How many trials failed that no other one continues."""
        continued = {row.retry_of for row in self.trials}
        return sum(row.state == "failed" and row.number not in continued for row in self.trials)

    @property
    def best_rows(self) -> tuple[TrialRow, ...]:
        """The best trials."""
        return tuple(self.trials[number] for number in self.best)

    def baseline(self, objective: int) -> float | None:
        """Give what the input itself reaches in an objective, without any network; None where nothing says it."""
        name = self.objectives[objective]
        found = (row.baseline.get(name) for row in (*self.best_rows, *self.trials))
        return next((value for value in found if isinstance(value, int | float) and math.isfinite(value)), None)

    def loses(self, row: TrialRow, objective: int) -> bool:
        """Tell whether a trial is worse than the input itself."""
        level = self.baseline(objective)
        if level is None or row.values is None:
            return False
        value = row.values[objective]
        return value > level if self.directions[objective] == "minimize" else value < level

    def done(self) -> list[TrialRow]:
        """List the trials that ended with all their figures."""
        return [row for row in self.trials if row.state == "done"]


def best_trials(trials: tuple[TrialRow, ...], directions: tuple[Direction, ...]) -> tuple[int, ...]:
    """Find the best trial, or with several objectives all that no other one beats; equal ones count once each.

    Returns
    -------
    tuple of int
        Numbers; with several objectives ordered by the first one, best first.
    """
    signs = [1.0 if direction == "minimize" else -1.0 for direction in directions]
    judged = sorted(
        (tuple(sign * value for sign, value in zip(signs, row.values, strict=True)), row.number)
        for row in trials
        if row.state == "done" and row.values is not None and len(row.values) == len(signs)
    )
    if len(signs) == 1:
        return tuple(number for _, number in judged[:1])
    # In this order nothing that comes later can beat what came before.
    front: list[tuple[tuple[float, ...], int]] = []
    for values, number in judged:
        if not any(_beats(other, values) for other, _ in front):
            front.append((values, number))
    return tuple(number for _, number in front)


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
