"""How long the training dock holds the window's event loop while a model is trained.

A timer that should beat every 5 ms notes when it does, and how much the window's own thread has computed since the beat
before: the second figure is the dock's and napari's own work, the first also holds the drawing of the canvas by the
driver's threads and the waiting for a busy processor. Given are both, first while nothing runs, then when a real
training is started and its layers and plots appear, and then while it runs. Needs a display, which ``make bench``
brings.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

LIMIT_MS = 50
EPOCHS = 25
PATIENCE = 600.0
SMALL = {"network.features_main": "8, 16", "device": "cpu", "epochs": str(EPOCHS), "patience": "none"}


def main() -> int:
    """Measure and print; 1 when the window's thread computes for too long at a stretch during the training."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CONFIG_HOME"] = folder  # nothing is remembered from before, nor for later
        gaps, epochs, state = measure(make_study(Path(folder)))
    print(f"{'gaps in ms':20} {'median':>7} {'99 %':>7} {'longest':>8}   {'computing: 99 %':>15} {'longest':>8}")
    for name, found in gaps.items():
        wall, computed = found.T
        middle, late = np.median(wall), np.percentile(wall, 99)
        busy = np.percentile(computed, 99)
        print(f"{name:20} {middle:7.1f} {late:7.1f} {wall.max():8.0f}   {busy:15.1f} {computed.max():8.0f}")
    print(f"{epochs} epochs, {state}")
    return int(state != "done" or np.percentile(gaps["training"][:, 1], 99) > LIMIT_MS)


def measure(study: Path) -> tuple[dict[str, NDArray[np.float64]], int, str]:
    """Train through a window; gives the gaps by what happened, and how the training ended."""
    import napari

    viewer = napari.Viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Training and tuning")
    beats, tab = Beats(), dock.run
    dock.setup.studies.use(study)
    dock.setup.fields.set_texts(SMALL)
    beats.during(dock.setup.form.start.isEnabled)
    beats.during(lambda: False, 2)
    gaps = {"at rest": beats.during(lambda: False, 3)}
    dock.setup.start()
    gaps["until it begins"] = beats.during(lambda: tab.run is not None and bool(tab.run.epochs))
    gaps["first plots, layers"] = beats.during(lambda: len(viewer.layers) == 3 and bool(tab.form.quality.labels))
    beats.during(lambda: False, 2)
    gaps["training"] = beats.during(lambda: not tab.run.live)
    beats.stop()
    viewer.close()
    return gaps, len(tab.run.epochs), tab.run.state


class Beats:
    """A timer that beats in the window's thread."""

    def __init__(self) -> None:
        from qtpy.QtCore import QTimer

        self._beats: list[tuple[float, float]] = []
        self._timer = QTimer()
        self._timer.timeout.connect(lambda: self._beats.append((time.perf_counter(), time.thread_time())))
        self._timer.start(5)

    def during(self, done: Callable[[], bool], seconds: float = 0.0) -> NDArray[np.float64]:
        """Let the window work until something is so, or for some seconds; gives the gaps (n, 2) in ms."""
        from qtpy.QtWidgets import QApplication

        self._beats.clear()
        end = time.perf_counter() + (seconds or PATIENCE)
        while time.perf_counter() < end and (seconds or not done()):
            QApplication.processEvents()
            time.sleep(0.001)
        if not seconds and not done():
            raise TimeoutError("The training took too long.")
        return 1000 * np.diff(self._beats, axis=0)

    def stop(self) -> None:
        """Beat no more."""
        self._timer.stop()


def make_study(folder: Path) -> Path:
    """Simulate a study of three digital mice."""
    from napari_micromri.io import save_scan
    from napari_micromri.simulation.samples import digital_mouse
    from napari_micromri.study.build import build
    from napari_micromri.study.model import Assign
    from napari_micromri.study.plan import Plan, PlannedPair, Simulation, Source
    from napari_micromri.study.store import Study

    path = save_scan(digital_mouse()[1], folder / "mouse.nii.gz")
    pairs = [
        PlannedPair(subject=f"mouse {k}", region="trunk", plane="coronal", lr=Simulation(seed=k), hr=Source(str(path)))
        for k in range(3)
    ]
    target = folder / "mice.mri.zarr"
    build(Plan(tuple(pairs)), target)
    Study.open(target).apply([Assign("mouse 2", "validation")])
    return target


if __name__ == "__main__":
    sys.exit(main())
