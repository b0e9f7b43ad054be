"""The measuring dock in a real napari window."""

from __future__ import annotations

import numpy as np
import pytest

from napari_micromri.measure.roi import Roi
from napari_micromri.plugin.layers import scan_to_layer

pytestmark = pytest.mark.gui


def box(name, low, high, **more):
    return Roi(name, ((low, low), (low, high), (high, high), (high, low)), depth=(0.6, 0.6), **more)


def test_from_the_menu_to_figures_and_away(make_napari_viewer, make_scan, qtbot):
    from napari._app_model import get_app_model

    viewer = make_napari_viewer()
    scan = make_scan((3, 60, 60), name="good", origin=(0.0, 0.05, 0.05))
    data, attributes, _ = scan_to_layer(scan)
    viewer.add_image(data, **attributes)
    viewer.dims.set_point(0, 0.6)
    get_app_model().commands.execute_command("napari-micromri.measure_layers")
    dock_widget, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Measure CNR")
    assert viewer.layers.selection.active is dock.rois.layer
    assert dock.rois.layer.mode == "add_rectangle"
    assert "drag" in dock.form.hint.text()
    dock.rois.add([box("tissue", 2.5, 3.5), box("air", 0.0, 1.0, kind="background")], dock.layers.finest())
    qtbot.waitUntil(lambda: dock.found is not None and len(dock.found.rows) == 1)
    [row] = dock.found.rows
    assert row.stats.mean == pytest.approx(scan.data[1, 25:35, 25:35].mean())
    assert np.isfinite(row.cnr)
    layer = dock.rois.layer
    dock_widget.destroyOnClose()
    assert dock._dims_events == ()
    layer.data = []
    viewer.layers.clear()


def test_a_study_is_evaluated_from_the_window(make_napari_viewer, tmp_path, qtbot, monkeypatch):
    from evaluation_samples import make_test_study
    from napari_micromri.nn.checkpoint import ModelCard, ModelSpec, save_checkpoint
    from napari_micromri.nn.families.unet.network import UNet, UNetConfig
    from napari_micromri.widgets.measuring import evaluate_tab

    study = make_test_study(tmp_path / "mice.mri.zarr")
    config = UNetConfig(features_main=(2, 2), convolutions=1)
    spec = ModelSpec(name="tiny", kind="unet", config=config.model_dump(), card=ModelCard(summary="random weights"))
    model = save_checkpoint(tmp_path / "tiny.safetensors", UNet(config).state_dict(), spec)
    monkeypatch.setattr(evaluate_tab, "available_models", lambda: [])
    monkeypatch.setattr(evaluate_tab, "recent", lambda: study.path)
    monkeypatch.setattr(evaluate_tab, "remember", lambda _: None)
    opened = []
    monkeypatch.setattr(evaluate_tab.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))

    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget("napari-micromri", "Measure CNR")
    dock.form.open_tab("Evaluate")
    form = dock.evaluation.form
    dock.evaluation.add_model(model)
    qtbot.waitUntil(form.evaluate.isEnabled)
    assert not dock.form.about_layers.isVisible()
    form.evaluate.click()
    qtbot.waitUntil(form.open_report.isEnabled, timeout=60_000)
    assert [form.table.item(k, 0).text() for k in range(form.table.rowCount())] == ["LR nearest", "LR sinc", "tiny"]
    form.open_report.click()
    assert opened == [str(tmp_path / "mice-test-tiny" / "report.html")]
    dock.form.open_tab("Table")
    assert dock.form.about_layers.isVisible()
