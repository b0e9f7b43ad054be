"""Plots of a tuning that Optuna draws: parallel coordinates, slices, the Pareto front."""

from __future__ import annotations

import copy
import math
import warnings
from typing import TYPE_CHECKING

from napari_micromri.tuning.importance import optuna_study
from napari_micromri.tuning.report.looks import (
    GREY,
    LEGEND,
    MOST_LINES,
    ORANGE,
    Plot,
    is_wide,
    plain,
    short_names,
)
from napari_micromri.tuning.report.words import axis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from optuna import Study
    from optuna.trial import FrozenTrial
    from plotly.graph_objects.layout import XAxis

    from napari_micromri.tuning.report.facts import Facts
    from napari_micromri.tuning.state import TrialRow, TuneState

SLICES_IN_A_ROW = 4


def parallel_coordinates(facts: Facts) -> Plot | None:
    """Draw each of the best trials as a line through its parameters; None with fewer than two."""
    from optuna.visualization import plot_parallel_coordinate

    state = facts.state
    rows = sorted(_to_compare(facts)[:MOST_LINES], key=lambda row: row.number)
    if len(rows) < 2:
        return None
    study = _plot_study(state, rows)
    names = [axis(objective) for objective in state.objectives]
    if len(names) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna calls names of objectives experimental
            study.set_metric_names(names)
        figure = plot_parallel_coordinate(study)
    else:
        figure = plot_parallel_coordinate(study, target_name=names[0])
    figure.update_layout(**plain(), title=None, margin={"l": 20, "r": 20, "t": 30, "b": 60})
    return Plot("parallel", figure, height=440)


def slices(facts: Facts, place: int) -> list[Plot]:
    """Draw the objective over each parameter, the most important ones first."""
    from optuna.visualization import plot_slice

    state = facts.state
    rows = [row for row in state.done() if row.values is not None and math.isfinite(row.values[place])]
    if len(rows) < 2:
        return []
    study = _plot_study(state, state.trials)
    short = short_names({name for row in rows for name in row.parameters})
    shares = facts.importances[state.objectives[place]].shares
    ordered = sorted(short, key=lambda name: (-shares.get(name, 0.0), name))
    values = [row.values[place] for row in rows if row.values is not None]
    plots = []
    for start in range(0, len(ordered), SLICES_IN_A_ROW):
        names = [short[name] for name in ordered[start : start + SLICES_IN_A_ROW]]
        figure = plot_slice(
            study,
            params=names,
            target=lambda trial: float(trial.values[place]),
            target_name=axis(state.objectives[place]),
        )
        figure.update_layout(**plain(), title=None, width=None, margin={"l": 70, "r": 20, "t": 20, "b": 60})
        figure.for_each_xaxis(_decades)
        if (limits := facts.shown(place)) is not None:
            figure.update_yaxes(range=limits)
        elif is_wide(values):
            figure.update_yaxes(type="log")
        plots.append(Plot(f"slice-{place}-{start // SLICES_IN_A_ROW}", figure, height=300))
    return plots


def pareto_front(facts: Facts) -> Plot | None:
    """Draw which trials no other one beats; None but for two and three objectives."""
    from optuna.visualization import plot_pareto_front

    state = facts.state
    if len(state.objectives) not in (2, 3) or not state.done():
        return None
    study = _plot_study(state, state.trials)
    figure = plot_pareto_front(study, target_names=[axis(name) for name in state.objectives])
    figure.update_layout(**plain(), title=None, margin={"l": 70, "r": 20, "t": 20, "b": 60}, legend=LEGEND)
    # Optuna tells them apart by two scales of colours for their numbers, which lie over each other.
    looks = {"other trials": {"color": GREY, "size": 6}, "Pareto front": {"color": ORANGE, "size": 11}}
    for trace, (name, look) in zip(figure.data, looks.items(), strict=False):
        trace.update(name=name, showlegend=True, marker=look | {"showscale": False})
    return Plot("pareto", figure, height=440)


def _to_compare(facts: Facts) -> list[TrialRow]:
    """List the trials that are done, the best first, without those that lie so far off that they hide the others."""
    limits = facts.shown(0)
    return [
        row
        for row in facts.ranked()
        if row.values is not None and (limits is None or limits[0] <= row.values[0] <= limits[1])
    ]


def _plot_study(state: TuneState, rows: Iterable[TrialRow]) -> Study:
    """Bring trials into a study of short names, without what would only swell the page."""
    short = short_names({name for row in state.trials for name in row.parameters})
    return optuna_study(state.directions, [_bare(state.frozen[row.number], short) for row in rows])


def _decades(axis: XAxis) -> None:
    """Leave only whole powers of ten on a logarithmic axis of a narrow plot."""
    if axis.type == "log":
        axis.update(dtick=1, exponentformat="power")


def _bare(trial: FrozenTrial, short: Mapping[str, str]) -> FrozenTrial:
    bare = copy.copy(trial)
    bare.params = {short[name]: value for name, value in trial.params.items()}
    bare.distributions = {short[name]: distribution for name, distribution in trial.distributions.items()}
    bare.user_attrs, bare.system_attrs = {}, {}
    return bare
