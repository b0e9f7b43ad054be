"""Take the pictures of the diffusion model in the denoising dock: docs/images/apddm_*.png, on one slice of a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari
from make_screenshots import SIZE, fast_scan, save, wait

from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.widgets.denoise_model import Slices

if TYPE_CHECKING:
    from pathlib import Path


def take(output: Path) -> None:
    viewer = napari.Viewer(title="napari")
    viewer.window.resize(*SIZE)
    _, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Denoise with UNet/APDDM")
    data, attributes, _ = scan_to_layer(fast_scan())
    layer = viewer.add_image(data, **attributes)
    viewer.scene.camera.zoom *= 1.5
    form = dock.form
    form.model.setCurrentIndex(next(k for k, model in enumerate(dock.models.models) if model.name == "apddm-default"))
    form.slices.setCurrentIndex(list(Slices).index(Slices.CURRENT))

    form.sampling.slider.setValue(form.sampling.slider.maximum())
    form.denoise.click()
    wait(form.denoise.isEnabled)
    save(viewer, output / "apddm_textured.png")

    viewer.layers.remove(viewer.layers[-1])
    viewer.layers.selection.active = layer
    form.sampling.slider.setValue(3)
    form.sampling.uncertainty.setChecked(True)
    form.denoise.click()
    wait(form.denoise.isEnabled)
    viewer.layers[-1].visible = False
    viewer.layers[-2].visible = True
    viewer.layers.selection.active = viewer.layers[-2]
    save(viewer, output / "apddm_uncertainty.png")
    viewer.close()
