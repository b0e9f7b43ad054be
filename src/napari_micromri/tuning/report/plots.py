"""The plots of a tuning's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_micromri.charts import BLACK, BLUE, GREEN, GREY, ORANGE, SAND, SKY, new_figure, use_logarithm
from napari_micromri.tuning.objectives import OBJECTIVES, at_length
from napari_micromri.tuning.points import against, front, history
from napari_micromri.tuning.words import ORIGINS, heading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_micromri.tuning.points import Mark, Scatter
    from napari_micromri.tuning.report.facts import Facts
    from napari_micromri.tuning.state import TrialRow

WIDTH, COLUMNS = 11.5, 3
MOST_LINES = 200
"""More lines can't be told apart."""

MARKS: Mapping[Mark, dict[str, Any]] = {
    "pruned": {"marker": "x", "s": 22, "color": SAND, "label": "pruned"},
    "running": {"marker": "o", "s": 26, "facecolors": "none", "edgecolors": GREEN, "label": "running"},
    "random": {"marker": "o", "s": 26, "facecolors": "none", "edgecolors": GREY, "label": ORIGINS["random"]},
    "suggested": {"marker": "o", "s": 24, "color": BLUE, "label": ORIGINS["suggested"]},
    "given": {"marker": "D", "s": 34, "color": BLACK, "label": ORIGINS["given"]},
    "above": {"marker": "^", "s": 26, "facecolors": "none", "edgecolors": GREY, "label": "far off"},
    "below": {"marker": "v", "s": 26, "facecolors": "none", "edgecolors": GREY, "label": "far off"},
    "best": {"marker": "*", "s": 110, "color": ORANGE, "label": "best"},
}


def histories(facts: Facts) -> Figure:
    """Draw what each trial reached in each objective, and the best so far."""
    return _scatters([history(facts.state, place) for place in range(len(facts.standings))], columns=1)


def fronts(facts: Facts) -> Figure | None:
    """Draw the first objective against each other one; None with a single one."""
    others = range(1, len(facts.standings))
    return _scatters([front(facts.state, 0, place) for place in others]) if others else None


def slices(facts: Facts, place: int) -> Figure | None:
    """Draw an objective over each parameter, the most important ones first; None without any."""
    state = facts.state
    shares = facts.importances[state.objectives[place]].shares
    keys = sorted({key for row in state.done() for key in row.parameters}, key=lambda key: (-shares.get(key, 0.0), key))
    return _scatters([against(state, key, place) for key in keys]) if keys else None


def importance_bars(facts: Facts) -> Figure | None:
    """Draw how much each parameter matters; None when nothing can be said."""
    found = {name: one.shares for name, one in facts.importances.items() if one.shares}
    if not found:
        return None
    keys = sorted(
        {key for shares in found.values() for key in shares}, key=lambda key: max(s.get(key, 0) for s in found.values())
    )
    figure, [axes] = new_figure(WIDTH, 0.8 + 0.3 * len(keys))
    height = 0.8 / len(found)
    for number, ((objective, shares), colour) in enumerate(
        zip(found.items(), (BLUE, ORANGE, GREEN, SKY), strict=False)
    ):
        places = [place + number * height for place in range(len(keys))]
        axes.barh(places, [100 * shares.get(key, 0) for key in keys], height, color=colour, label=heading(objective))
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(keys))], keys)
    axes.set_xlabel("share (%)")
    axes.grid(visible=False, axis="y")
    if len(found) > 1:
        axes.legend()
    return figure


def curves(facts: Facts) -> Figure | None:
    """Draw the first objective after each epoch, of all trials; None when no trial reported any."""
    state = facts.state
    if not any(row.curve for row in state.trials):
        return None
    objective = state.config.curve if state.config is not None else state.objectives[0]
    figure, [axes] = new_figure(WIDTH, 3.6)
    groups: list[tuple[str, Sequence[TrialRow], str, float]] = [
        ("pruned", [row for row in state.trials if row.state == "pruned"][:MOST_LINES], SAND, 0.7),
        ("done", facts.ranked()[:MOST_LINES], SKY, 0.7),
        ("best", state.best_rows, ORANGE, 2.0),
    ]
    for name, rows, colour, width in groups:
        for number, row in enumerate(row for row in rows if row.curve):
            epochs, values = zip(*row.curve, strict=True)
            axes.plot(epochs, values, color=colour, linewidth=width, label=None if number else name)
    if objective in OBJECTIVES and OBJECTIVES[objective].logarithmic:
        use_logarithm(axes, "y")
    axes.set(xlabel="epoch", ylabel=at_length(objective))
    axes.legend()
    return figure


def _scatters(scatters: Sequence[Scatter], columns: int = COLUMNS) -> Figure:
    """Draw scatters beside each other, under one legend."""
    columns = min(columns, len(scatters))
    rows = -(-len(scatters) // columns)
    figure, panels = new_figure(WIDTH, 0.4 + (3.6 if columns == 1 else 2.8) * rows, columns=columns, rows=rows)
    for axes, scatter in zip(panels, scatters, strict=False):
        _draw(axes, scatter)
    for axes in panels[len(scatters) :]:
        axes.remove()
    named = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside upper left", ncols=len(named), handletextpad=0.3)
    return figure


def _draw(axes: Axes, scatter: Scatter) -> None:
    for mark, style in MARKS.items():
        dots = [dot for dot in scatter.dots if dot.mark == mark]
        if dots:
            axes.scatter([dot.x for dot in dots], [dot.y for dot in dots], clip_on=False, zorder=3, **style)
    if scatter.line:
        axes.plot(*zip(*scatter.line, strict=True), color=ORANGE, linewidth=1.4, label="best so far")
    if scatter.level is not None:
        axes.axhline(scatter.level, color=GREY, linestyle="--", linewidth=1, label="the input itself")
    if scatter.ticks:
        axes.set_xticks(*zip(*scatter.ticks, strict=True))
        axes.set_xlim(-0.5, len(scatter.ticks) - 0.5)
    axes.set(xlabel=scatter.bottom, ylabel=scatter.left)
    if scatter.limits is not None:
        axes.set_ylim(scatter.limits)
    for which, wanted in (("x", scatter.log_x), ("y", scatter.log_y)):
        if wanted:
            use_logarithm(axes, which)
