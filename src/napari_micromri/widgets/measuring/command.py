"""Layers > Measure > Measure CNR: the dock, and the first rectangle to be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.widgets.shared.docks import open_dock

if TYPE_CHECKING:
    import numpy as np
    from napari.components import ViewerModel
    from numpy.typing import NDArray

DOCK = "Measure CNR"


def measure_layers() -> None:
    """Open the dock in the current napari window and let the person draw the first region."""
    import napari
    from napari.utils.notifications import show_warning

    viewer = napari.current_viewer()
    if viewer is None:
        show_warning("Open napari's window first.")
        return
    begin_measuring(viewer)


def begin_measuring(viewer: ViewerModel, corners: NDArray[np.float64] | None = None) -> None:
    """Open the dock, and take a rectangle in world coordinates for a region, or let the person draw the first one."""
    dock = open_dock(viewer, DOCK)
    if dock is not None and (corners is not None or not dock.reading.usable):
        dock.draw("roi", corners)
