"""Hand scans over to the other docks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.widgets.shared.docks import open_dock
from napari_micromri.widgets.shared.places import beside

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Layer

    from napari_micromri.study.discovery import Found
    from napari_micromri.widgets.scans.dock import ScansWidget

DENOISE, STUDY, IVIM = "Denoise with UNet/APDDM", "Study and slice curation", "IVIM maps"


def denoise(dock: ScansWidget, scans: Sequence[Found]) -> None:
    """Denoise the first of these with what is set in the dock Denoise."""

    def begin(layers: Sequence[Layer]) -> None:
        dock.viewer.layers.selection.active = layers[0]
        widget = open_dock(dock.viewer, DENOISE)
        if widget is not None:
            widget.tabs.setCurrentIndex(0)
            widget.start_denoising()

    _show(dock, scans[:1], begin)


def measure(dock: ScansWidget, scans: Sequence[Found]) -> None:
    """Let the person draw the first region on these."""
    from napari_micromri.widgets.measuring.command import begin_measuring

    _show(dock, scans, lambda _: begin_measuring(dock.viewer))


def _show(dock: ScansWidget, scans: Sequence[Found], then: Callable[[list[Layer]], object]) -> None:
    if dock.finding is not None:
        dock.opener.show(scans, dock.finding.found, then)


def denoise_many(dock: ScansWidget, scans: Sequence[Found]) -> None:
    """Put these into the tab Many scans of the dock Denoise."""
    from napari_micromri.widgets.many.tab import many_scans

    paths = [os.path.abspath(str(one.source)) for one in scans]
    many_scans(dock.viewer, paths, beside(_listed(dock), "_denoised"))


def make_study(dock: ScansWidget, scans: Sequence[Found]) -> None:
    """Open the window New study with these scans."""
    widget = open_dock(dock.viewer, STUDY)
    if widget is not None:
        widget.ask_new_study(*(Path(str(one.source)) for one in scans), target=beside(_listed(dock), ".mri.zarr"))


def fit_ivim(dock: ScansWidget, scans: Sequence[Found]) -> None:
    """Open the first series among these as a layer, and the dock that fits it."""
    series = [one for one in scans if "b" in one.scan.info.axes][:1]
    if open_dock(dock.viewer, IVIM) is not None and series and dock.finding is not None:
        dock.opener.open(series, dock.finding.found)


def _listed(dock: ScansWidget) -> Path:
    """Give the folder that is listed, or that of the first file."""
    first = Path(dock.finding.paths[0]) if dock.finding is not None else Path.cwd()
    return first if first.is_dir() else first.parent
