"""Layers > Measure > Measure CNR: the dock, and the first rectangle to be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.widgets.shared.docks import open_dock

if TYPE_CHECKING:
    from napari.components import ViewerModel

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


def begin_measuring(viewer: ViewerModel) -> None:
    """Open the dock and let the person draw the first region."""
    dock = open_dock(viewer, DOCK)
    if dock is not None and not dock.reading.usable:
        dock.draw("roi")
