"""Layers > Filter > Denoise with UNet, with APDDM: the selected layer, all slices, everything at its default."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from napari_micromri.errors import MicroMRIError
from napari_micromri.inference import DEFAULT_MODEL

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_micromri.widgets.background import BackgroundJob


APDDM_MODEL = "apddm-default"


def denoise_selected_layer() -> None:
    """Denoise the selected layer of the current napari window in the background and add the result."""
    _denoise_selected_layer(DEFAULT_MODEL)


def denoise_selected_layer_with_apddm() -> None:
    """Denoise the selected layer with the diffusion model, in one step; the panel offers more."""
    _denoise_selected_layer(APDDM_MODEL)


def _denoise_selected_layer(model: str) -> None:
    import napari
    from napari.utils.notifications import show_warning

    viewer = napari.current_viewer()
    if viewer is None or viewer.layers.selection.active is None:
        show_warning("Select one image layer in the layer list first.")
        return
    try:
        start_denoising(viewer, model)
    except MicroMRIError as error:
        show_warning(str(error))


def start_denoising(viewer: ViewerModel, model: str = DEFAULT_MODEL) -> BackgroundJob:
    """Begin to denoise the active layer of ``viewer``; the result is added when it is there.

    Raises
    ------
    InputError
        The layer is no scan.
    """
    from napari_micromri.plugin.denoising import request_of_layer, run_request
    from napari_micromri.widgets.background import BackgroundJob
    from napari_micromri.widgets.results import ResultAdder
    from napari_micromri.widgets.shared.torch_loading import with_torch

    layer = viewer.layers.selection.active
    request = replace(request_of_layer(layer), model=model, model_name=model)
    job = BackgroundJob(with_torch(partial(run_request, request)), request.title)
    job.succeeded.connect(ResultAdder(job, viewer, layer, request).add)
    job.start()
    return job
