"""The report of a tuning in words for a terminal, and as JSON-like values for scripts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_micromri.runs.words import duration
from napari_micromri.tuning.report.facts import TOP, Facts
from napari_micromri.tuning.report.settings_file import settings_of
from napari_micromri.tuning.report.table import record
from napari_micromri.tuning.words import figure, figures, heading, percent, setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_micromri.tuning.report.facts import Standing
    from napari_micromri.tuning.state import TuneState

BAR = 24


def as_text(state: TuneState) -> str:
    """Say which trials are best, what matters, and what to keep in mind."""
    facts = Facts(state)
    shown = {str(name): count for name, count in state.counts.items()}
    shown |= {"failed": state.lost, "continued": state.retried}
    counts = ", ".join(f"{count} {name}" for name, count in shown.items() if count)
    parts = [f"{state.name}: {state.finished} of {state.planned} trials finished ({counts or 'none yet'})"]
    if facts.standings:
        parts += ["\n".join(_best(facts)), "\n".join(_standing(one) for one in facts.standings)]
        parts += ["\n".join(_importances(facts))]
        parts += [
            f"{duration(facts.times.work)} of work in {duration(facts.times.wall)}; pruning saved "
            f"{facts.times.pruned_epochs} epochs, {facts.times.epochs} were trained."
        ]
    return "\n\n".join([*parts, "\n".join(facts.cautions)])


def summarise(state: TuneState) -> dict[str, Any]:
    """Give the figures as JSON-like values; what is not known is None."""
    facts = Facts(state)
    return {
        "name": state.name,
        "source": state.source,
        "study": state.config.study if state.config is not None else None,
        "objectives": dict(zip(state.objectives, state.directions, strict=True)),
        "planned": state.planned,
        "finished": state.finished,
        "counts": dict(state.counts),
        "retried": state.retried,
        "best": [record(state, row) | {"settings": settings_of(state, row)} for row in state.best_rows],
        "standings": {one.objective: _figures(one) for one in facts.standings},
        "importances": {name: dict(one.shares) for name, one in facts.importances.items()},
        "seconds": facts.times.wall,
        "seconds_of_work": facts.times.work,
        "epochs": facts.times.epochs,
        "epochs_saved_by_pruning": facts.times.pruned_epochs,
        "cautions": list(facts.cautions),
        "trials": [record(state, row) for row in state.trials],
    }


def _best(facts: Facts) -> Iterator[str]:
    state = facts.state
    for row in facts.top()[:1] if len(state.objectives) == 1 else facts.top():
        yield f"Best: trial {row.number}, {figures(state.objectives, row.values or ())}"
        yield from (f"  {name} = {setting(value)}" for name, value in row.parameters.items())
        if row.run is not None:
            yield f"  run: {row.run}"


def _standing(one: Standing) -> str:
    said = [f"best {figure(one.objective, one.top[0])}"]
    if one.given is not None:
        said.append(f"settings that the tuning began with {figure(one.objective, one.given)}")
    if one.random:
        said.append(f"median of {len(one.random)} random trials {figure(one.objective, one.random_median)}")
    if one.wins is not None:
        said.append(f"a suggested trial beats a random one in {percent(one.wins)} of pairs")
    if one.spread is not None:
        said.append(f"the best {TOP} are within {percent(one.spread)}")
    name = heading(one.objective)
    return f"{name[:1].upper()}{name[1:]}: {'; '.join(said)}."


def _importances(facts: Facts) -> Iterator[str]:
    for objective, one in facts.importances.items():
        yield f"What matters for {heading(objective)}:"
        if one.reason:
            yield f"  {one.reason}"
            continue
        width = max(map(len, one.shares))
        for name, share in one.shares.items():
            yield f"  {name.ljust(width)}  {share:4.0%}  {'█' * round(BAR * share)}".rstrip()
        if one.caution:
            yield f"  {one.caution}"


def _figures(one: Standing) -> dict[str, Any]:
    return {
        "best": _finite(one.top[0]),
        "trial": one.best.number,
        "given": _finite(one.given),
        "random_median": _finite(one.random_median),
        "random_trials": len(one.random),
        "suggested_beats_random": _finite(one.wins),
        "spread_of_best_ten": _finite(one.spread),
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
