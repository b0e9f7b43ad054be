"""Open another of our docks, in the window of a viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_warning

if TYPE_CHECKING:
    from napari.components import ViewerModel

PLUGIN = "napari-micromri"


def open_dock(viewer: ViewerModel, name: str) -> Any:
    """Open a dock, or raise the one that is open, and give its widget; None where the viewer has no window."""
    window = getattr(viewer, "window", None)
    if window is None:
        show_warning(f"There is no window to open the dock {name} in.")
        return None
    dock, widget = window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    dock.show()
    dock.raise_()
    return widget
