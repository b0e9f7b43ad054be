"""How long the window's event loop is held while the dock denoises.

A timer that should beat every 5 ms notes when it does. Given is the gap between beats, first while nothing runs and
then during a run with the shipped model, its first imports, and the adding of the result. Needs a display, which
`make bench` brings.
"""

from __future__ import annotations

import sys
import time

import numpy as np

WANTED_MS = 50


def main() -> int:
    """Measure and print; 1 when the median or the 99th percentile of the gaps during the run is too long."""
    import napari
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    from napari_micromri.plugin.layers import scan_to_layer
    from napari_micromri.simulation.samples import digital_mouse

    viewer = napari.Viewer()
    data, attributes, _ = scan_to_layer(digital_mouse()[0])
    viewer.add_image(data, **attributes)
    _, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Denoise with UNet/APDDM")
    beats: list[float] = []
    timer = QTimer()
    timer.timeout.connect(lambda: beats.append(time.perf_counter()))
    timer.start(5)

    def wait(done: object, limit: float) -> list[float]:
        beats.clear()
        end = time.perf_counter() + limit
        while time.perf_counter() < end and not (callable(done) and done()):
            QApplication.processEvents()
            time.sleep(0.001)
        return [1000 * gap for gap in np.diff(beats)]

    wait(None, 2)
    gaps = {"at rest": wait(None, 3)}
    for name in ("first run, with imports", "second run"):
        dock.start_denoising()
        gaps[name] = wait(lambda: dock._job is None, 300)
    print(f"{'gaps in ms':26} {'median':>7} {'99 %':>7} {'longest':>8} {'over 50 ms':>11}")
    for name, found in gaps.items():
        late = sum(gap > WANTED_MS for gap in found)
        print(f"{name:26} {np.median(found):7.1f} {np.percentile(found, 99):7.1f} {max(found):8.0f} {late:11}")
    timer.stop()
    viewer.close()
    return int(np.percentile(gaps["second run"], 99) > WANTED_MS)


if __name__ == "__main__":
    sys.exit(main())
