"""Take the pictures of the measuring dock: docs/images/measure_*.png. Called by docs/make_screenshots.py.

A fast scan is simulated from the real mouse trunk (or the digital mouse where that isn't there), denoised with the
shipped model, and measured with two rectangles; the table behind the pictures is printed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from make_screenshots import DATA, SIZE, fast_scan, save, wait

from napari_micromri.inference import denoise
from napari_micromri.io import open_scan
from napari_micromri.measure.roi import Roi
from napari_micromri.measure.table_file import write_rows
from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from pathlib import Path

TISSUE, AIR = (0.35, 0.41, 0.65, 0.70), (0.68, 0.78, 0.16, 0.30)
"""Top, bottom, left and right of the two rectangles, as parts of the field of view."""

WIDTH = 420


def take(output: Path) -> None:
    """Take the pictures."""
    import napari
    from qtpy.QtCore import Qt

    viewer = napari.Viewer(title="napari")
    viewer.window.resize(*SIZE)
    fast = fast_scan()
    denoised = denoise(fast)
    dock_widget, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Measure CNR")
    for name, scan in (("fast", fast), ("default", good_scan()), ("fast [unet-default]", denoised)):
        data, attributes, _ = scan_to_layer(scan)
        viewer.add_image(data, **(attributes | {"name": name}))
    grid = dock.layers.finest()
    z = viewer.dims.point[0]
    rois = [rectangle("tissue", TISSUE, grid, z), rectangle("air", AIR, grid, z, kind="background")]
    dock.rois.add(rois, grid)
    wait(lambda: dock.found is not None and len(dock.found.rows) == 3)
    viewer.window._qt_window.resizeDocks([dock_widget], [WIDTH], Qt.Orientation.Horizontal)
    write_rows(dock.found.rows, sys.stdout)
    print(dock.form.explanation.text())
    save(viewer, output / "measure_table.png")
    dock.form.tabs.setCurrentIndex(1)
    save(viewer, output / "measure_bars.png")
    dock.form.tabs.setCurrentIndex(3)
    dock.quality.compare.click()
    wait(dock.quality.compare.isEnabled)
    dock.quality.residual.click()
    wait(dock.quality.residual.isEnabled)
    save(viewer, output / "measure_quality.png")
    viewer.close()


def good_scan() -> Scan:
    """Read the good scan that the fast one was simulated from."""
    files = sorted((DATA / "t2w_mouse_trunk").glob("*.nii*"))
    if files:
        good = open_scan(files[0])[0]
        return Scan(good.read(), good.info)
    from napari_micromri.simulation.samples import digital_mouse

    return digital_mouse()[1]


def rectangle(name: str, parts: tuple[float, float, float, float], scan: Scan, z: float, **more: str) -> Roi:
    """Make a rectangle of parts of the field of view."""
    (top, bottom), (left, right) = scan.extent[-2:]
    y0, y1 = (top + part * (bottom - top) for part in parts[:2])
    x0, x1 = (left + part * (right - left) for part in parts[2:])
    return Roi(name, ((y0, x0), (y0, x1), (y1, x1), (y1, x0)), depth=(z, z), **more)
