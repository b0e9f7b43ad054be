"""Take pictures of every dock, every tab of it with every section unfolded: build/docks/*.png, or --output.

Needs a display: ``xvfb-run -a python docs/dock_screenshots.py``. A dock that is new in the manifest is found by itself;
`FILL` may give it something to show. For each theme and size there is a picture of the window with each dock, and a
sheet of all docks at the width that they must fit. With ``--docs`` only the pictures of the documentation are taken.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from make_screenshots import ROOT, fast_scan, lab_folder, save, wait
from measure_screenshots import AIR, TISSUE, good_scan, make_study, rectangle
from napari.layers import Image
from napari.settings import get_settings
from npe2 import PluginManager
from qtpy.QtCore import Qt
from qtpy.QtGui import QPainter, QPixmap
from qtpy.QtWidgets import QTabWidget, QToolButton, QWidget

from napari_micromri.inference import denoise
from napari_micromri.io import save_scan
from napari_micromri.ivim.simulation import phantoms
from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.study.model import Assign
from napari_micromri.study.store import Study
from napari_micromri.widgets.measuring.form import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Docks = dict[str, tuple[QWidget, QWidget]]

PLUGIN = "napari-micromri"
WIDTH, SLICE = 320, 14
SIZES = ((1280, 800), (1600, 1000))
THEMES = ("light", "dark")
"""napari keeps the theme that is set last."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "docks")
    parser.add_argument("--docs", action="store_true", help="only those of `DOCS`, into docs/images")
    parser.add_argument("--only", help="only docks whose name holds this")
    options = parser.parse_args()
    if options.docs and not options.only:  # each in a window of its own, with the layers that matter to it
        for name in DOCS:
            subprocess.run([sys.executable, __file__, "--docs", "--only", name], check=True)
        return
    options.output.mkdir(parents=True, exist_ok=True)
    with lab_folder() as folder:
        os.environ["XDG_CONFIG_HOME"] = str(folder)  # nothing is remembered from before, nor for later
        scans = scans_to_show()
        if options.docs:
            scans = {name: scan for name, scan in scans.items() if (name == "series") == (options.only == "IVIM maps")}
        study = make_study(folder)
        Study.open(study).apply([Assign("mouse 01", "train"), Assign("mouse 02", "validation")])
        viewer = napari.Viewer(title="napari")
        docks = open_docks(viewer, scans, study, options.only or "")
        if options.docs:
            take_for_docs(viewer, docks)
        else:
            for theme in THEMES:
                for size in SIZES:
                    take(viewer, docks, options.output, theme, size)
        viewer.close()


def open_docks(viewer: napari.Viewer, scans: dict[str, Scan], study: Path, only: str) -> Docks:
    """Open all docks whose name holds ``only``, with something to show."""
    viewer.window.resize(*SIZES[0])
    for name, scan in scans.items():
        data, attributes, _ = scan_to_layer(scan)
        viewer.add_image(data, **(attributes | {"name": name, "visible": scan.info.b_values is None}))
    viewer.dims.set_current_step(viewer.dims.ndim - 3, SLICE)
    viewer.reset_view()
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    names = [widget.display_name for widget in manifest.contributions.widgets or () if only in widget.display_name]
    docks = {}
    for name in names:
        docks[name] = viewer.window.add_plugin_dock_widget(PLUGIN, name)
        if name in FILL:
            FILL[name](docks[name][1], study)
    return docks


def take(viewer: napari.Viewer, docks: Docks, output: Path, theme: str, size: tuple[int, int]) -> None:
    """Take the pictures of one theme and size."""
    get_settings().appearance.theme = theme
    window, shots = viewer.window._qt_window, []
    window.resize(*size)
    for name, (around, dock) in docks.items():
        around.raise_()
        window.resizeDocks([around], [WIDTH], Qt.Orientation.Horizontal)
        short = name.split(" ")[0]
        for title in states(dock):
            wait_a_little()
            shots.append((f"{short}: {title}", around.grab()))
        save(viewer, output / f"{short.lower()}_{theme}_{size[0]}.png", settle=0.1)
    print(f"{theme}, asked for {size}: the window is {window.width()} x {window.height()}")
    sheet(shots).save(str(output / f"sheet_{theme}_{size[0]}.png"))


def take_for_docs(viewer: napari.Viewer, docks: Docks) -> None:
    """Take the pictures of `DOCS`, dark, in a window of a laptop's size."""
    get_settings().appearance.theme = THEMES[-1]
    for name, (around, dock) in docks.items():
        around.raise_()
        tabs = dock.findChild(QTabWidget)
        for tab, picture in DOCS.get(name, {}).items():
            if tabs is not None:
                tabs.setCurrentIndex([tabs.tabText(k) for k in range(tabs.count())].index(tab))
            save(viewer, ROOT / "docs" / "images" / picture)
        if name == "Measure CNR":
            laid_out: list[bool] = []
            dock.beside.ready.connect(lambda done=laid_out: done.append(True))
            dock.form.side_by_side.click()
            wait(lambda done=laid_out: bool(done))
            save(viewer, ROOT / "docs" / "images" / "measure_side_by_side.png")
            dock.form.side_by_side.click()


def scans_to_show() -> dict[str, Scan]:
    """Make a diffusion series, a good scan, a fast one and a denoised one; the last is on top."""
    fast = fast_scan()
    denoised = denoise(fast)
    return {"series": series(), "default": good_scan(), "fast": fast, "fast [unet-default]": denoised}


