"""Objectives, figures and parameters in words."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from napari_micromri.tuning.objectives import OBJECTIVES, at_length
from napari_micromri.tuning.parameters import Choice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_micromri.tuning.parameters import Parameter, Scalar
    from napari_micromri.tuning.state import Value

ORIGINS = {
    "given": "given, not searched",
    "random": "drawn at random",
    "suggested": "suggested by the sampler",
}


def heading(objective: str) -> str:
    """Name an objective within a sentence."""
    name = at_length(objective)
    return name[:1].lower() + name[1:]


def figure(objective: str, value: float | None) -> str:
    """Write a value of an objective with its unit."""
    if value is None or not math.isfinite(value):
        return "–"
    if objective == "latency":
        return f"{1000 * value:.3g} ms"
    if objective == "parameters":
        return f"{value / 1e6:.2f} M" if value >= 1e5 else f"{value:.0f}"
    known = OBJECTIVES.get(objective)
    return f"{value:.4g}" if known is None or known.decimals is None else f"{value:.{known.decimals}f}"


def figures(objectives: Iterable[str], values: Iterable[float]) -> str:
    """Write a trial's values with their names."""
    return ", ".join(f"{heading(name)} {figure(name, value)}" for name, value in zip(objectives, values, strict=True))


def percent(part: float | None) -> str:
    """Write a part of a whole with two digits."""
    if part is None or not math.isfinite(part):
        return "–"
    value = 100 * part
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"


def setting(value: Value | list[Scalar]) -> str:
    """Write a setting's value as ``--set`` takes it, numbers with four digits."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def parameter(searched: Parameter) -> str:
    """Say in which range a setting was searched, and when."""
    if isinstance(searched, Choice):
        text = " | ".join(setting(list(value) if isinstance(value, tuple) else value) for value in searched.values)
    else:
        ways = ["logarithmic"] if searched.log else []
        ways += [f"in steps of {searched.step:g}"] if searched.step not in (None, 1) else []
        text = ", ".join([f"{searched.low:g} to {searched.high:g}", *ways])
    conditions = (f"{name} is {' or '.join(map(setting, values))}" for name, values in searched.when.items())
    when = " and ".join(conditions)
    return f"{text}, where {when}" if when else text
