"""How the plots of a tuning look: colours, layout, what the mouse tells."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from napari_micromri.tuning.report.words import figures, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plotly.graph_objects import Figure

    from napari_micromri.tuning.state import Direction, TrialRow, TuneState

GREY, SKY, ORANGE, BLUE, GREEN, SAND = "#7a7a7a", "#56b4e9", "#d55e00", "#0072b2", "#009e73", "#b89c70"
"""Okabe and Ito's, which most colour-blind people tell apart, and one that stands back."""

LEGEND: dict[str, Any] = {"orientation": "h", "y": 1.06, "yanchor": "bottom", "x": 0}

MOST_LINES = 200
"""More lines in a plot are a felt, and slow."""

FAR, MARGIN = 5, 0.05
"""So many times the median's distance from the best a value may lie off; part of the range that is left empty."""

WIDE_RANGE = 20.0
"""From this ratio of the largest to the smallest value on an axis is logarithmic."""


@dataclass(frozen=True)
class Plot:
    """A figure of the page: an id, and how high it is in pixels."""

    id: str
    figure: Figure
    height: int = 380


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Leave the first part of a name out (``network.``) where the rest tells them apart."""
    names = sorted(names)
    rests = [name.partition(".")[2] or name for name in names]
    return {
        name: rest if rests.count(rest) == 1 and not rest.isdecimal() else name
        for name, rest in zip(names, rests, strict=True)
    }


def about(state: TuneState, row: TrialRow) -> str:
    """Say in a few lines what a trial was; plotly takes it for HTML."""
    lines = [f"trial {row.number}, {row.state}"]
    if row.values is not None and len(row.values) == len(state.objectives):
        lines.append(figures(state.objectives, row.values))
    lines += [settings({name: value}) for name, value in row.parameters.items()]
    return "<br>".join(html.escape(line) for line in lines)


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


def is_wide(values: Iterable[float]) -> bool:
    """Tell whether values want a logarithmic axis."""
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > WIDE_RANGE * min(finite)


def plain() -> dict[str, Any]:
    """Give what all plots share."""
    return {
        "template": "simple_white",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "#1c2329"},
        "autosize": True,
    }


def layout(x: str, y: str, *, log_y: bool) -> dict[str, Any]:
    """Give the layout of a plot drawn here."""
    grid = {"showgrid": True, "gridcolor": "#e6e9ec"}
    return plain() | {
        "margin": {"l": 70, "r": 20, "t": 20, "b": 46},
        "xaxis": {"title": {"text": x}},
        "yaxis": grid | {"title": {"text": y}, "type": "log" if log_y else "linear"},
        "legend": LEGEND,
        "hovermode": "closest",
    }
