"""What the denoising dock decides, without Qt: which slices, what may be clicked, what it says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from napari_micromri.errors import InputError
from napari_micromri.nn.families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_micromri.nn.registry import ModelEntry
    from napari_micromri.scan import Scan

STEPS = (1, 2, 3, 5, 10, 20, 30, 50)
"""Steps from the left end of the slider to the right."""

AXIS_LABELS = {"z": "z (as acquired)", "y": "y", "x": "x"}


class Slices(Enum):
    """Which slices to denoise."""

    ALL = "all"
    CURRENT = "the one shown"
    RANGE = "from … to …"


@dataclass(frozen=True)
class ModelChoice:
    """One line of the model chooser."""

    label: str
    name: str
    model: str | Path
    tooltip: str
    most_steps: int = 1
    takes_noise: bool = False


@dataclass(frozen=True)
class DockState:
    """What the dock's buttons and hint depend on.

    Parameters
    ----------
    has_layers
        There is at least one image layer.
    problem
        Why the chosen layer can't be denoised, in a sentence.
    running, stopping
        A job is under way; it was asked to stop.
    needs_path
        The result goes to a file that isn't named yet.
    """

    has_layers: bool
    has_model: bool
    problem: str | None = None
    running: bool = False
    stopping: bool = False
    needs_path: bool = False
    has_result: bool = False

    @property
    def can_preview(self) -> bool:
        """One slice can be tried now."""
        return self.has_layers and self.has_model and self.problem is None and not self.running

    @property
    def can_denoise(self) -> bool:
        """The whole run can begin now."""
        return self.can_preview and not self.needs_path

    @property
    def can_cancel(self) -> bool:
        """There is something to stop."""
        return self.running and not self.stopping

    @property
    def hint(self) -> str:
        """Say what to click next."""
        if self.running:
            return "Stopping…" if self.stopping else "You can go on looking at the layers meanwhile."
        if not self.has_layers:
            return "Open a scan, or File > Open Sample > napari-micromri."
        if self.problem is not None:
            return self.problem
        if not self.has_model:
            return "Choose a model file with the … beside Model."
        if self.needs_path:
            return "Choose where the result is to be saved, under More options."
        if self.has_result:
            return "Switch the new layer's eye on and off to compare it with the input."
        return "Try one slice with Preview slice; then Denoise."


def model_choices(entries: Iterable[ModelEntry], files: Iterable[ModelEntry] = ()) -> list[ModelChoice]:
    """List the models of the registry, which go by their names, and the files that the person added."""
    listed = [ModelChoice(_label(e), e.name, e.name, _about(e), e.most_steps, e.takes_noise) for e in entries]
    added = [
        ModelChoice(f"{_label(e)}, file", e.name, e.path, f"{e.path}\n{_about(e)}", e.most_steps, e.takes_noise)
        for e in files
    ]
    return listed + added


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


def selection(
    scan: Scan,
    slices: Slices,
    *,
    slice_axis: str,
    position: Mapping[str, int],
    first: int = 0,
    last: int = 0,
) -> dict[str, range]:
    """Turn the choice of slices into indices along the axes that are not in the plane.

    ``CURRENT`` is the one slice that is shown (``position``), at its time and diffusion weighting; ``RANGE`` is
    ``first`` to ``last`` along the slice axis, both included, at all times and weightings.

    Raises
    ------
    InputError
        The range is empty or outside the scan.
    """
    axes = scan.info.axes
    if slices is Slices.ALL:
        return {}
    if slices is Slices.CURRENT:
        stacked = [axis for axis in axes if axis not in scan.info.spatial or axis == slice_axis]
        return {axis: range(position[axis], position[axis] + 1) for axis in stacked}
    if slice_axis not in axes:
        return {}
    count = scan.shape[axes.index(slice_axis)]
    if not 0 <= first <= last < count:
        raise InputError(
            f"Slices {first} to {last} are not all in '{scan.info.name}', which has slices 0 to {count - 1}."
        )
    return {slice_axis: range(first, last + 1)}


def slice_count(scan: Scan, slice_axis: str) -> int:
    """Count the slices along an axis."""
    return scan.shape[scan.info.axes.index(slice_axis)] if slice_axis in scan.info.axes else 1


class Pace:
    """Says how far the work is and how long it will still take, from the times at which steps were done."""

    def __init__(self) -> None:
        self._start: tuple[int, float] | None = None

    def describe(self, done: int, total: int, now: float) -> str:
        """Take note of ``done`` of ``total`` slices at ``now`` (seconds) and put it in words."""
        if self._start is None:
            self._start = (done, now)
        if done == 0:
            return f"Denoising {total} slice{'s' * (total != 1)}…"
        text = f"Slice {done} of {total}"
        steps, seconds = done - self._start[0], now - self._start[1]
        if steps <= 0 or seconds <= 0 or done >= total:
            return text
        return f"{text}, {duration(seconds / steps * (total - done))} left"


def duration(seconds: float) -> str:
    """Say a time as a person would: "about 40 s", "about 3 min", "about 1 h 20 min"."""
    if seconds < 60:
        return f"about {max(1, math.ceil(seconds))} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min"
    return f"about {minutes // 60} h {minutes % 60} min"


def _label(entry: ModelEntry) -> str:
    family = FAMILIES.get(entry.kind)
    return f"{entry.name} ({family.label if family is not None else entry.kind})"


def _about(entry: ModelEntry) -> str:
    return f"{entry.summary} ({entry.parameters / 1e6:.2f} million parameters, {entry.factor}x finer grid)"
