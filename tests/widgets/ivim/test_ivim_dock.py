"""The dock "IVIM maps", on a phantom whose parameters are known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtGui import QColor, QPalette

from napari_micromri.errors import InputError
from napari_micromri.ivim import FitOptions, biexponential, make_model
from napari_micromri.ivim.series import Series
from napari_micromri.ivim.volume import fit_volume
from napari_micromri.plugin.layers import METADATA_KEY, scan_to_layer
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.widgets.ivim.dock import IvimWidget
from napari_micromri.widgets.ivim.model import BRIGHT, EVERYWHERE, request_of_layers
from napari_micromri.widgets.ivim.voxel_model import posterior_charts, voxel_curves
from napari_micromri.widgets.ivim.voxel_plot import VoxelPlot

B_VALUES = (0.0, 10.0, 20.0, 40.0, 80.0, 200.0, 400.0, 800.0)
D, F, DP = 1.2e-3, 0.25, 0.03


@pytest.fixture
def scan():
    """Two slices of 6 x 5: tissue of one kind on the right, air on the left."""
    signal = biexponential(B_VALUES, D, F, DP, 1000.0).astype(np.float32)
    data = np.zeros((len(B_VALUES), 2, 6, 5), np.float32)
    data[..., 2:] = signal[:, None, None, None]
    data[..., 1, :, 2:] *= 2  # twice as bright, otherwise the same
    return Scan(data, ScanInfo(name="dwi", axes="bzyx", voxel_size=(2.0, 0.5, 0.5), b_values=B_VALUES))


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(viewer, qtbot):
    widget = IvimWidget(viewer)
    qtbot.addWidget(widget, before_close_func=lambda widget: widget.shut_down())
    widget.show()
    return widget


def add(viewer, scan):
    data, attributes, _ = scan_to_layer(scan)
    return viewer.add_image(data, **attributes)


def fitted(dock, viewer, qtbot, *, preview=False, method="lsq"):
    dock.form.method.setCurrentText(method)
    button = dock.form.preview if preview else dock.form.fit
    assert button.isEnabled()
    button.click()
    qtbot.waitUntil(lambda: dock._job is None, timeout=60_000)
    return {layer.name.split(" ")[0]: layer for layer in viewer.layers if "[" in layer.name}


def test_without_a_series_the_dock_says_what_to_do(viewer, dock, scan):
    assert "Open a diffusion series" in dock.form.hint.text()
    assert not dock.form.fit.isEnabled()
    add(viewer, Scan(scan.data, ScanInfo(name="plain", axes="tzyx", voxel_size=(2.0, 0.5, 0.5))))
    assert ".bval" in dock.form.hint.text()
    assert not dock.form.fit.isEnabled()
    dock.form.b_values.setText("0 10 20 40 80 200 400 800")
    assert dock.form.fit.isEnabled()


def test_the_maps_are_layers_in_the_units_of_the_field_where_the_scan_lies(viewer, dock, qtbot, scan):
    source = add(viewer, scan)
    assert dock.form.b_values.text() == "0, 10, 20, 40, 80, 200, 400, 800"
    maps = fitted(dock, viewer, qtbot)
    assert set(maps) == {"D", "f", "D*"}
    for name, value in (("D", 1e3 * D), ("f", 100 * F), ("D*", 1e3 * DP)):
        layer = maps[name]
        assert layer.data.shape == (2, 6, 5)
        np.testing.assert_allclose(layer.data[..., 2:], value, rtol=0.02)
        assert np.isnan(layer.data[..., :2]).all()  # air, below the threshold
        np.testing.assert_allclose(layer.scale, source.scale[1:])
        np.testing.assert_allclose(layer.translate, source.translate[1:])
    assert [layer.visible for layer in maps.values()].count(True) == 1
    assert "36 voxels" in dock.form.status.text()


def test_a_preview_fits_only_the_slice_that_is_shown(viewer, dock, qtbot, scan):
    add(viewer, scan)
    viewer.dims.set_current_step(1, 1)
    maps = fitted(dock, viewer, qtbot, preview=True)
    assert np.isnan(maps["D"].data[0]).all()
    assert np.isfinite(maps["D"].data[1, :, 2:]).all()
    again = fitted(dock, viewer, qtbot)
    assert len(viewer.layers) == 4  # the same layers, filled
    assert np.isfinite(again["D"].data[0, :, 2:]).all()


def test_only_what_is_drawn_is_fitted_and_deviations_come_when_asked_for(viewer, dock, qtbot, scan):
    # The noise is what the posterior's width comes from.
    noise = np.random.default_rng(0).normal(0, 10, (2, *scan.data.shape))
    source = add(viewer, Scan(np.hypot(scan.data + noise[0], noise[1]).astype(np.float32), scan.info))
    labels = np.zeros((2, 6, 5), int)
    labels[:, 1:5, 2:5] = 1  # 24 voxels: fewer say too little of the noise
    viewer.add_labels(labels, name="liver", scale=source.scale[1:])
    dock.form.where.setCurrentText("liver")
    dock.form.layer.setCurrentIndex(0)
    dock.form.deviations.setChecked(True)
    dock.form.quality.setChecked(True)
    fitted(dock, viewer, qtbot, method="bayes")
    names = [layer.name for layer in viewer.layers]
    assert sum(name.startswith("SD of") for name in names) == 3
    assert sum(name.startswith("misfit") for name in names) == 1
    d_map = next(layer for layer in viewer.layers if layer.name.startswith("D ("))
    np.testing.assert_array_equal(np.isfinite(d_map.data), labels > 0)


def test_a_click_shows_the_signals_and_the_curve_of_each_method(viewer, dock, qtbot, scan):
    add(viewer, scan)
    for method in ("lsq", "segmented"):
        fitted(dock, viewer, qtbot, method=method)
    dock.voxel.look_at((0.0, 2.0, 0.5, 1.5))  # slice 1, row 1, column 3, in mm
    assert set(dock.voxel.fits) == {"lsq", "segmented"}
    assert "lsq: D 1.2" in dock.form.voxel.text()
    dock.voxel.look_at((0.0, 2.0, 0.5, 0.0))
    assert "was not fitted" in dock.form.voxel.text()


def test_corrected_b_values_leave_nothing_of_the_wrong_ones(viewer, dock, qtbot, scan):
    add(viewer, scan)
    dock.form.b_values.setText("0 20 40 80 160 400 800 1600")
    for method in ("lsq", "segmented"):
        fitted(dock, viewer, qtbot, method=method)
    dock.form.b_values.setText("0 10 20 40 80 200 400 800")
    maps = fitted(dock, viewer, qtbot, method="lsq")
    assert set(dock.voxel.fits) == {"lsq"}
    lsq = next(one for one in viewer.layers if one.name.startswith("D (") and "[lsq]" in one.name)
    assert lsq.metadata[METADATA_KEY].provenance[-1]["b_values"] == list(B_VALUES)
    units = {name: layer.metadata[METADATA_KEY].provenance[-1]["unit"] for name, layer in maps.items()}
    assert units == {"D": "10⁻³ mm²/s", "f": "%", "D*": "10⁻³ mm²/s"}  # those of the values in the layers
    assert len(maps) == 3


def test_maps_of_another_scan_of_the_same_name_are_new_layers(viewer, dock, qtbot, scan):
    first = add(viewer, scan)
    fitted(dock, viewer, qtbot)
    viewer.layers.remove(first)
    second = add(viewer, scan)
    second.name = first.name
    second.translate = second.translate + np.array([0, 0, 5.0, 0])
    dock.layers.choose(second)
    fitted(dock, viewer, qtbot)
    found = [one.translate[1] for one in viewer.layers if one.name.startswith("D (")]
    assert found == [first.translate[2], first.translate[2] + 5]


def test_the_curve_of_a_voxel_goes_through_its_signals(scan):
    series = Series.of(scan)
    fit, _ = fit_volume(series, make_model("lsq"), [1])
    signals = series.read(1)[:, 0, 3]
    found = voxel_curves(signals, B_VALUES, {"lsq": fit}, (1, 0, 3))
    assert found is not None
    assert found.b_values == B_VALUES
    expected = biexponential(B_VALUES, D, F, DP)
    np.testing.assert_allclose(found.measured, expected, rtol=1e-5)
    np.testing.assert_allclose(np.interp(800, found.curve_b, found.curves["lsq"]), expected[-1], rtol=0.01)
    other = replace(fit, maps=fit.maps | {"S0": fit.maps["S0"] * 0.9})
    [residual] = voxel_curves(signals, B_VALUES, {"lsq": other}, (1, 0, 3)).residuals.lines
    np.testing.assert_allclose(residual.y, 10 * expected, rtol=0.01)  # in %
    assert voxel_curves(signals, B_VALUES, {"lsq": fit}, (0, 0, 3)) is None


def test_bad_input_is_one_sentence(viewer, dock, qtbot, scan):
    layer = add(viewer, scan)
    with pytest.raises(InputError, match="7 b-values for 8 volumes"):
        request_of_layers([layer], "0 10 20 40 80 200 400", EVERYWHERE)
    with pytest.raises(InputError, match=r"\(3, 3\)"):
        request_of_layers([layer], "0 10 20 40 80 200 400 800", np.ones((3, 3)))
    assert request_of_layers([layer], "0 10 20 40 80 200 400 800", BRIGHT).series.mask.sum() == 36
    dock.form.b_values.setText("0, ten")
    dock.start(preview=False)
    assert "ten" in dock.form.status.text()
    assert dock._job is None


def test_what_was_wrong_is_said_until_it_is_corrected(viewer, dock, qtbot, scan):
    add(viewer, scan)
    dock.form.b_values.setText("0 10 20")
    assert "3 b-values for 8 volumes" in dock.form.hint.text()
    assert not dock.form.fit.isEnabled()
    dock.form.b_values.setText("0 10 20 40 80 200 400 800")
    assert "click Fit" in dock.form.hint.text()
    dock.form.method.setCurrentText("lsq")
    dock.form.bounds.setText("D=5")
    dock.start(preview=False)
    assert "D=5" in dock.form.status.text()
    dock.form.bounds.setText("")
    assert not dock.form.status.text()
    dock.form.fit.click()
    assert dock.form.hint.text() == "You can keep working in napari meanwhile."
    qtbot.waitUntil(lambda: dock._job is None, timeout=60_000)
    assert dock.form.hint.text().startswith("Click a voxel")
    dock.form.method.setCurrentText("segmented")
    assert "36 voxels with 'lsq'" in dock.form.status.text()  # a result stays


def test_one_is_singular(viewer, dock, qtbot, scan):
    layer = add(viewer, scan)
    with pytest.raises(InputError, match="1 b-value for 8 volumes"):
        request_of_layers([layer], "0", EVERYWHERE)
    one = np.zeros((2, 6, 5), int)
    one[0, 0, 3] = 1
    viewer.add_labels(one, name="one", scale=layer.scale[1:])
    dock.layers.choose(layer)
    dock.form.where.setCurrentText("one")
    fitted(dock, viewer, qtbot)
    assert dock.form.status.text().startswith("1 voxel with 'lsq'")


def test_a_single_volume_is_no_series(viewer, dock, scan):
    add(viewer, Scan(scan.data[0], ScanInfo(name="one", axes="zyx", voxel_size=(2.0, 0.5, 0.5))))
    assert "one volume" in dock.form.hint.text()
    dock.form.b_values.setText("0 10 20 40 80 200 400 800")
    assert "one volume" in dock.form.hint.text()
    assert not dock.form.fit.isEnabled()


def test_maps_are_measured_in_labels_and_in_drawn_regions(viewer, dock, qtbot, scan, tmp_path):
    source = add(viewer, scan)
    labels = np.zeros((2, 6, 5), int)
    labels[0, :, 2:4], labels[1, 2, 4] = 1, 2
    viewer.add_labels(labels, name="organs", scale=source.scale[1:])
    dock.layers.choose(source)
    assert not dock.regions.measure.isEnabled()  # nothing was fitted yet
    for method in ("lsq", "segmented"):
        fitted(dock, viewer, qtbot, method=method)
        qtbot.waitUntil(lambda: dock.regions._job is None, timeout=60_000)
    rows = {(row.region, row.method, row.map): row for row in dock.regions.rows}
    assert rows["label 1", "lsq", "D"].stats.n == 12
    assert rows["label 2", "segmented", "f"].stats.mean == pytest.approx(100 * F, rel=0.05)
    dock.regions.map.setCurrentText("f (%)")
    shown = [[dock.regions.table.item(k, column).text() for column in range(6)] for k in range(4)]
    assert [line[:2] for line in shown] == [[f"label {k}", method] for k in (1, 2) for method in ("lsq", "segmented")]
    assert float(shown[0][2]) == pytest.approx(100 * F, rel=0.01)
    path = tmp_path / "table.csv"
    dock.regions.save_to(path)
    assert len(path.read_text().splitlines()) == 1 + len(rows)
    # Slice 1, rows 1 and 2, columns 2 and 3, in mm
    corners = np.array([[2, 0.4, 0.9], [2, 0.4, 1.6], [2, 1.1, 1.6], [2, 1.1, 0.9]])
    viewer.add_shapes([corners], shape_type="polygon", name="drawn", axis_labels=("z", "y", "x"))
    dock.regions.layer.setCurrentText("drawn")
    dock.regions.measure.click()
    qtbot.waitUntil(lambda: dock.regions._job is None, timeout=60_000)
    assert {(row.region, row.stats.n) for row in dock.regions.rows if row.map == "D"} == {("ROI", 4)}


def test_the_posterior_of_a_voxel_has_its_mean_and_spread(scan):
    series = Series.of(scan)
    _, model = fit_volume(series, make_model("bayes", FitOptions(sigma=10.0)))
    signals = series.read(0)[:, 2, 3]
    charts = posterior_charts({"lsq": make_model("lsq"), "bayes": model}, signals, B_VALUES)
    fit = model.fit(signals[:, None], B_VALUES)
    for chart, name, factor in zip(charts, ("D", "f", "Dp"), (1e3, 100, 1e3), strict=True):
        x, y = (np.array(values) for values in (chart.lines[0].x, chart.lines[0].y))
        mean = np.sum(x * y) / np.sum(y)
        spread = np.sqrt(np.sum((x - mean) ** 2 * y) / np.sum(y))
        sd = factor * float(fit.sd[name][0])
        assert abs(mean - factor * float(fit.maps[name][0])) < 0.3 * sd, name
        assert spread == pytest.approx(sd, rel=0.3), name
    assert posterior_charts({"lsq": make_model("lsq")}, signals, B_VALUES) == []


def test_a_click_shows_the_posterior_and_the_cursor_is_followed(viewer, dock, qtbot, scan):
    noise = np.random.default_rng(0).normal(0, 10, (2, *scan.data.shape))
    add(viewer, Scan(np.hypot(scan.data + noise[0], noise[1]).astype(np.float32), scan.info))
    fitted(dock, viewer, qtbot, method="bayes")
    event = SimpleNamespace(position=(0.0, 2.0, 0.5, 1.5), type="mouse_release")
    for step in dock.voxel._clicked(viewer, event):
        assert step is None
    qtbot.waitUntil(lambda: all(plot.labels == ["bayes"] for plot in dock.form.posterior), timeout=60_000)
    event.position = (0.0, 0.0, 1.0, 2.0)
    dock.voxel._moved(viewer, event)
    qtbot.waitUntil(lambda: dock.form.plot._wanted.title == "voxel 0, 2, 4")
    dock.form.follow.setChecked(False)
    dock.voxel._moved(viewer, SimpleNamespace(position=(0.0, 0.0, 0.0, 1.0)))
    assert not dock.voxel._soon.isActive()


def test_a_network_is_trained_on_the_scan_once_saved_and_taken_from_its_file(viewer, dock, qtbot, scan, tmp_path):
    add(viewer, scan)
    dock.form.method.setCurrentText("cnn")
    dock.form.network.epochs.setValue(2)
    fitted(dock, viewer, qtbot, method="cnn", preview=True)
    trained = dock.form.network.chosen
    assert dock.form.network.box.currentText() == "cnn trained on dwi"
    number = viewer.dims.current_step[1]
    first = dock.voxel.fits["cnn"].maps["D"][number]
    fitted(dock, viewer, qtbot, method="cnn")
    assert dock.form.network.chosen is trained  # not trained again
    whole = dock.voxel.fits["cnn"].maps["D"]
    np.testing.assert_array_equal(whole[number], first)
    dock.form.network.save_to(tmp_path / "net.safetensors")
    dock.form.network.add("file", tmp_path / "net.safetensors")
    fitted(dock, viewer, qtbot, method="cnn")
    np.testing.assert_array_equal(dock.voxel.fits["cnn"].maps["D"], whole)
    fitted(dock, viewer, qtbot, method="si_cnn")
    assert "'cnn'" in dock.form.status.text()


def test_bounds_are_kept_or_refused(viewer, dock, qtbot, scan):
    add(viewer, scan)
    dock.form.bounds.setText("D=0,0.001")
    maps = fitted(dock, viewer, qtbot, method="lsq")
    assert np.nanmax(maps["D"].data) == pytest.approx(1)  # 1.2 without
    dock.form.bounds.setText("D=5")
    dock.form.fit.click()
    assert "D=5" in dock.form.status.text()
    assert dock._job is None


def test_layers_of_one_volume_each_are_one_series(viewer, dock, qtbot, scan):
    info = replace(scan.info, axes="zyx", b_values=None)
    layers = [add(viewer, Scan(volume, replace(info, name=f"b {k}"))) for k, volume in enumerate(scan.data)]
    dock.form.several.setChecked(True)
    viewer.layers.selection = set()
    assert not dock.form.fit.isEnabled()
    viewer.layers.selection = set(layers)
    assert "b 0, b 1" in dock.form.hint.text()
    dock.form.b_values.setText("0 10 20 40 80 200 400 800")
    maps = fitted(dock, viewer, qtbot)
    np.testing.assert_allclose(maps["D"].data[..., 2:], 1e3 * D, rtol=0.02)
    with pytest.raises(InputError, match="8 images"):
        request_of_layers(layers, "0 10", EVERYWHERE)
    with pytest.raises(InputError, match="several volumes"):
        request_of_layers([add(viewer, scan)] * 2, "0 10", EVERYWHERE)
    other = add(viewer, Scan(scan.data[0], replace(info, voxel_size=(2.0, 1.0, 1.0))))
    with pytest.raises(InputError, match="one grid"):
        request_of_layers([layers[0], other], "0 10", EVERYWHERE)


def test_a_click_on_a_region_of_the_selected_shapes_layer_shows_its_means(viewer, dock, qtbot, scan):
    brighter = scan.data.copy()
    brighter[:, 1, 2, 3] *= 3  # one of the four voxels of the region
    add(viewer, Scan(brighter, scan.info))
    for method in ("lsq", "segmented"):
        fitted(dock, viewer, qtbot, method=method)
    # Slice 1, rows 1 and 2, columns 2 and 3, in mm
    corners = np.array([[2, 0.4, 0.9], [2, 0.4, 1.6], [2, 1.1, 1.6], [2, 1.1, 0.9]])
    named = {"features": {"name": ["liver"], "kind": ["roi"]}, "axis_labels": ("z", "y", "x"), "units": "mm"}
    shapes = viewer.add_shapes([corners], shape_type="polygon", **named)
    viewer.dims.set_point(1, 2.0)
    viewer.layers.selection.active = shapes
    event = SimpleNamespace(position=(0.0, 2.0, 0.5, 1.0), type="mouse_release")

    def click():
        for step in dock.voxel._clicked(viewer, event):
            assert step is None

    click()
    qtbot.waitUntil(lambda: dock.form.plot._wanted is not None)
    shown = dock.form.plot._wanted
    assert shown.title.startswith("liver")
    assert shown.title.endswith("4 voxels")
    np.testing.assert_allclose(shown.measured, biexponential(B_VALUES, D, F, DP), rtol=1e-5)
    assert set(shown.curves) == {"lsq", "segmented"}
    np.testing.assert_allclose(np.interp(800, shown.curve_b, shown.curves["lsq"]), shown.measured[-1], rtol=0.01)
    assert "D 1.2 (SD" in dock.form.voxel.text()
    event.position = (0.0, 2.0, 1.0, 1.0)
    dock.voxel._moved(viewer, event)
    assert not dock.voxel._soon.isActive()  # within the region it stays
    event.position = (0.0, 2.0, 2.0, 1.0)
    click()
    assert dock.form.plot._wanted.title == "voxel 1, 4, 2"
    viewer.layers.selection.active = viewer.layers[0]
    event.position = (0.0, 2.0, 0.5, 1.0)
    click()
    assert dock.form.plot._wanted.title == "voxel 1, 1, 2"  # another layer is selected


def test_three_layers_are_compared_in_the_tab_signal_quality(viewer, dock, qtbot, scan, tmp_path):
    three = dock.three
    clean = Scan(scan.data[..., 2:], scan.info)
    errors = np.random.default_rng(0).normal(0, 10, (2, *clean.data.shape)).astype(np.float32)
    for name, error in (("clean", 0), ("noisy", errors[0]), ("predicted", errors[0] / 2)):
        assert not three.compare.isEnabled()
        add(viewer, Scan(clean.data + error, replace(scan.info, name=name)))
    assert [chooser.currentText() for chooser in three._choosers] == ["clean", "noisy", "predicted"]
    three.compare.click()
    qtbot.waitUntil(lambda: three._job is None, timeout=60_000)
    assert three.found.count == clean.data.size
    assert three.found.q_n == pytest.approx(np.abs(errors[0]).mean(), rel=1e-5)
    assert three.found.q_p == pytest.approx(three.found.q_n / 2, rel=1e-5)
    assert "Phenomenon 1" in three.status.text()
    three.save_to(str(tmp_path / "quality"))
    qtbot.waitUntil(lambda: three._job is None, timeout=60_000)
    assert (tmp_path / "quality" / "plots.png").exists()
    three.noisy.setCurrentText("clean")
    assert not three.compare.isEnabled()


def test_the_points_of_a_voxel_follow_the_theme(qtbot, scan):
    series = Series.of(scan)
    fit, _ = fit_volume(series, make_model("lsq"), [1])
    plot = VoxelPlot()
    qtbot.addWidget(plot, before_close_func=lambda plot: plot.stop())
    plot.show_voxel(voxel_curves(series.read(1)[:, 0, 3], B_VALUES, {"lsq": fit}, (1, 0, 3)))
    qtbot.waitUntil(lambda: plot._shown is not None)
    for name in ("#f0f1f2", "#101010"):
        palette = plot.palette()
        palette.setColor(QPalette.ColorRole.Text, QColor(name))
        palette.setColor(QPalette.ColorRole.WindowText, QColor(name))
        plot.setPalette(palette)
        points, _ = plot._plot.getPlotItem().listDataItems()
        assert QColor(points.opts["symbolBrush"]).name() == name
