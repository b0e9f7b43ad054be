"""What the denoising dock decides, without Qt: which slices, what may be clicked, what it says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from napari_micromri.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.scan import Scan

AXIS_LABELS = {"z": "z (as acquired)", "y": "y", "x": "x"}


class Slices(Enum):
    """Which slices to denoise."""

    ALL = "all"
    CURRENT = "the one shown"
    RANGE = "from … to …"


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
            return "Stopping…" if self.stopping else "You can keep working in napari meanwhile."
        if not self.has_layers:
            return "Open a scan, or File > Open Sample > napari-micromri."
        if self.problem is not None:
            return self.problem
        if not self.has_model:
            return "Choose a model file with the … button beside Model."
        if self.needs_path:
            return "Under More options, choose where to save the result."
        if self.has_result:
            return "Switch the new layer's eye on and off to compare it with the input."
        return "Try one slice with Preview slice, then click Denoise."


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
