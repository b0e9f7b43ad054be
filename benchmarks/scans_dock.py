"""How soon the dock Scans shows the scans of a study of 200, and how long it holds the window.

Given are the times from asking for the folder until the first row, all rows and all thumbnails, and the longest stretch
that the window's thread computes meanwhile (its processor time between two beats of a timer, so that other programs
don't count). Beside it, napari's own stretch for one layer. Needs a display, which ``make bench`` brings.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_micromri.io import save_scan
from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.scan import Scan, ScanInfo

SCANS, FIRST_MS, STRETCH_MS = 200, 500, 50


def main() -> int:
    """Measure and print; 1 when a limit is passed."""
    import napari
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    info = ScanInfo(name="scan", axes="zyx", voxel_size=(0.6, 0.1, 0.1), plane="coronal")
    data = np.random.default_rng(0).integers(0, 4000, (15, 192, 192), dtype=np.int16)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(SCANS):
            save_scan(Scan(data, replace(info, name=f"T2_RARE {number}")), Path(folder) / f"{number:03}.nii")
        viewer = napari.Viewer()
        _, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Scans")
        stretches: list[float] = []
        last = 0.0

        def beat() -> None:
            nonlocal last
            now = time.thread_time()
            stretches.append(1000 * (now - last))
            last = now

        def longest(done: object) -> float:
            nonlocal last
            stretches.clear()
            last = time.thread_time()
            while not (callable(done) and done()):
                QApplication.processEvents()
                time.sleep(0.001)
            return max(stretches, default=0.0)

        timer = QTimer()
        timer.timeout.connect(beat)
        timer.start(5)
        settled = time.perf_counter() + 3
        longest(lambda: time.perf_counter() > settled)
        began = time.perf_counter()
        dock.open_paths(folder)
        held, times = [], []
        for done in (
            lambda: bool(dock.finding.found),
            lambda: dock.finding.is_listed,
            lambda: len(dock.finding.pictures) == SCANS,
        ):
            held.append(longest(done))
            times.append(1000 * (time.perf_counter() - began))
        layer, attributes, _ = scan_to_layer(dock.finding.found[0].scan)
        began_own = time.thread_time()
        viewer.add_image(layer, **attributes)
        QApplication.processEvents()
        own = 1000 * (time.thread_time() - began_own)
        timer.stop()
        viewer.close()
    for what, ms in zip(("the first row", f"{SCANS} rows", f"{SCANS} thumbnails"), times, strict=True):
        print(f"{what:24} {ms:7.0f} ms")
    print(f"longest stretch          {max(held):7.0f} ms (limit {STRETCH_MS}); napari's for one layer {own:.0f} ms")
    return int(times[0] > FIRST_MS or max(held) > STRETCH_MS)


if __name__ == "__main__":
    sys.exit(main())
