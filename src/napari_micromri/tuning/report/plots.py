"""Plots of a tuning that are drawn here: the history, learning curves, importances.

Optuna's own history shows neither pruned trials nor which ones were drawn at random, and its importances are worked
out otherwise (see `napari_micromri.tuning.importance`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_micromri.tuning.report.looks import (
    BLUE,
    GREEN,
    GREY,
    MOST_LINES,
    ORANGE,
    SAND,
    SKY,
    Plot,
    about,
    is_wide,
    layout,
    short_names,
)
from napari_micromri.tuning.report.words import ORIGINS, axis, heading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from plotly.graph_objects import Scatter

    from napari_micromri.tuning.report.facts import Facts
    from napari_micromri.tuning.state import TrialRow, TuneState


def history(facts: Facts, place: int) -> Plot:
    """Draw what each trial reached, and the best so far; trials far off stand at the edge."""
    import plotly.graph_objects as go

    state, limits = facts.state, facts.shown(place)
    figure = go.Figure()
    for name, rows, look in _groups(state, place):
        inside = [row for row in rows if _lies_in(limits, row, place)]
        if inside:
            figure.add_trace(_marks(state, name, inside, place, look))
    if limits is not None:
        figure.add_trace(_off_the_scale(state, place, limits))
    best = _best_so_far(state, place)
    figure.add_trace(
        go.Scatter(
            x=[number for number, _ in best],
            y=[value for _, value in best],
            mode="lines",
            name="best so far",
            line={"shape": "hv", "color": ORANGE, "width": 2},
            hoverinfo="skip",
        )
    )
    level = state.baseline(place)
    if level is not None and best and (limits is None or limits[0] <= level <= limits[1]):
        look = {"dash": "dash", "color": GREY}
        ends = [0, state.trials[-1].number]
        figure.add_trace(go.Scatter(x=ends, y=[level] * 2, mode="lines", name="the input itself", line=look))
    shown = [row.values[place] for row in state.trials if _has(row, place) and row.values is not None]
    figure.update_layout(**layout("trial", axis(state.objectives[place]), log_y=limits is None and is_wide(shown)))
    figure.update_yaxes(range=limits)
    return Plot(f"history-{place}", figure)


def curves(facts: Facts) -> Plot | None:
    """Draw the first objective after each epoch, of all trials; None when no trial reported any."""
    import plotly.graph_objects as go

    state = facts.state
    groups: list[tuple[str, list[TrialRow], dict[str, Any]]] = [
        ("pruned", [row for row in state.trials if row.state == "pruned"][:MOST_LINES], {"color": SAND, "width": 1}),
        ("done", facts.ranked()[:MOST_LINES], {"color": SKY, "width": 1}),
        ("best", list(state.best_rows), {"color": ORANGE, "width": 2.5}),
    ]
    figure = go.Figure()
    for name, rows, line in groups:
        points = list(_with_gaps(row.curve for row in rows if row.curve))
        if points:
            x, y = zip(*points, strict=True)
            figure.add_trace(go.Scatter(x=x, y=y, mode="lines", name=name, line=line, hoverinfo="skip"))
    if not figure.data:
        return None
    values = [value for row in state.trials for _, value in row.curve]
    figure.update_layout(**layout("epoch", axis(_curve_of(state)), log_y=is_wide(values)))
    return Plot("curves", figure)


def importance_bars(facts: Facts) -> Plot | None:
    """Draw how much each parameter matters; None when nothing can be said."""
    import plotly.graph_objects as go

    found = {name: one.shares for name, one in facts.importances.items() if one.shares}
    if not found:
        return None
    names = sorted({name for shares in found.values() for name in shares}, key=lambda name: _most(found, name))
    short = short_names(names)
    figure = go.Figure()
    for (objective, shares), colour in zip(found.items(), (BLUE, ORANGE, GREEN, GREY), strict=False):
        figure.add_trace(
            go.Bar(
                x=[shares.get(name, 0.0) for name in names],
                y=[short[name] for name in names],
                orientation="h",
                name=heading(objective),
                marker={"color": colour},
                hovertemplate="%{y}: %{x:.0%}<extra></extra>",
            )
        )
    figure.update_layout(**layout("share", "", log_y=False), barmode="group")
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(type="category", showgrid=False, ticks="")
    return Plot("importances", figure, height=80 + (22 + 10 * len(found)) * len(names))


def _groups(state: TuneState, place: int) -> Iterator[tuple[str, list[TrialRow], dict[str, Any]]]:
    """Give the kinds of trials of the history with their looks."""
    reached = [row for row in state.trials if _has(row, place)]
    looks = {
        "given": {"color": "#000000", "symbol": "diamond", "size": 11},
        "random": {"color": GREY, "symbol": "circle-open", "size": 8, "line": {"width": 1.6}},
        "suggested": {"color": BLUE, "symbol": "circle", "size": 7},
    }
    yield "pruned", [row for row in reached if row.state == "pruned"], {"color": SAND, "symbol": "x", "size": 7}
    for origin, look in looks.items():
        rows = [row for row in reached if row.state == "done" and row.origin == origin]
        yield ORIGINS[origin], rows, look
    best = [state.trials[number] for number in state.best]
    yield "best", best, {"color": ORANGE, "symbol": "star", "size": 15}


def _marks(state: TuneState, name: str, rows: Sequence[TrialRow], place: int, look: dict[str, Any]) -> Scatter:
    import plotly.graph_objects as go

    return go.Scatter(
        x=[row.number for row in rows],
        y=[row.values[place] for row in rows if row.values is not None],
        mode="markers",
        name=name,
        marker=look,
        text=[about(state, row) for row in rows],
        hovertemplate="%{text}<extra></extra>",
    )


def _off_the_scale(state: TuneState, place: int, limits: tuple[float, float]) -> Scatter:
    """Draw trials that lie beyond the limits at the edge; the mouse tells their figures."""
    less_is_better = state.directions[place] == "minimize"
    symbol = "triangle-up-open" if less_is_better else "triangle-down-open"
    rows = [row for row in state.trials if _has(row, place) and not _lies_in(limits, row, place)]
    trace = _marks(state, "off the scale", rows, place, {"color": GREY, "symbol": symbol, "size": 8})
    trace.y = [limits[1] if less_is_better else limits[0]] * len(rows)
    trace.cliponaxis = False
    return trace


def _lies_in(limits: tuple[float, float] | None, row: TrialRow, place: int) -> bool:
    return limits is None or (row.values is not None and limits[0] <= row.values[place] <= limits[1])


def _has(row: TrialRow, place: int) -> bool:
    if row.state not in ("done", "pruned") or row.values is None or len(row.values) <= place:
        return False
    return math.isfinite(row.values[place])


def _best_so_far(state: TuneState, place: int) -> list[tuple[int, float]]:
    better = min if state.directions[place] == "minimize" else max
    found: list[tuple[int, float]] = []
    for row in state.trials:
        if row.state == "done" and row.values is not None and _has(row, place):
            value = row.values[place]
            found.append((row.number, better(found[-1][1], value) if found else value))
    return found


def _with_gaps(curves: Iterable[tuple[tuple[int, float], ...]]) -> Iterator[tuple[int | None, float | None]]:
    """Make one line with gaps of many curves, which is drawn much faster than many lines."""
    for curve in curves:
        yield from curve
        yield None, None


def _curve_of(state: TuneState) -> str:
    return state.config.curve if state.config is not None else state.objectives[0]


def _most(found: Mapping[str, Mapping[str, float]], name: str) -> float:
    return max(shares.get(name, 0.0) for shares in found.values())
