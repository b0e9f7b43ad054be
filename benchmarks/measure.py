"""How long measuring takes: a thousand ROIs on a scan of 30 slices, and the figures while one ROI is dragged.

The drag is measured in the dock without a window: from a shape's new place to the new figures in the table, for three
layers of 300 x 300 pixels. What napari needs to draw comes on top. Run by `make bench`.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_micromri.measure.roi import Roi
    from napari_micromri.scan import Scan

WANTED_DRAG_MS = 100
COUNT = 1000
STEPS = 30


def main() -> int:
    """Measure and print; 1 when the figures come too late while dragging."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from napari_micromri.measure.comparison import ComparedImage, Settings, compare
    from napari_micromri.measure.measurer import Measurer

    images = [ComparedImage(name, scan) for name, scan in scans()]
    for what, rois in (
        (f"{COUNT} ROIs, each on one of 30 slices, 1 image", regions(COUNT)),
        (f"{COUNT} ROIs, each on all 30 slices, 1 image", regions(COUNT, everywhere=True)),
    ):
        began = time.perf_counter()
        found = compare(images[2:], rois, Settings(), measurer=Measurer())
        print(f"{what:48} {time.perf_counter() - began:6.2f} s, {len(found.rows)} rows")
    latest = 0.0
    for count in (2, 20, COUNT):
        median, worst = drag(count)
        print(f"{f'drag one of {count} ROIs, 3 layers of 300 x 300':48} {median:6.1f} ms, at most {worst:.1f} ms")
        latest = max(latest, median if count < COUNT else 0.0)
    return int(latest > WANTED_DRAG_MS)


def scans() -> list[tuple[str, Scan]]:
    """Make LR, DL and HR of one field of view; DL and HR have 30 slices of 300 x 300 pixels."""
    from napari_micromri.scan import Scan, ScanInfo

    rng = np.random.default_rng(0)
    good = ScanInfo(name="HR", axes="zyx", voxel_size=(0.6, 0.1, 0.1))
    coarse = good.resampled({"y": 0.5, "x": 0.5})
    return [
        ("LR", Scan(rng.random((30, 150, 150), dtype=np.float32), coarse)),
        ("DL", Scan(rng.random((30, 300, 300), dtype=np.float32), good.with_step({"step": "denoise"}))),
        ("HR", Scan(rng.random((30, 300, 300), dtype=np.float32), good)),
    ]


def regions(count: int, *, everywhere: bool = False) -> list[Roi]:
    """Make squares of 20 x 20 pixels, one in 30 a background."""
    from napari_micromri.measure.roi import Roi

    rng = np.random.default_rng(1)
    made: list[Roi] = []
    for k in range(count):
        y, x = (float(value) for value in rng.uniform(0, 27, 2))
        z = 0.6 * (k % 30)
        made.append(
            Roi(
                f"ROI {k}",
                ((y, x), (y, x + 2), (y + 2, x + 2), (y + 2, x)),
                kind="background" if k < max(count // 30, 1) else "roi",
                depth=None if everywhere else (z, z) if count > 30 else (0.0, 0.0),
            )
        )
    return made


def drag(count: int) -> tuple[float, float]:
    """Give median and longest time in ms from a shape's new place to the new table."""
    from napari.components import ViewerModel
    from qtpy.QtWidgets import QApplication

    from napari_micromri.plugin.layers import scan_to_layer
    from napari_micromri.widgets.measuring.dock import MeasureWidget

    application = QApplication.instance() or QApplication([])
    viewer = ViewerModel()
    dock = MeasureWidget(viewer)
    for name, scan in scans():
        data, attributes, _ = scan_to_layer(scan)
        viewer.add_image(data, **(attributes | {"name": name}))
    grid = dock.layers.finest()
    assert grid is not None
    layer = dock.rois.make(grid, regions(count))
    dock.show()
    while dock.rois.watch.waiting or dock.live.busy or dock.found is None or not dock.found.rows:
        application.processEvents()
        time.sleep(0.001)
    times = []
    for _step in range(STEPS):
        corners = list(layer.data)
        corners[-1] = corners[-1] + np.array([0, 1, 0], dtype=corners[-1].dtype)
        with layer.events.data.blocker():
            layer.data = corners
        before = dock.found
        began = time.perf_counter()
        dock.measure()
        application.processEvents()
        times.append(1000 * (time.perf_counter() - began))
        assert dock.found is not before
    dock.shut_down()
    dock.close()
    return float(np.median(times)), max(times)


if __name__ == "__main__":
    sys.exit(main())
