"""Put what a run gave into the viewer, and end the run when its layer is taken away."""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_micromri.plugin.denoising import DenoiseRequest, DenoiseResult, result_layers

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_micromri.widgets.background import BackgroundJob

RESULT_KEY = "micromri_result"
"""Marks, in a layer's metadata and for this session only, what this plugin put into the viewer."""


class ResultAdder(QObject):
    """Adds a run's layers to the viewer when it succeeds; stops the run when its input layer is removed."""

    def __init__(self, job: BackgroundJob, viewer: ViewerModel, layer: Layer, request: DenoiseRequest) -> None:
        super().__init__(job)
        self._job, self._viewer, self._layer, self._request = job, viewer, layer, request
        viewer.layers.events.removed.connect(self._layer_removed)
        job.ended.connect(self._forget)

    def add(self, result: DenoiseResult) -> None:
        """Add the layers."""
        add_result(self._viewer, self._request, result)

    def _layer_removed(self) -> None:
        if self._layer not in self._viewer.layers:
            self._job.stop()

    def _forget(self) -> None:
        self._viewer.layers.events.removed.disconnect(self._layer_removed)


def is_result(layer: Layer) -> bool:
    """Tell whether a layer was put into the viewer by this plugin."""
    return RESULT_KEY in layer.metadata


def is_preview(layer: Layer) -> bool:
    """Tell whether a layer is a preview."""
    return bool(layer.metadata.get(RESULT_KEY) == "preview")


def add_result(viewer: ViewerModel, request: DenoiseRequest, result: DenoiseResult, mark: str = "result") -> Image:
    """Add a run's layers on top and give the denoised one."""
    layer = None
    for data, attributes, _ in result_layers(request, result):
        attributes["metadata"][RESULT_KEY] = mark
        layer = viewer.add_image(data, **(attributes | {"name": new_name(viewer, attributes["name"])}))
    return layer


def new_name(viewer: ViewerModel, name: str) -> str:
    """Tell a layer from those of earlier runs with the same choices: napari's own ``[1]`` would say nothing."""
    taken = {layer.name for layer in viewer.layers}
    return next(one for one in chain([name], (f"{name}, run {k}" for k in count(2))) if one not in taken)


def has_preview(viewer: ViewerModel) -> bool:
    """Tell whether a preview is shown."""
    return any(is_preview(layer) for layer in viewer.layers)


def remove_previews(viewer: ViewerModel) -> None:
    """Take the preview away."""
    for old in [layer for layer in viewer.layers if is_preview(layer)]:
        viewer.layers.remove(old)


def show_preview(viewer: ViewerModel, request: DenoiseRequest, result: DenoiseResult) -> Image:
    """Put a preview in the place of the last one; what was selected stays selected.

    A map that was asked for is laid over the image, which shines through where there is little to tell.
    """
    old = [layer for layer in viewer.layers if is_preview(layer)]
    *maps, image = result_layers(request, result)
    made = [image, *((data, attributes | {"blending": "additive"}, kind) for data, attributes, kind in maps)]
    if len(old) == len(made) and all(layer.ndim == len(result.scan.shape) for layer in old):
        for layer, (data, attributes, _) in zip(old, made, strict=True):
            _replace(viewer, layer, data, attributes)
        return old[0]
    remove_previews(viewer)
    selected, active = set(viewer.layers.selection), viewer.layers.selection.active
    shown = [viewer.add_image(data, **_as_preview(attributes)) for data, attributes, _ in made]
    if selected:
        viewer.layers.selection = selected
        viewer.layers.selection.active = active
    return shown[0]


def _as_preview(attributes: dict[str, Any]) -> dict[str, Any]:
    metadata = attributes["metadata"] | {RESULT_KEY: "preview"}
    return attributes | {"metadata": metadata, "name": f"{attributes['name']} preview", "visible": True}


def _replace(viewer: ViewerModel, layer: Image, data: Any, attributes: dict[str, Any]) -> None:
    """Give a preview new content: removing a layer and adding one takes napari half a second."""
    layer.data = data
    given = _as_preview(attributes)
    for key in ("scale", "translate", "units", "axis_labels", "contrast_limits", "colormap", "metadata", "name"):
        setattr(layer, key, given[key])
    layer.visible = True
    viewer.layers.move(viewer.layers.index(layer), len(viewer.layers))