def series() -> Scan:
    """Simulate a diffusion series of a few slices, in mm."""
    made = phantoms(4, 40.0)
    info = ScanInfo(
        name="series", axes="bzyx", voxel_size=(1.0, 0.4, 0.4), b_values=tuple(float(b) for b in made.b_values)
    )
    return Scan((1000 * made.signals).astype(np.float32), info)


def states(dock: QWidget) -> Iterator[str]:
    """Show one tab after the other with everything unfolded, and give its title."""
    tabs = next((one for one in dock.findChildren(QTabWidget) if one.isVisible()), None)
    for k in range(tabs.count() if tabs is not None else 1):
        if tabs is not None:
            tabs.setCurrentIndex(k)
        for fold in dock.findChildren(QToolButton):
            if fold.isCheckable() and fold.isVisible():
                fold.setChecked(True)
        yield tabs.tabText(k) if tabs is not None else ""


def fill_denoise(dock: Any, study: Path) -> None:
    dock.form.model.setCurrentIndex(dock.form.model.findText("apddm", Qt.MatchFlag.MatchContains))
    dock.form.slices.setCurrentIndex(dock.form.slices.count() - 1)
    dock.form.more.setChecked(True)
    dock.form.to_file.setChecked(True)
    folder = study.parent
    for name, scan in (("mouse_07_T2", good_scan()), ("mouse_08_T2", fast_scan())):
        save_scan(Scan(scan.read()[10:13], scan.info), folder / "scans" / f"{name}.nii.gz")
    dock.many.add([str(folder / "scans")])
    dock.many.use_folder(folder / "denoised")
    dock.many.start()
    wait(lambda: dock.many.snapshot is not None and dock.many.snapshot.job.state == "done")


def fill_measure(dock: Any, _study: Path) -> None:
    for layer in dock.viewer.layers:
        if isinstance(layer, Image):
            dock.layers.tick(layer.name, layer.name in ("default", "fast", "fast [unet-default]"))
    grid = dock.layers.finest()
    z = dock.viewer.dims.point[-3]
    rois = [rectangle("tissue", TISSUE, grid, z), rectangle("air", AIR, grid, z, kind="background")]
    dock.rois.add(rois, grid)
    wait(lambda: dock.found is not None and len(dock.found.rows) > 0)
    dock.form.quantity.setCurrentText(PROFILE)
    dock.curves.draw_line()
    layer = dock.curves.line.layer
    (top, _), (left, right) = grid.extent[-2:]
    y, width = top + 0.38 * (grid.extent[-2][1] - top), right - left
    layer.add_lines([[layer.world_to_data((z, y, left + part * width)) for part in (0.2, 0.45)]])
    dock.form.open_tab("Plots")
    wait(lambda: dock.curves.shown is not None)
    dock.form.open_tab("Image quality")
    dock.quality.compare.click()
    wait(dock.quality.compare.isEnabled)


def fill_study(dock: Any, study: Path) -> None:
    dock.open_study(study)
    wait(lambda: dock.curator.session is not None)
    first = dock.curator.session.pairs[0]
    dock.curator.open_pair(first.key, 1)
    wait(lambda: dock.curator.loading is None and dock.curator.pair is not None)


def fill_training(dock: Any, study: Path) -> None:
    dock.setup.studies.use(study)
    wait(dock.setup.form.start.isEnabled)


def fill_ivim(dock: Any, _study: Path) -> None:
    dock.layers.choose(dock.viewer.layers["series"])
    dock.viewer.layers["series"].visible = True
    dock.viewer.dims.set_current_step(dock.viewer.dims.ndim - 3, 2)
    dock.viewer.reset_view()
    dock.form.preview.click()
    wait(lambda: dock._job is None)
    series = dock.viewer.layers["series"]
    centre = series.data_to_world([0, 0, *(n / 2 for n in series.data.shape[2:])])
    dock.voxel.look_at((*dock.viewer.dims.point[:-2], *centre[-2:]))


FILL: dict[str, Callable[[Any, Path], None]] = {
    "Study and slice curation": fill_study,
    "Denoise with UNet/APDDM": fill_denoise,
    "Measure CNR": fill_measure,
    "Training and tuning": fill_training,
    "IVIM maps": fill_ivim,
}


DOCS = {
    "Denoise with UNet/APDDM": {"Many scans": "denoise_many.png"},
    "Measure CNR": {"Plots": "measure_profile.png"},
    "IVIM maps": {"Maps": "ivim_dock.png"},
}
"""Dock -> tab -> its picture in docs/images; the other docks have scripts of their own."""


def sheet(shots: list[tuple[str, QPixmap]], columns: int = 6) -> QPixmap:
    """Lay pictures out beside each other, each under its title."""
    width, height = (max(one.width() for _, one in shots) + 8, max(one.height() for _, one in shots) + 24)
    rows = -(-len(shots) // columns)
    page = QPixmap(width * min(columns, len(shots)), height * rows)
    page.fill(Qt.GlobalColor.darkCyan)
    painter = QPainter(page)
    for k, (title, shot) in enumerate(shots):
        x, y = width * (k % columns), height * (k // columns)
        painter.drawText(x + 4, y + 16, title)
        painter.drawPixmap(x + 4, y + 20, shot)
    painter.end()
    return page


def wait_a_little() -> None:
    import time

    began = time.monotonic()
    wait(lambda: time.monotonic() - began > 0.4)


if __name__ == "__main__":
    main()
