"""Take the pictures of the measuring dock: docs/images/measure_*.png. Called by docs/make_screenshots.py.

A fast scan is simulated from the real mouse trunk (or the digital mouse where that isn't there), denoised with the
shipped model, and measured with two rectangles; the table behind the pictures is printed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from make_screenshots import DATA, SIZE, SNR, fast_scan, lab_folder, save, wait

from napari_micromri.inference import denoise
from napari_micromri.io import open_scan, save_scan
from napari_micromri.measure.roi import Roi
from napari_micromri.measure.table_file import write_rows
from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.scan import Scan
from napari_micromri.simulation.samples import digital_mouse
from napari_micromri.study.build import build
from napari_micromri.study.model import Assign
from napari_micromri.study.plan import Plan, PlannedPair, Simulation, Source
from napari_micromri.study.store import Study
from napari_micromri.widgets.measuring import evaluate_tab

if TYPE_CHECKING:
    from pathlib import Path

    import napari

    from napari_micromri.widgets.measuring.dock import MeasureWidget

SLICES = slice(10, 16)
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
    dock.form.open_tab("Image quality")
    dock.quality.compare.click()
    wait(dock.quality.compare.isEnabled)
    dock.quality.residual.click()
    wait(dock.quality.residual.isEnabled)
    save(viewer, output / "measure_quality.png")
    with lab_folder() as folder:
        take_evaluation(viewer, dock, make_study(folder), output)
    viewer.close()


def take_evaluation(viewer: napari.Viewer, dock: MeasureWidget, study: Path, output: Path) -> None:
    """Take the picture of the tab that evaluates models on a study."""
    viewer.layers.clear()
    tab = dock.evaluation
    # The study that the person had open last stays what it is.
    evaluate_tab.recent, evaluate_tab.remember = lambda: study, lambda _: None
    dock.form.open_tab("Evaluate")
    tab.form.evaluate.click()
    wait(tab.form.open_report.isEnabled)
    tab.form.study.setText("~/mice.mri.zarr")
    tab.form.folder.setText(f"~/{tab.folder.name}")
    save(viewer, output / "measure_evaluate.png")


def make_study(folder: Path) -> Path:
    """Simulate a study of some slices of three digital mice, all of them in the test set."""
    pairs = []
    for number in range(1, 4):
        good = digital_mouse(seed=number)[1]
        scan = save_scan(Scan(good.read()[SLICES], good.info), folder / f"mouse {number}.nii.gz")
        names = {"subject": f"mouse {number:02}", "region": "trunk", "plane": "coronal"}
        pairs.append(PlannedPair(**names, lr=Simulation(snr=SNR, seed=number), hr=Source(str(scan))))
    build(Plan(tuple(pairs)), folder / "mice.mri.zarr")
    study = Study.open(folder / "mice.mri.zarr")
    study.apply([Assign(subject, "test") for subject in study.subjects])
    return study.path


def good_scan() -> Scan:
    """Read the good scan that the fast one was simulated from."""
    files = sorted((DATA / "t2w_mouse_trunk").glob("*.nii*"))
    if files:
        good = open_scan(files[0])[0]
        return Scan(good.read(), good.info)
    return digital_mouse()[1]


def rectangle(name: str, parts: tuple[float, float, float, float], scan: Scan, z: float, **more: str) -> Roi:
    """Make a rectangle of parts of the field of view."""
    (top, bottom), (left, right) = scan.extent[-2:]
    y0, y1 = (top + part * (bottom - top) for part in parts[:2])
    x0, x1 = (left + part * (right - left) for part in parts[2:])
    return Roi(name, ((y0, x0), (y0, x1), (y1, x1), (y1, x0)), depth=(z, z), **more)
