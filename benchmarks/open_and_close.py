"""Whether napari survives opening and closing a study of 18 ParaVision scans, again and again in one process.

Each time a new window lists the study in the dock *Scans*, opens all its scans as layers while the thumbnails still
load, moves through the slices, and is closed, in turn before and after everything has come. Faults of memory are told
by faulthandler; errors that napari would show end the run. Needs a display, which ``make bench`` brings, and real data.
"""

from __future__ import annotations

import argparse
import faulthandler
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from _planting import data_folder
from napari.utils.notifications import Notification, NotificationSeverity, notification_manager
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from collections.abc import Callable

STUDY = "bruker/pv51_banana/bru_banana"
SCANS = 18
PATIENCE_S = 120


def main() -> int:
    """Open and close; 1 when napari told of an error, and whatever a crash gives."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=50, help="how often (default %(default)s)")
    options = parser.parse_args()
    source = data_folder() / STUDY
    if not source.is_dir():
        print(f"{source} is missing.", file=sys.stderr)
        return 1
    faulthandler.enable()
    errors: list[str] = []

    def hear(told: Notification) -> None:
        if told.severity >= NotificationSeverity.ERROR:
            errors.append(told.message)

    notification_manager.notification_ready.connect(hear)
    layers = 0
    with tempfile.TemporaryDirectory() as folder:
        scans = sorted(path for path in source.iterdir() if path.name.isdigit())
        for number in range(SCANS):
            shutil.copytree(scans[number % len(scans)], Path(folder) / str(number + 1))
        for number in range(options.times):
            layers += open_once(folder, hurried=number % 2 == 1)
            if errors:
                print(f"Opening {number + 1}: {errors[0]}")
                return 1
    print(f"opened and closed {options.times} times, {layers} layers, without a fault")
    return 0


def open_once(folder: str, *, hurried: bool) -> int:
    """Open all scans of a study in a window of its own and close it; hurried, while layers still come."""
    viewer = napari.Viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Scans")
    dock.open_paths(folder)
    wait(lambda: dock.finding.is_listed)
    found = dock.finding.found
    dock.form.tick_all.click()
    dock.form.open_layers.click()
    wait(lambda: len(viewer.layers) >= (len(found) // 2 if hurried else len(found)))
    if not hurried:
        for step in range(viewer.dims.nsteps[0]):
            viewer.dims.set_current_step(0, step)
            QApplication.processEvents()
        wait(lambda: len(dock.finding.pictures) == len(found))
    layers = len(viewer.layers)
    viewer.close()
    QApplication.processEvents()
    return layers


def wait(until: Callable[[], bool]) -> None:
    """Let the window work until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not until():
        if time.monotonic() > end:
            raise TimeoutError(f"It did not come within {PATIENCE_S} s.")
        QApplication.processEvents()
        time.sleep(0.001)


if __name__ == "__main__":
    sys.exit(main())
