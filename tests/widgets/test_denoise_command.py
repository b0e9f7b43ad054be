from __future__ import annotations

import napari
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_micromri.errors import InputError
from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.widgets.denoise_command import (
    denoise_selected_layer,
    denoise_selected_layer_with_apddm,
    start_denoising,
)


def add(viewer, scan):
    data, attributes, _ = scan_to_layer(scan)
    return viewer.add_image(data, **attributes)


def test_the_selected_layer_is_denoised_with_the_defaults(denoiser, qtbot, make_scan):
    viewer = ViewerModel()
    add(viewer, make_scan(name="fast"))
    with qtbot.waitSignal(start_denoising(viewer).ended):
        pass
    assert [layer.name for layer in viewer.layers] == ["fast", "fast [unet-default]"]
    assert denoiser.calls[0]["options"].select == {}


def test_the_other_command_takes_the_diffusion_model(denoiser, qtbot, make_scan, monkeypatch):
    viewer = ViewerModel()
    add(viewer, make_scan(name="fast"))
    monkeypatch.setattr(napari, "current_viewer", lambda: viewer)
    denoise_selected_layer_with_apddm()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    assert viewer.layers[-1].name == "fast [apddm-default]"
    assert denoiser.calls[0]["model"] == "apddm-default"


def test_a_removed_layer_ends_the_run(denoiser, qtbot, make_scan):
    viewer = ViewerModel()
    layer = add(viewer, make_scan())
    denoiser.hold()
    job = start_denoising(viewer)
    qtbot.waitUntil(denoiser.waiting.is_set)
    with qtbot.waitSignal(job.ended):
        viewer.layers.remove(layer)
    assert len(viewer.layers) == 0


def test_a_layer_that_is_no_scan_is_refused(denoiser):
    viewer = ViewerModel()
    viewer.add_image(np.ones((8, 6)), rotate=30)
    with pytest.raises(InputError, match="rotated"):
        start_denoising(viewer)


@pytest.mark.parametrize(
    ("layer", "says"), [(None, "Select one image layer"), ({"rotate": 30, "name": "turned"}, "'turned' is rotated")]
)
def test_the_command_says_what_is_missing(denoiser, monkeypatch, shown, layer, says):
    viewer = ViewerModel()
    if layer is not None:
        viewer.add_image(np.ones((8, 6)), **layer)
    monkeypatch.setattr(napari, "current_viewer", lambda: viewer)
    denoise_selected_layer()
    assert len(shown) == 1
    assert str(shown[0].message).startswith(says)
