"""How many clicks the usual jobs take, from an empty napari and with a real ParaVision study, by mouse alone.

Each job begins in a new window with the study's folder: dropped on it, opened by *File > Open Folder*, or dropped where
napari still asks which plugin opens folders (see docs/scans.md). Needs a display, which `make bench` brings, and the
real data; pass ``--data`` or set MICROMRI_DATA.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import shutil
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _hand import Hand, wait
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_micromri.io import open_scan
from napari_micromri.study import Study
from napari_micromri.widgets.scans.asking import open_all_folders

if TYPE_CHECKING:
    from collections.abc import Callable

STUDY = "bruker/pv51_banana/bru_banana"
MANY = 20
PLUGIN = "napari-micromri"
WAYS = ("drop", "menu", "drop, asked")


def main() -> int:
    """Click and print; 1 when a job takes more than it should after a drop or by the menu."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("MICROMRI_DATA", "../shared/data"))
    data = Path(parser.parse_args().data) / STUDY
    if not data.is_dir():
        print(f"{data} is missing.", file=sys.stderr)
        return 1
    print("| job | at most | " + " | ".join(WAYS) + " | clicks after a drop |\n|" + " --- |" * (len(WAYS) + 3))
    too_many = False
    # Each in a process of its own: nothing is left over from the window before.
    with get_context("spawn").Pool(1, maxtasksperchild=1) as new_process:
        for title, (job, most) in JOBS.items():
            took = [new_process.apply(clicks, (job, data, way)) for way in WAYS]
            counts = " | ".join(str(len(one)) for one in took)
            print(f"| {title} | {most} | {counts} | {', '.join(took[0])} |", flush=True)
            too_many |= any(len(one) > most for one in took[:2])
    return int(too_many)


def clicks(job: Callable[[Any, Hand, Path], None], data: Path, way: str) -> list[str]:
    """Do a job in a new window, and tell what was clicked."""
    import napari
    from napari.settings import get_settings

    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CONFIG_HOME"] = place  # nothing is remembered from before, nor for later
        folder = Path(place) / "study"
        scans = sorted(path for path in data.iterdir() if path.is_dir())
        for number in range(MANY if job is denoise_all else len(scans)):
            shutil.copytree(scans[number % len(scans)], folder / str(number + 1))
        get_settings().plugins.extension2reader = {}
        if way != "drop, asked":
            open_all_folders()
        viewer = napari.Viewer()
        hand = Hand(viewer.window._qt_window)
        QTest.qWait(500)
        if way == "drop, asked":
            hand.choose_plugin(PLUGIN)
        (hand.open_folder if way == "menu" else hand.drop_folder)(folder)
        wait(lambda: len(viewer.layers) == 1)
        job(viewer, hand, folder)
        viewer.close()
    return hand.clicks


def dock(viewer: Any, name: str) -> Any:
    """Give a dock as soon as it is open."""
    docks = viewer.window.dock_widgets
    wait(lambda: any(key.startswith(name) for key in docks))
    return next(one for key, one in docks.items() if key.startswith(name))


def denoise_one(viewer: Any, hand: Hand, _: Path) -> None:
    """Denoise the scan that the folder opened with."""
    hand.click(dock(viewer, "Scans").form.denoise)
    wait(lambda: len(viewer.layers) == 2)
    given, result = (np.asarray(layer.data) for layer in viewer.layers)
    assert np.isfinite(result).all() and result.std() > 0 and result.size > given.size


def cnr(viewer: Any, hand: Hand, folder: Path) -> None:
    """Draw a ROI and a background on it, and export."""
    canvas = viewer.window._qt_viewer.canvas.native
    wait(lambda: viewer.layers.selection.active is not None)
    hand.drag(canvas, (0.5, 0.5), (0.55, 0.55), Qt.KeyboardModifier.ShiftModifier)
    measure = dock(viewer, "Measure CNR")
    wait(lambda: measure.form.hint.text().startswith("Now Draw background"))
    hand.drag(canvas, (0.35, 0.35), (0.4, 0.4))
    wait(lambda: measure.found is not None and any(math.isfinite(row.cnr) for row in measure.found.rows))
    hand.click(measure.form.export)
    with folder.with_name("study_cnr.csv").open(newline="") as lines:
        assert all(math.isfinite(float(line["cnr"])) for line in csv.DictReader(lines))


def study(viewer: Any, hand: Hand, folder: Path) -> None:
    """Make a study of all scans; they are good ones alone, so the fast ones are simulated."""
    from napari_micromri.widgets.study.new_study import NewStudyDialog

    hand.click(dock(viewer, "Scans").form.study)
    windows = QApplication.topLevelWidgets
    wait(lambda: any(isinstance(one, NewStudyDialog) and one.isVisible() for one in windows()))
    window: Any = next(one for one in windows() if isinstance(one, NewStudyDialog) and one.isVisible())
    hand.click(window.form.propose)
    hand.click(window.form.build)
    wait(lambda: not window.isVisible())
    assert len(Study.open(folder.with_name("study.mri.zarr")).pairs()) == len(list(folder.iterdir()))


def denoise_all(viewer: Any, hand: Hand, folder: Path) -> None:
    """Denoise all scans of the folder into one beside it."""
    hand.click(dock(viewer, "Scans").form.many)
    many = dock(viewer, "Denoise").many
    hand.click(many.form.start)
    wait(lambda: many.snapshot is not None and many.snapshot.job.state == "done")
    results = [open_scan(path)[0].read() for path in folder.with_name("study_denoised").glob("*.zarr")]
    assert len(results) == MANY and all(np.isfinite(one).all() for one in results)


JOBS = {
    "a denoised scan": (denoise_one, 4),
    "CNR, exported": (cnr, 6),
    "a study": (study, 7),
    f"{MANY} scans denoised": (denoise_all, 5),
}

if __name__ == "__main__":
    sys.exit(main())
