"""The page of a tuning: one HTML file with its plots in it, which needs no network.

The plots can be zoomed and asked with the mouse; plotly's script, which does that, makes up nearly all of the 5 MB. Its
smaller builds would have to be fetched from elsewhere, so the one that comes with the Python package is taken whole.
"""

from __future__ import annotations

import json
import platform
import secrets
import shlex
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from napari_micromri import __version__
from napari_micromri.errors import InputError
from napari_micromri.io.atomic import atomic_output
from napari_micromri.runs.words import duration
from napari_micromri.tuning.report.facts import Facts, baseline
from napari_micromri.tuning.report.looks import short_names
from napari_micromri.tuning.report.optuna_plots import parallel_coordinates, pareto_front, slices
from napari_micromri.tuning.report.plots import curves, history, importance_bars
from napari_micromri.tuning.report.settings_file import settings_of
from napari_micromri.tuning.report.table import parameter_names
from napari_micromri.tuning.report.words import ORIGINS, figure, heading, parameter, percent, setting

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.tuning.report.looks import Plot
    from napari_micromri.tuning.state import TrialRow, TuneState


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
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    # Names come from files of others: everything is escaped, and no script runs but those that carry this page's word.
    environment = Environment(
        loader=PackageLoader("napari_micromri.tuning.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": duration,
        "setting": setting,
        "heading": heading,
        "parameter": parameter,
        "moment": _moment,
        "percent": percent,
        "origin": ORIGINS.__getitem__,
    }
    environment.globals["figure"] = figure
    content = _content(Facts(state)) | {"plotly": get_plotlyjs(), "nonce": secrets.token_urlsafe(16)}
    return environment.get_template("page.html.jinja").render(content)


def _content(facts: Facts) -> dict[str, Any]:
    state = facts.state
    best = state.best_rows[0] if state.best else None
    names = parameter_names(state)
    short = short_names(names)
    return {
        "facts": facts,
        "state": state,
        "config": state.config,
        "best": best,
        "top": facts.top(),
        "alone": len(state.objectives) == 1,
        "names": {name: short[name] for name in names},
        "far": any(facts.shown(place) is not None for place in range(len(facts.standings))),
        "settings": _settings_text(state, best),
        "command": _command(state),
        "baseline": baseline(best) if best is not None else {},
        "notes": _notes(facts),
        "plots": _plots(facts),
        "made": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "versions": _versions(),
    }


def _notes(facts: Facts) -> list[str]:
    """Say what to keep in mind of the importances, each sentence once."""
    said = (one.reason or one.caution for one in facts.importances.values())
    return list(dict.fromkeys(sentence for sentence in said if sentence))


def _plots(facts: Facts) -> dict[str, list[Plot]]:
    """Draw the plots by the part of the page that they stand in."""
    if not facts.standings:
        return {}
    places = range(len(facts.state.objectives))
    drawn: dict[str, list[Plot | None]] = {
        "pareto": [pareto_front(facts)] if len(places) > 1 else [],
        "history": [history(facts, place) for place in places],
        "importances": [importance_bars(facts)],
        "parallel": [parallel_coordinates(facts)],
        "slices": [plot for place in places for plot in slices(facts, place)],
        "curves": [curves(facts)],
    }
    return {part: [plot for plot in plots if plot is not None] for part, plots in drawn.items()}


def _settings_text(state: TuneState, row: TrialRow | None) -> str:
    if row is None:
        return ""
    try:
        return json.dumps(settings_of(state, row), indent=2, ensure_ascii=False)
    except InputError:
        return ""


def _command(state: TuneState) -> str:
    """Give the commands that train with the best settings."""
    here = state.path is not None and state.path.is_dir()
    where = shlex.quote(str(state.path)) if here else f"{shlex.quote(state.source)} --name {shlex.quote(state.name)}"
    study = shlex.quote(state.config.study) if state.config is not None else "STUDY"
    return f"micromri tune-report {where} --config best.json\nmicromri train {study} runs/best --config best.json"


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _versions() -> dict[str, str]:
    own = {"napari-micromri": __version__, "Python": platform.python_version()}
    return own | {name: version(name) for name in ("optuna", "torch")}
