"""What choosing a model comes down to, without Qt: the lines of the list, steps and draws in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.nn.families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_micromri.nn.registry import ModelEntry

STEPS = (1, 2, 3, 5, 10, 20, 30, 50)
"""Steps from the left end of the slider to the right."""


@dataclass(frozen=True)
class ModelChoice:
    """One line of the model chooser."""

    label: str
    name: str
    model: str | Path
    tooltip: str
    most_steps: int = 1
    takes_noise: bool = False
    has_errors: bool = False


def model_choices(entries: Iterable[ModelEntry], files: Iterable[ModelEntry] = ()) -> list[ModelChoice]:
    """List the models of the registry, which go by their names, and the files that the person added."""

    def choice(e: ModelEntry, label: str, model: str | Path, tooltip: str) -> ModelChoice:
        return ModelChoice(label, e.name, model, tooltip, e.most_steps, e.takes_noise, e.has_errors)

    listed = [choice(e, _label(e), e.name, _about(e)) for e in entries]
    return listed + [choice(e, f"{_label(e)}, file", e.path, f"{e.path}\n{_about(e)}") for e in files]


def step_choices(most_steps: int) -> tuple[int, ...]:
    """List the numbers of steps that the slider offers, from faithful to textured."""
    return tuple(steps for steps in STEPS if steps < most_steps) + ((most_steps,) if most_steps <= STEPS[-1] else ())


def steps_taken(steps: int, draws: int) -> int:
    """Give the steps that a run takes: in one step several draws would all be alike."""
    return max(steps, 2) if draws > 1 else steps


def describe_texture(steps: int, draws: int, *, some_noise: bool = False) -> str:
    """Put the position of the slider in words."""
    if draws > 1:
        return f"{steps_taken(steps, draws)} steps; the mean of {draws} draws is smoother than each."
    if steps == 1:
        return "1 step: the most faithful, smooth image."
    if some_noise:
        return f"{steps} steps and a little noise: the most texture, a part of it invented."
    return f"{steps} steps: more texture, a part of it invented."


def _label(entry: ModelEntry) -> str:
    family = FAMILIES.get(entry.kind)
    return f"{entry.name} ({family.label if family is not None else entry.kind})"


def _about(entry: ModelEntry) -> str:
    return f"{entry.summary} ({entry.parameters / 1e6:.2f} million parameters, {entry.factor}x finer grid)"
