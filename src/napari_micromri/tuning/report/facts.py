"""The results of a tuning: the best trials compared with random ones and the first settings, and the time spent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from napari_micromri.tuning.importance import Importances, importances
from napari_micromri.tuning.words import figure, heading, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_micromri.tuning.config import Direction
    from napari_micromri.tuning.state import TrialRow, TuneState

TOP = 10
FEW = 20
"""With fewer finished trials a search has hardly begun to learn."""

CLOSE = 0.02
"""Trials that differ by less than this part may change places with another seed."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How good the search is in one objective.

    Parameters
    ----------
    best
        The best trial in this objective alone.
    given
        What the settings reached that the tuning began with.
    random, suggested
        Figures of trials that were drawn at random and of those that the sampler suggested; a pruned trial counts with
        the last one that it reported.
    top
        The best figures, best first.
    """

    objective: str
    direction: Direction
    best: TrialRow
    given: float | None
    random: tuple[float, ...]
    suggested: tuple[float, ...]
    top: tuple[float, ...]

    @property
    def random_median(self) -> float | None:
        """What a random trial typically reaches."""
        return _median(self.random)

    @property
    def wins(self) -> float | None:
        """How often a suggested trial beats a random one, over all pairs of them; 0.5 is chance."""
        if not self.random or not self.suggested:
            return None
        sign = 1 if self.direction == "minimize" else -1
        pairs = [(sign * one, sign * other) for one in self.suggested for other in self.random]
        return sum(1.0 if one < other else 0.5 if one == other else 0.0 for one, other in pairs) / len(pairs)

    @property
    def spread(self) -> float | None:
        """By which part of the best figure the best ten differ."""
        if len(self.top) < TOP or not self.top[0]:
            return None
        return abs(self.top[-1] - self.top[0]) / abs(self.top[0])


@dataclass(frozen=True, kw_only=True)
class Times:
    """How long everything took, in seconds.

    Parameters
    ----------
    wall
        From the beginning of the first trial to the end of the last one.
    work
        Of all trials together.
    trial
        Of a trial that was done, the median.
    pruned_epochs
        Epochs that pruning saved.
    """

    wall: float
    work: float
    trial: float | None
    pruned_epochs: int
    epochs: int


class Facts:
    """All that a report says; worked out when it is asked for, and once."""

    def __init__(self, state: TuneState) -> None:
        self.state = state

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """One per objective; empty before the first trial is done."""
        if not self.state.done():
            return ()
        return tuple(_standing(self.state, place) for place in range(len(self.state.objectives)))

    @cached_property
    def importances(self) -> dict[str, Importances]:
        """By objective."""
        return {name: importances(self.state, place) for place, name in enumerate(self.state.objectives)}

    @cached_property
    def times(self) -> Times:
        """How long everything took."""
        return _times(self.state.trials, self.state.time)

    @cached_property
    def cautions(self) -> tuple[str, ...]:
        """What to keep in mind."""
        return tuple(_cautions(self))

    def ranked(self) -> list[TrialRow]:
        """List the trials that are done, the best first: by value, or first the Pareto front and then by number."""
        if len(self.state.objectives) == 1:
            return _ordered(self.state, 0)
        return [*self.state.best_rows, *(row for row in self.state.done() if row.number not in self.state.best)]

    def top(self) -> list[TrialRow]:
        """List the best trials: the first ten, or the Pareto front."""
        return self.ranked()[: TOP if len(self.state.objectives) == 1 else len(self.state.best)]


def _standing(state: TuneState, place: int) -> Standing:
    ordered = _ordered(state, place)
    figures = {
        origin: tuple(
            row.reached(place)
            for row in state.trials
            if row.origin == origin and row.state in ("done", "pruned") and math.isfinite(row.reached(place))
        )
        for origin in ("given", "random", "suggested")
    }
    given = [row.values[place] for row in ordered if row.origin == "given" and row.values is not None]
    return Standing(
        objective=state.objectives[place],
        direction=state.directions[place],
        best=ordered[0],
        given=given[0] if given else None,
        random=figures["random"],
        suggested=figures["suggested"],
        top=tuple(row.values[place] for row in ordered[:TOP] if row.values is not None),
    )


def _ordered(state: TuneState, place: int) -> list[TrialRow]:
    sign = 1 if state.directions[place] == "minimize" else -1
    done = [(sign * row.values[place], row.number, row) for row in state.done() if row.values is not None]
    return [row for *_, row in sorted(done, key=lambda entry: entry[:2])]


def _times(trials: Sequence[TrialRow], now: float) -> Times:
    started = [row.started for row in trials if row.started is not None]
    ends = [row.started + row.seconds for row in trials if row.started is not None and row.seconds is not None]
    pruned = [row for row in trials if row.state == "pruned" and row.epochs_planned]
    return Times(
        wall=max(ends) - min(started) if ends else 0.0,
        work=math.fsum(row.seconds or 0.0 for row in trials),
        trial=_median([row.seconds for row in trials if row.state == "done" and row.seconds is not None]),
        pruned_epochs=sum((row.epochs_planned or 0) - row.epoch for row in pruned),
        epochs=sum(row.epoch for row in trials),
    )


def _median(values: Sequence[float]) -> float | None:
    from statistics import median

    return median(values) if values else None


def _cautions(facts: Facts) -> Iterator[str]:
    state = facts.state
    if not state.done():
        yield "No trial is done yet."
        return
    counts = state.counts
    if (counts["running"] or counts["waiting"]) and state.finished < state.planned:
        yield (
            f"The tuning isn't finished: {state.finished} of {state.planned} trials have finished, {counts['running']} "
            f"{'is' if counts['running'] == 1 else 'are'} running."
        )
    if state.finished < FEW:
        yield f"Only {state.finished} trials have finished; too few for the search to learn from."
    if state.lost > state.finished:
        yield "More trials failed than finished: look at their reasons, and narrow the search space."
    first = facts.standings[0]
    for place, one in enumerate(facts.standings):
        if state.loses(one.best, place):
            yield (
                f"The best trial's {heading(one.objective)} ({figure(one.objective, one.top[0])}) is worse than the "
                f"input's own ({figure(one.objective, state.baseline(place))}): no trial improves on it yet."
            )
    if len(state.objectives) == 1 and first.spread is not None and first.spread < CLOSE:
        yield (
            f"The best {TOP} trials differ by {percent(first.spread)} only. Another seed may change their order, so "
            "among them the smallest or fastest network is as good a choice as the first."
        )
    if first.given is not None and first.best.origin == "given":
        yield "No trial beat the settings that the tuning began with."
    yield (
        f"The best of {len(state.done())} was chosen on the validation animals, so its figure there is optimistic. "
        "Evaluate it on the test animals: micromri evaluate."
    )
