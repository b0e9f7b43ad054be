"""The page of a tuning: one HTML file with its plots in it, which needs no network and runs no script."""

from __future__ import annotations

import json
import platform
import shlex
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from napari_micromri import __version__
from napari_micromri.charts import our_style, svg_source
from napari_micromri.io.atomic import atomic_output
from napari_micromri.report_page import render_page
from napari_micromri.runs.words import duration
from napari_micromri.tuning.report.facts import Facts
from napari_micromri.tuning.report.plots import curves, fronts, histories, importance_bars, slices
from napari_micromri.tuning.report.settings_file import settings_of
from napari_micromri.tuning.report.table import moment, parameter_names
from napari_micromri.tuning.words import ORIGINS, condition, figure, heading, parameter, percent, setting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

    from napari_micromri.tuning.state import TuneState


def write_page(path: Path, state: TuneState, *, overwrite: bool = False) -> None:
    """Write the page.

    Raises
    ------
    OutputExistsError, WriteError
        It is there already, or the system refused.
    """
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_text(render(state), encoding="utf-8")


def render(state: TuneState) -> str:
    """Give the page as text."""
    filters: dict[str, Callable[..., Any]] = {
        "duration": duration,
        "setting": setting,
        "heading": heading,
        "parameter": parameter,
        "condition": condition,
        "moment": moment,
        "percent": percent,
        "origin": ORIGINS.__getitem__,
    }
    return render_page("tuning/report/page.html.jinja", _content(Facts(state)), filters)


def _content(facts: Facts) -> dict[str, Any]:
    state = facts.state
    best = state.best_rows[0] if state.best else None
    settings = settings_of(state, best) if best is not None else None
    return {
        "facts": facts,
        "figure": figure,
        "state": state,
        "config": state.config,
        "best": best,
        "top": facts.top(),
        "alone": len(state.objectives) == 1,
        "names": parameter_names(state),
        "settings": json.dumps(settings, indent=2, ensure_ascii=False) if settings is not None else "",
        "command": _command(state),
        "baseline": [state.baseline(place) for place in range(len(facts.standings))],
        "notes": _notes(facts),
        "plots": _plots(facts),
        "versions": {
            "napari-micromri": __version__,
            "Python": platform.python_version(),
            **{name: version(name) for name in ("optuna", "torch")},
        },
    }


def _notes(facts: Facts) -> list[str]:
    """Say what to keep in mind of the importances, each sentence once."""
    said = (one.reason or one.caution for one in facts.importances.values())
    return list(dict.fromkeys(sentence for sentence in said if sentence))


def _plots(facts: Facts) -> dict[str, list[str]]:
    """Draw the plots, as addresses of pictures by the part of the page that they stand in."""
    if not facts.standings:
        return {}
    with our_style():
        drawn: dict[str, list[Figure | None]] = {
            "pareto": [fronts(facts)],
            "history": [histories(facts)],
            "importances": [importance_bars(facts)],
            "slices": [slices(facts, place) for place in range(len(facts.standings))],
            "curves": [curves(facts)],
        }
        return {part: [svg_source(plot) for plot in plots if plot is not None] for part, plots in drawn.items()}


def _command(state: TuneState) -> str:
    """Give the commands that train with the best settings."""
    here = state.path is not None and state.path.is_dir()
    where = shlex.quote(str(state.path)) if here else f"{shlex.quote(state.source)} --name {shlex.quote(state.name)}"
    study = shlex.quote(state.config.study) if state.config is not None else "STUDY"
    return f"micromri tune-report {where} --config best.json\nmicromri train {study} runs/best --config best.json"
