"""Objectives, figures and parameters in words."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from napari_micromri.tuning.objectives import OBJECTIVES, at_length
from napari_micromri.tuning.parameters import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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
    return f"{value:.4g}" if isinstance(value, float) else exact(value)


def exact(value: Value | Sequence[Scalar]) -> str:
    """Write a setting's value as ``--set`` takes it, with all digits."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def parameter(searched: Parameter) -> str:
    """Write in which range a setting is searched, as the dock takes it."""
    if isinstance(searched, Choice):
        return ", ".join(map(exact, searched.values))
    text = f"{exact(searched.low)} to {exact(searched.high)}"
    if searched.log:
        return f"{text}, log"
    plain = searched.step is None or (searched.kind == "int" and searched.step == 1)
    return text if plain else f"{text}, step {exact(searched.step)}"


def condition(when: Mapping[str, Sequence[Scalar]], name_of: Callable[[str], str] = str) -> str:
    """Say on which other settings it depends whether a setting is searched."""
    return " and ".join(f"{name_of(name)} is {' or '.join(map(setting, values))}" for name, values in when.items())
