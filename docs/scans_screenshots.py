"""Take the picture of the dock "Scans": docs/images/scans.png. Called by docs/make_screenshots.py.

The folder holds real scans where MICROMRI_DATA (or ../shared/data) has them, and else the digital mouse.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from make_screenshots import DATA, SIZE, lab_folder, save, wait

from napari_micromri.io import save_scan
from napari_micromri.simulation.samples import digital_mouse

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = ("t2w_mouse_trunk", "t2w_rat_head", "bruker")


def take(output: Path) -> None:
    """Take the picture."""
    import napari
    from qtpy.QtCore import Qt

    with lab_folder() as folder:
        os.environ["XDG_CONFIG_HOME"] = str(folder)  # nothing is remembered from before, nor for later
        session = folder / "session"
        for name in SHOWN:
            if (DATA / name).is_dir():
                shutil.copytree(DATA / name, session / name)
        for scan in () if session.is_dir() else digital_mouse():
            save_scan(scan, session / f"{scan.info.name}.ome.zarr")
        os.chdir(folder)  # the folder is shown as it was given
        viewer = napari.Viewer(title="napari")
        viewer.window.resize(*SIZE)
        viewer.open("session", plugin="napari-micromri")
        wait(lambda: "Scans (napari-micromri)" in viewer.window.dock_widgets and len(viewer.layers) == 1)
        dock = viewer.window.dock_widgets["Scans (napari-micromri)"]
        viewer.window._qt_window.resizeDocks([dock.parentWidget()], [430], Qt.Orientation.Horizontal)
        wait(lambda: not dock.finding._stream.busy)
        dock.form.more.setChecked(True)
        save(viewer, output / "scans.png")
        viewer.close()
