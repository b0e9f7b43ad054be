"""Layers > Measure > Measure CNR: the dock, and the first rectangle to be drawn."""

from __future__ import annotations

PLUGIN, DOCK = "napari-micromri", "Measure CNR"


def measure_layers() -> None:
    """Open the dock in the current napari window and let the person draw the first region."""
    import napari
    from napari.utils.notifications import show_warning

    viewer = napari.current_viewer()
    if viewer is None:
        show_warning("Open napari's window first.")
        return
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)
    if not dock.reading.usable:
        dock.draw("roi")
