"""Take the pictures of the dock "IVIM maps": docs/images/ivim_*.png. Called by docs/make_screenshots.py.

Maps of a real abdomen where MICROMRI_DATA (or ../shared/data) has it, of the digital mouse otherwise; regions on the
digital mouse; signal quality of a short training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from make_screenshots import DATA, SIZE, save, wait

from napari_micromri.ivim.mouse import mouse
from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Image

    from napari_micromri.widgets.ivim.dock import IvimWidget

WIDTH = 400
EPOCHS = 100


def take(output: Path) -> None:
    """Take the pictures."""
    import napari
    from qtpy.QtCore import Qt

    viewer = napari.Viewer(title="napari")
    viewer.window.resize(*SIZE)
    dock_widget, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "IVIM maps")
    viewer.window._qt_window.resizeDocks([dock_widget], [WIDTH], Qt.Orientation.Horizontal)
    show(dock, abdomen() or phantom()[0], ("lsq", "bayes"))
    dock.voxel.look_at(perfused(dock), closer=True)
    wait(lambda: all(plot.labels for plot in dock.form.posterior))
    scroll = dock.tabs.widget(0).verticalScrollBar()
    scroll.setValue(scroll.maximum())
    save(viewer, output / "ivim_maps.png")

    viewer.layers.clear()
    scan, organs = phantom()
    layer = show(dock, scan, ())
    same = {"scale": layer.scale[1:], "units": layer.units[1:], "axis_labels": layer.axis_labels[1:]}
    viewer.add_labels(organs, name="organs", opacity=0.4, **same)
    fit(dock, layer, ("lsq", "bayes"))
    wait(lambda: dock.regions._job is None)
    dock.tabs.setCurrentIndex(1)
    save(viewer, output / "ivim_regions.png")

    dock.tabs.setCurrentIndex(2)
    dock.signals.epochs.setValue(EPOCHS)
    dock.signals.train.click()
    wait(dock.signals.train.isEnabled)
    scroll = dock.tabs.widget(2).verticalScrollBar()
    scroll.setValue(scroll.maximum() // 2)
    save(viewer, output / "ivim_signals.png")
    viewer.close()


def show(dock: IvimWidget, scan: Scan, methods: tuple[str, ...]) -> Image:
    """Open a scan, and fit it."""
    data, attributes, _ = scan_to_layer(scan)
    layer: Image = dock.viewer.add_image(data, **attributes)
    fit(dock, layer, methods)
    return layer


def fit(dock: IvimWidget, layer: Image, methods: tuple[str, ...]) -> None:
    """Fit a layer by each method; the last one's map of D is on top."""
    for method in methods:
        dock.layers.choose(layer)
        dock.form.method.setCurrentText(method)
        dock.form.fit.click()
        wait(lambda: dock._job is None)


def perfused(dock: IvimWidget) -> tuple[float, ...]:
    """Find the voxel with blood whose D the data determine best."""
    fitted = dock.voxel.fits["bayes"]
    f, D = fitted.maps["f"], fitted.maps["D"]
    sd = np.where((f > 0.15) & (f < 0.4) & (D > 1e-3), fitted.sd["D"], np.nan)
    where = np.unravel_index(np.nanargmin(sd), sd.shape)
    placement = dock.voxel.request.placement
    point = tuple(k * s + t for k, s, t in zip(where, placement.scale, placement.translate, strict=True))
    return (0.0, *point)


def abdomen() -> Scan | None:
    """Read the images of one diffusion time and one kind of gradients, mean over repetitions."""
    path = DATA / "ivim_abdomen" / "volunteer1.mat"
    if not path.exists():
        return None
    from scipy.io import loadmat

    file = loadmat(path, squeeze_me=True)
    chosen = (file["T"] == 70) & ((file["betta"] == 1) | (file["b"] == 0))
    images, b = file["data"][chosen].astype(np.float32), file["b"][chosen].astype(float)
    info = ScanInfo(name="abdomen", axes="byx", voxel_size=(1.0, 1.0), b_values=tuple(b.tolist()))
    return Scan(images, info)


def phantom() -> tuple[Scan, np.ndarray]:
    """Simulate the digital mouse with labels of kidneys and tumour, by their known D."""
    made = mouse(3, 40, size=64)
    info = ScanInfo(name="digital mouse", axes="bzyx", voxel_size=(1.5, 0.4, 0.4), b_values=made.b_values)
    D = made.truth["D"]
    labels = np.zeros(D.shape, np.uint8)
    labels[np.abs(D - 1.9e-3) < 0.1e-3], labels[np.abs(D - 0.7e-3) < 0.05e-3] = 1, 2
    return Scan(made.signals * np.float32(1000), info), labels
