"""Use a new installation as a person does first: open all docks in napari, denoise the sample, measure its CNR.

`tools/check-distribution` runs it with the wheel in an environment of its own. It needs a display.
"""

from __future__ import annotations

from dataclasses import replace

import napari
import npe2

import napari_micromri
from napari_micromri.measure.roi import Roi
from napari_micromri.measure.roi_stats import cnr, measure
from napari_micromri.plugin.denoising import request_of_layer, result_layers, run_request
from napari_micromri.plugin.layers import layer_to_scan

PLUGIN = "napari-micromri"
SLICE = 14
ORGAN, AIR = ((14.0, 14.0), (16.0, 16.0)), ((1.0, 1.0), (3.0, 3.0))
"""Opposite corners in mm within the field of view of 30 mm."""


def main() -> None:
    """Print what was done; anything that is missing raises."""
    viewer = napari.Viewer(show=False)
    docks = npe2.PluginManager.instance().get_manifest(PLUGIN).contributions.widgets or []
    for dock in docks:
        viewer.window.add_plugin_dock_widget(PLUGIN, dock.display_name)
    viewer.open_sample(PLUGIN, "digital-mouse")
    fast = viewer.layers["Digital mouse, fast (LR)"]
    request = replace(request_of_layer(fast), select={"z": range(SLICE, SLICE + 1)})
    [denoised, *_] = (
        viewer.add_layer(napari.layers.Layer.create(*layer)) for layer in result_layers(request, run_request(request))
    )
    print(f"{napari_micromri.__file__}, napari {napari.__version__}: {len(docks)} docks opened")
    for layer, index in ((fast, SLICE), (denoised, 0)):
        organ, air = (measure(rectangle(*corners), layer_to_scan(layer), index=index) for corners in (ORGAN, AIR))
        print(f"{layer.name}: CNR {cnr(organ, air):.1f}")
    viewer.close()


def rectangle(first: tuple[float, float], last: tuple[float, float]) -> Roi:
    """Make a region of two opposite corners."""
    (top, left), (bottom, right) = first, last
    return Roi("rectangle", ((top, left), (top, right), (bottom, right), (bottom, left)))


if __name__ == "__main__":
    main()
