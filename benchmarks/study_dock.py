"""How long the study dock takes to open a study of 144 pairs and to answer to a mark, in a real window.

Given are the time from asking for the study until its tree is shown; the time of one mark, from the key to the saved
file and the changed lists; and the gaps between the beats of a timer (every 5 ms) while pairs are opened and curated.
Needs a display, which ``make bench`` brings.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _large_study import make_large_study

OPEN_MS, MARK_MS = 1000, 50
MARKS = 60
PAIRS = 8


def main() -> int:
    """Measure and print; 1 when a limit is passed."""
    import napari
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    with tempfile.TemporaryDirectory() as folder:
        path = make_large_study(Path(folder) / "mice.mri.zarr").path
        viewer = napari.Viewer()
        _, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Study and slice curation")

        def wait(done: object) -> None:
            while not (callable(done) and done()):
                QApplication.processEvents()
                time.sleep(0.001)

        began = time.perf_counter()
        dock.open_study(path)
        wait(lambda: dock.curator.session is not None)
        QApplication.processEvents()
        opened = 1000 * (time.perf_counter() - began)

        beats: list[float] = []
        timer = QTimer()
        timer.timeout.connect(lambda: beats.append(time.perf_counter()))
        timer.start(5)
        marks, keys = [], [pair.key for pair in dock.curator.session.pairs[:PAIRS]]
        for key in keys:
            dock.curator.open_pair(key, 0)
            wait(lambda key=key: dock.curator.pair is not None and dock.curator.pair.key == key)
            for _ in range(MARKS // PAIRS):
                began = time.perf_counter()
                dock.curator.toggle()
                marks.append(1000 * (time.perf_counter() - began))
                QApplication.processEvents()
                dock.curator.next()
                QApplication.processEvents()
        gaps = 1000 * np.diff(beats)
        timer.stop()
        viewer.close()
    mark, worst = float(np.median(marks)), float(np.percentile(marks, 95))
    print(f"opening 144 pairs        {opened:7.0f} ms (limit {OPEN_MS})")
    print(f"a mark                   {mark:7.1f} ms, 95 % under {worst:.1f} ms (limit {MARK_MS})")
    print(f"gaps in the event loop   {np.median(gaps):7.1f} ms, 99 % under {np.percentile(gaps, 99):.0f} ms")
    return int(opened > OPEN_MS or mark > MARK_MS)


if __name__ == "__main__":
    sys.exit(main())
