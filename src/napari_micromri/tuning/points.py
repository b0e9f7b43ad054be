"""What the plots of a tuning show, as numbers: the dock and the report draw them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_micromri.tuning.objectives import OBJECTIVES, at_length
from napari_micromri.tuning.words import figure, setting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_micromri.tuning.config import Direction
    from napari_micromri.tuning.state import TrialRow, TuneState, Value

FEW = 6
"""So many values of a setting, each tried at least twice on average, are shown beside each other."""

FAR, MARGIN = 5, 0.05
"""So many times the median's distance from the best a value may lie off; part of the range that is left empty."""

Mark: TypeAlias = Literal["given", "random", "suggested", "pruned", "running", "best", "above", "below"]
"""How a trial is drawn: one that is done by where its settings come from, if it is not the best."""


@dataclass(frozen=True)
class Dot:
    """A trial in a plot; one that is far ``above`` or ``below`` all others is drawn at the edge."""

    trial: int
    x: float
    y: float
    mark: Mark
    text: str


@dataclass(frozen=True)
class Scatter:
    """Dots, and maybe a line; ``ticks`` name places on the axis below where it has no numbers."""

    dots: tuple[Dot, ...]
    bottom: str
    left: str
    line: tuple[tuple[float, float], ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()
    log_x: bool = False
    log_y: bool = False
    limits: tuple[float, float] | None = None
    chosen: int | None = None
    level: float | None = None
    """What the input itself reaches."""


def history(state: TuneState, objective: int, chosen: int | None = None) -> Scatter:
    """Show the objective of each trial in their order, and the best so far as a line."""
    shown = _over(state, objective, lambda row: float(row.number), chosen)
    line = tuple((x, _inside(y, shown.limits)) for x, y in _best_so_far(state, objective))
    return replace(shown, bottom="Trial", line=line)


def front(state: TuneState, first: int, second: int, chosen: int | None = None) -> Scatter:
    """Show two objectives of each finished trial against each other."""
    dots = tuple(
        dot for dot in _dots(state, second, lambda row: row.reached(first), pruned=False) if math.isfinite(dot.x)
    )
    return Scatter(
        dots,
        bottom=_title(state, first),
        left=_title(state, second),
        log_x=_is_logarithmic(state.objectives[first]) and all(dot.x > 0 for dot in dots),
        log_y=_logarithmic(state, second, dots),
        chosen=chosen,
    )


def against(state: TuneState, key: str, objective: int, chosen: int | None = None) -> Scatter:
    """Show the objective over one parameter; the trials that had none of it are left out."""
    rows = [row for row in state.trials if key in row.parameters]
    values = [row.parameters[key] for row in rows]
    place = {name: float(number) for number, name in enumerate(_names(values))}
    shown = _over(
        state,
        objective,
        lambda row: _place(row.parameters[key], place) if key in row.parameters else math.nan,
        chosen,
    )
    return replace(
        shown,
        bottom=key,
        ticks=tuple((number, name) for name, number in place.items()),
        log_x=not place and _spans_decades([dot.x for dot in shown.dots]),
    )


def _over(state: TuneState, objective: int, x: Callable[[TrialRow], float], chosen: int | None) -> Scatter:
    """Show an objective over something that trials have; those that have none of it are left out."""
    dots = tuple(dot for dot in _dots(state, objective, x) if math.isfinite(dot.x))
    limits = _limits(state, objective)
    return Scatter(
        _at_edge(dots, limits),
        bottom="",
        left=_title(state, objective),
        log_y=limits is None and _logarithmic(state, objective, dots),
        limits=limits,
        chosen=chosen,
        level=_level(state, objective, limits),
    )


def searched(state: TuneState) -> list[str]:
    """List the parameters that any trial has, in the order in which they came up."""
    return list(dict.fromkeys(key for row in state.trials for key in row.parameters))


def _dots(state: TuneState, objective: int, x: Callable[[TrialRow], float], *, pruned: bool = True) -> tuple[Dot, ...]:
    dots = []
    for row in state.trials:
        value = row.reached(objective)
        if not math.isfinite(value) or (row.state != "done" and (not pruned or objective > 0)):
            continue
        mark = _mark(state, row)
        if mark is not None:
            dots.append(Dot(row.number, x(row), value, mark, _text(state, row, objective, value)))
    return tuple(dots)


def _mark(state: TuneState, row: TrialRow) -> Mark | None:
    if row.number in state.best:
        return "best"
    if row.state == "done":
        return row.origin
    return row.state if row.state in ("pruned", "running") else None


def _text(state: TuneState, row: TrialRow, objective: int, value: float) -> str:
    at = "" if row.state == "done" else f" after epoch {row.epoch}, {row.state}"
    return f"Trial {row.number}: {figure(state.objectives[objective], value)}{at}"


def _best_so_far(state: TuneState, objective: int) -> tuple[tuple[float, float], ...]:
    """Draw a staircase through the best of all finished trials up to each."""
    better = min if state.directions[objective] == "minimize" else max
    steps: list[tuple[float, float]] = []
    for row in state.done():
        value = row.reached(objective)
        if math.isfinite(value):
            before = steps[-1][1] if steps else value
            steps += [(float(row.number), before), (float(row.number), better(before, value))]
    if steps:
        newest = max(row.number for row in state.trials if row.state != "waiting")
        steps.append((float(newest), steps[-1][1]))
    return tuple(dict.fromkeys(steps))


def _limits(state: TuneState, objective: int) -> tuple[float, float] | None:
    """Find the range in which trials can be told apart, where some lie far off; None for all of it."""
    values = [row.reached(objective) for row in state.done()]
    return useful_range([value for value in values if math.isfinite(value)], state.directions[objective])


def useful_range(values: Sequence[float], direction: Direction) -> tuple[float, float] | None:
    """Find the range of most values, when some lie so far off that the others could not be told apart.

    A learning rate that is too high gives errors hundreds of times larger than the others. Left out is what lies more
    than five times as far from the best as the median does; None when nothing lies much farther than that.
    """
    if not values:
        return None
    sign = 1.0 if direction == "minimize" else -1.0
    best = sign * min(sign * value for value in values)
    away = [sign * (value - best) for value in values]
    reach = FAR * median(away)
    if reach <= 0 or max(away) < 2 * reach:
        return None
    worst = max(distance for distance in away if distance <= reach)
    low, high = sorted((best - sign * MARGIN * worst, best + sign * (1 + MARGIN) * worst))
    return low, high


def _level(state: TuneState, objective: int, limits: tuple[float, float] | None) -> float | None:
    level = state.baseline(objective)
    return level if level is not None and level == _inside(level, limits) else None


def _at_edge(dots: tuple[Dot, ...], limits: tuple[float, float] | None) -> tuple[Dot, ...]:
    """Bring dots that lie far off to the edge; those that are done would look as if they belonged there."""
    if limits is None:
        return dots
    marks: dict[int, Mark] = {1: "above", -1: "below"}
    moved = []
    for dot in dots:
        side = (dot.y > limits[1]) - (dot.y < limits[0])
        mark = dot.mark if dot.mark in ("pruned", "running") else marks.get(side, dot.mark)
        moved.append(replace(dot, y=_inside(dot.y, limits), mark=mark))
    return tuple(moved)


def _inside(y: float, limits: tuple[float, float] | None) -> float:
    return y if limits is None else min(max(y, limits[0]), limits[1])


def _title(state: TuneState, objective: int) -> str:
    name = state.objectives[objective]
    return f"{at_length(name)} (s)" if name == "latency" else at_length(name)


def _logarithmic(state: TuneState, objective: int, dots: tuple[Dot, ...]) -> bool:
    return _is_logarithmic(state.objectives[objective]) and all(dot.y > 0 for dot in dots)


def _is_logarithmic(objective: str) -> bool:
    return objective in OBJECTIVES and OBJECTIVES[objective].logarithmic


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _names(values: list[Value]) -> list[str]:
    """Name the values in their order where there are few; none where they are many numbers."""
    numbers = [value for value in values if _is_number(value)]
    if len(numbers) < len(values):
        return sorted({setting(value) for value in values})
    few = sorted(set(numbers))  # type: ignore[type-var]
    return [setting(value) for value in few] if len(few) <= FEW and 2 * len(few) <= len(values) else []


def _place(value: Value, places: dict[str, float]) -> float:
    return places[setting(value)] if places else float(value)  # type: ignore[arg-type]


def _spans_decades(values: list[float]) -> bool:
    return bool(values) and min(values) > 0 and max(values) >= 10 * min(values)
