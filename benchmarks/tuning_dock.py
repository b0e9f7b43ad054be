"""How long the training dock holds the window's event loop while a network is tuned.

Measured as in ``training_dock.py``: while nothing runs, when the workers start and the first trials and plots appear,
while trials run, and while a person looks through the trials. Needs a display, which ``make bench`` brings.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from training_dock import LIMIT_MS, Beats, make_study

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_micromri.widgets.training.tuning.watch_page import WatchPage

TRIALS, WORKERS, EPOCHS = 16, 2, 3
SMALL = {"network.features_main": "4, 8", "device": "cpu", "patience": "none"}
SEARCHED = {"learning_rate": "1e-4 to 0.01, log", "optimizer": "adam, adamw", "network.residual": "true, false"}
FIRST = 3
"""Trials that are done before it is measured how further ones are taken."""


def main() -> int:
    """Measure and print; 1 when the window's thread computes for too long at a stretch while trials run."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CONFIG_HOME"] = folder  # nothing is remembered from before, nor for later
        gaps, state = measure(make_study(Path(folder)))
    print(f"{'gaps in ms':20} {'median':>7} {'99 %':>7} {'longest':>8}   {'computing: 99 %':>15} {'longest':>8}")
    for name, found in gaps.items():
        wall, computed = found.T
        middle, late = np.median(wall), np.percentile(wall, 99)
        busy = np.percentile(computed, 99)
        print(f"{name:20} {middle:7.1f} {late:7.1f} {wall.max():8.0f}   {busy:15.1f} {computed.max():8.0f}")
    print(f"{TRIALS} trials, {WORKERS} workers: {state}")
    held = max(np.percentile(gaps[name][:, 1], 99) for name in ("trials run", "looking through"))
    return int(state != "Done" or held > LIMIT_MS)


def measure(study: Path) -> tuple[dict[str, NDArray[np.float64]], str]:
    """Tune through a window; gives the gaps by what happened, and how the tuning ended."""
    import napari

    from napari_micromri.widgets.training.tuning.new_model import AS_SET_UP
    from napari_micromri.widgets.training.tuning.space_rows import SpaceRow

    viewer = napari.Viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Training and tuning")
    beats, form, watch = Beats(), dock.tune.new.form, dock.tune.watch
    dock.tabs.setCurrentWidget(dock.tune)
    dock.setup.fields.set_texts(SMALL)
    form.base.setCurrentText(AS_SET_UP)
    dock.tune.new.space.show([SpaceRow(key, text, True, {}) for key, text in SEARCHED.items()])
    dock.tune.new.studies.use(study)
    form.set_options({"epochs": str(EPOCHS), "trials": str(TRIALS), "workers": str(WORKERS)})
    beats.during(form.start.isEnabled)
    beats.during(lambda: False, 2)
    gaps = {"at rest": beats.during(lambda: False, 3)}
    form.start.click()
    gaps["first trials, plots"] = beats.during(
        lambda: finished(watch) >= FIRST and watch.form.history.shown is not None
    )
    gaps["trials run"] = beats.during(lambda: finished(watch) == TRIALS)
    gaps["looking through"] = look_through(watch, beats)
    beats.during(lambda: watch.form.state.text() == "Done")
    beats.stop()
    state = watch.form.state.text()
    viewer.close()
    return gaps, state


def finished(watch: WatchPage) -> int:
    """Count the trials that are over, as the window knows it."""
    return watch.look.state.finished if watch.look is not None else 0


def look_through(watch: WatchPage, beats: Beats) -> NDArray[np.float64]:
    """Choose trials, sort and filter them."""
    from qtpy.QtCore import Qt

    found = []
    for trial in range(TRIALS):
        watch.form.table.select(trial)
        watch.form.table.sortByColumn(trial % 4, Qt.SortOrder.DescendingOrder)
        watch.form.words.setText("adam" if trial % 2 else "")
        found.append(beats.during(lambda: False, 0.5))
    return np.concatenate(found)


if __name__ == "__main__":
    sys.exit(main())
