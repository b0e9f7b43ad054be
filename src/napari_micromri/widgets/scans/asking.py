"""Whether napari asks which plugin opens a folder, and how it is told to take this one."""

from __future__ import annotations

from napari_micromri.widgets.shared.docks import PLUGIN

ANY_FOLDER = "*/"
"""napari ends the path of a folder with a slash before it compares."""


def napari_asks() -> bool:
    """Tell whether no plugin was chosen for folders yet."""
    from napari.settings import get_settings

    return ANY_FOLDER not in get_settings().plugins.extension2reader


def open_all_folders() -> None:
    """Let this plugin open folders from now on; *File > Preferences > Plugins* takes it back."""
    from napari.settings import get_settings

    plugins = get_settings().plugins
    plugins.extension2reader = {**plugins.extension2reader, ANY_FOLDER: PLUGIN}
