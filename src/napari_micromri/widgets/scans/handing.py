"""Hand scans over to the other docks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.widgets.shared.docks import open_dock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_micromri.study.discovery import Found
    from napari_micromri.widgets.scans.dock import ScansWidget

STUDY, IVIM = "Study and slice curation", "IVIM maps"


def denoise_many(dock: ScansWidget, scans: Sequence[Found]) -> None:
    """Put these into the tab Many scans of the dock Denoise."""
    from napari_micromri.widgets.many.tab import many_scans

    many_scans(dock.viewer, [os.path.abspath(str(one.source)) for one in scans])


def make_study(dock: ScansWidget, scans: Sequence[Found]) -> None:
    """Open the window New study with these scans."""
    widget = open_dock(dock.viewer, STUDY)
    if widget is not None:
        widget.ask_new_study(*(Path(str(one.source)) for one in scans))


def fit_ivim(dock: ScansWidget, scans: Sequence[Found]) -> None:
    """Open the first series among these as a layer, and the dock that fits it."""
    series = [one for one in scans if "b" in one.scan.info.axes][:1]
    widget = open_dock(dock.viewer, IVIM)
    if widget is not None and series and dock.finding is not None:
        dock.opener.open(series, dock.finding.found)
