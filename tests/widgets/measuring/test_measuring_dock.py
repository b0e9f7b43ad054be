from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._test_utils import read_only_mouse_event
from napari.utils.interactions import mouse_move_callbacks, mouse_press_callbacks, mouse_release_callbacks
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QComboBox, QPushButton

from napari_micromri.measure.roi import Roi
from napari_micromri.measure.roi_file import save_rois
from napari_micromri.plugin.layers import METADATA_KEY, scan_to_layer
from napari_micromri.plugin.roi_layers import ROIS_KEY
from napari_micromri.scan import Scan
from napari_micromri.widgets.measuring import command
from napari_micromri.widgets.measuring import files as measure_files
from napari_micromri.widgets.measuring.dock import MeasureWidget
from napari_micromri.widgets.shared.places import result_of


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(viewer, qtbot):
    widget = MeasureWidget(viewer)
    qtbot.addWidget(widget, before_close_func=lambda widget: widget.shut_down())
    widget.show()
    return widget


@pytest.fixture
def three(viewer, dock, make_scan):
    """LR, DL and HR of one field of view."""
    good = make_scan((4, 60, 60), name="good", origin=(0.0, 0.05, 0.05))
    fast = Scan(good.data[:, ::2, ::2] + 5, good.info.resampled({"y": 0.5, "x": 0.5}))
    fine = Scan((good.data + np.roll(good.data, 1, 2)) / 2, good.info.with_step({"step": "denoise"}))
    for name, scan in (("fast", fast), ("good", good), ("fast [unet]", fine)):
        data, attributes, _ = scan_to_layer(scan)
        viewer.add_image(data, **(attributes | {"name": name}))
    viewer.dims.set_point(0, 0.6)
    return fast, good, fine


def settle(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.rois.watch.waiting and not dock.live.busy, timeout=60_000)


def drag(qtbot, dock, start, end, *, watch=None):
    """Drag with the tool that is chosen, from (y, x) to (y, x) in mm."""
    layer, z = dock.rois.layer, dock.viewer.dims.point[0]
    layer.scale_factor = 0.01  # there is no canvas to say how large a pixel is; less than a few of them is no drag

    def event(kind, point):
        return read_only_mouse_event(
            type=kind, is_dragging=kind == "mouse_move", modifiers=[], position=(z, *point), view_direction=None
        )

    mouse_press_callbacks(layer, event("mouse_press", start))
    for part in (0.3, 0.6, 1.0):
        point = tuple(a + part * (b - a) for a, b in zip(start, end, strict=True))
        mouse_move_callbacks(layer, event("mouse_move", point))
        if watch is not None:
            settle(qtbot, dock)
            watch()
    mouse_release_callbacks(layer, event("mouse_release", end))
    settle(qtbot, dock)


def draw_two(qtbot, dock):
    for button, start, end in (
        (dock.form.draw_roi, (2.5, 2.5), (3.5, 3.5)),
        (dock.form.draw_background, (0.0, 0.0), (1.0, 1.0)),
    ):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        drag(qtbot, dock, start, end)


def shown(dock, title):
    column = [dock.form.figures.headerData(k, Qt.Orientation.Horizontal) for k in range(20 - 7)].index(title)
    return [dock.form.figures.index(k, column).data() for k in range(dock.form.figures.rowCount())]


def test_an_empty_viewer_says_what_to_do_first(dock):
    assert "File > Open Sample" in dock.form.hint.text()
    for button in (dock.form.draw_roi, dock.form.draw_background, dock.form.export, dock.form.save, dock.form.load):
        assert not button.isEnabled()


def test_the_background_follows_the_first_roi_without_a_click(dock, three, qtbot):
    dock.draw("roi")
    drag(qtbot, dock, (2.5, 2.5), (3.5, 3.5))
    drag(qtbot, dock, (0.0, 0.0), (1.0, 1.0))
    assert [roi.kind for roi in dock.reading.rois] == ["roi", "background"]
    assert dock.rois.layer.mode == "select"
    dock.draw("roi")
    drag(qtbot, dock, (1.5, 2.5), (2.0, 3.5))
    assert dock.rois.layer.mode == "select"


def test_two_rectangles_give_the_table(viewer, dock, three, qtbot):
    assert dock.layers.roles == {"fast": "LR", "good": "HR", "fast [unet]": "DL"}
    assert "Click Draw ROI" in dock.form.hint.text()
    qtbot.mouseClick(dock.form.draw_roi, Qt.MouseButton.LeftButton)
    assert "drag" in dock.form.hint.text()
    drag(qtbot, dock, (2.5, 2.5), (3.5, 3.5))
    assert "Now Draw background" in dock.form.hint.text()
    qtbot.mouseClick(dock.form.draw_background, Qt.MouseButton.LeftButton)
    drag(qtbot, dock, (0.0, 0.0), (1.0, 1.0))
    assert "Export CSV" in dock.form.hint.text()
    assert shown(dock, "Image") == ["LR", "DL", "HR"]
    assert shown(dock, "n") == ["25", "100", "100"]
    assert shown(dock, "Slice") == ["1 · 0.6 mm"] * 3
    assert [(roi.name, roi.kind) for roi in dock.reading.rois] == [("ROI 1", "roi"), ("background 1", "background")]
    good = three[1].data[1]
    hr = dock.found.rows[2]
    assert hr.stats.mean == pytest.approx(good[25:35, 25:35].mean())
    assert hr.cnr == pytest.approx((good[25:35, 25:35].mean() - good[:10, :10].mean()) / good[:10, :10].std(), rel=1e-6)
    assert "the CNR of DL is" in dock.form.explanation.text()
    assert viewer.layers.units is not None


def test_the_figures_follow_while_dragging(dock, three, qtbot):
    draw_two(qtbot, dock)
    seen = []
    dock.rois.layer.mode = "select"
    drag(qtbot, dock, (3.0, 3.0), (3.9, 3.0), watch=lambda: seen.append(dock.found.rows[2].stats.mean))
    assert len(set(seen)) == 3
    assert seen[-1] == dock.found.rows[2].stats.mean


def test_the_table_shows_this_slice_or_all(viewer, dock, three, qtbot):
    draw_two(qtbot, dock)
    assert dock.copy_to([1, 2, 3]) == 4
    settle(qtbot, dock)
    assert shown(dock, "Slice") == ["1 · 0.6 mm"] * 3
    viewer.dims.set_point(0, 1.8)
    assert shown(dock, "Slice") == ["3 · 1.8 mm"] * 3
    dock.form.shown.setCurrentIndex(1)
    places = ["1 · 0.6 mm", "2 · 1.2 mm", "3 · 1.8 mm"]
    assert shown(dock, "Slice") == [place for place in places for _ in range(3)]
    viewer.dims.set_point(0, 0.0)
    assert "No ROI on this slice" in dock.form.hint.text()
    dock.go_to(dock.form.figures.rows[3])
    assert viewer.dims.point[0] == pytest.approx(1.2)
    [chosen] = dock.rois.layer.selected_data
    assert dock.rois.layer.features["name"][chosen] == "ROI 1"


def test_copies_replace_what_stands_there(dock, three, qtbot):
    draw_two(qtbot, dock)
    dock.copy_to([0, 2])
    dock.copy_to([0, 2])
    settle(qtbot, dock)
    assert sorted((roi.name, round(roi.depth[0], 3)) for roi in dock.reading.usable) == [
        (name, z) for name in ("ROI 1", "background 1") for z in (0.0, 0.6, 1.2)
    ]


def test_names_and_kinds_are_changed_in_the_list(dock, three, qtbot):
    draw_two(qtbot, dock)
    model = dock.form.regions
    assert model.setData(model.index(0, 0), "Tumour")
    settle(qtbot, dock)
    assert shown(dock, "ROI") == ["Tumour"] * 3
    assert not model.setData(model.index(0, 0), "  ")
    colour = dock.rois.layer.edge_color[1].copy()
    assert model.setData(model.index(1, 1), Qt.CheckState.Unchecked.value, Qt.ItemDataRole.CheckStateRole)
    settle(qtbot, dock)
    assert [roi.kind for roi in dock.reading.usable] == ["roi", "roi"]
    assert not np.allclose(dock.rois.layer.edge_color[1], colour)
    dock.form.list.setCurrentIndex(model.index(1, 0))
    dock.delete()
    settle(qtbot, dock)
    assert [roi.name for roi in dock.reading.usable] == ["Tumour"]


def test_the_time_that_is_shown_is_measured_however_the_layer_counts_it(viewer, dock, qtbot):
    data = np.stack([np.full((2, 40, 40), value, np.float32) for value in (10, 20, 30)])
    affine = np.diag([2.5, 0.6, 0.1, 0.1, 1.0])
    affine[0, 4] = 4.0
    viewer.add_image(data, name="series", affine=affine, units=("s", "mm", "mm", "mm"))
    dock.layers.tick("series", True)
    viewer.dims.set_point(0, 4.0 + 2 * 2.5)
    dock.rois.make(dock.layers.finest(), [Roi("a", ((1.0, 1.0), (1.0, 2.0), (2.0, 2.0), (2.0, 1.0)), depth=(0.0, 0.0))])
    settle(qtbot, dock)
    assert [row.stats.mean for row in dock.found.rows] == [30]


def selected_rows(dock):
    return {index.row() for index in dock.form.list.selectionModel().selectedRows()}


def test_list_and_canvas_are_one_selection(dock, three, qtbot):
    draw_two(qtbot, dock)
    layer, model = dock.rois.layer, dock.form.regions
    dock.form.list.setCurrentIndex(model.index(0, 0))
    assert set(layer.selected_data) == {0}
    layer.selected_data = {1}  # as a click on the canvas does
    assert selected_rows(dock) == {1}
    dock.delete()
    settle(qtbot, dock)
    assert [roi.kind for roi in dock.reading.usable] == ["roi"]
    dock.rois.undo()
    settle(qtbot, dock)
    layer.selected_data = {0, 1}
    assert selected_rows(dock) == {0, 1}
    qtbot.mouseClick(dock.form.delete, Qt.MouseButton.LeftButton)
    settle(qtbot, dock)
    assert dock.rois.count == 0


def press_key(layer, keys):
    """What napari calls when a key is pressed over the canvas."""
    from napari.utils.key_bindings import KeyBinding

    layer.keymap[KeyBinding.from_str(keys)](layer)


def test_everything_done_to_regions_is_undone_and_done_again(dock, three, qtbot):
    draw_two(qtbot, dock)
    layer = dock.rois.layer
    states = [[]]

    def note():
        settle(qtbot, dock)
        states.append([(roi.name, roi.kind, roi.vertices) for roi in dock.reading.usable])

    note()
    dock.rois.rename(0, "Tumour")
    note()
    dock.rois.set_kind(1, "roi")
    note()
    layer.data = [layer.data[0] + np.array([0, 3, 1]), layer.data[1]]
    note()
    dock.copy_to([2, 3])
    note()
    dock.rois.select([0])
    dock.delete()
    note()
    for state in reversed(states[1:-1]):
        press_key(layer, "Control-Z")
        settle(qtbot, dock)
        now = [(roi.name, roi.kind, roi.vertices) for roi in dock.reading.usable]
        assert [one[:2] for one in now] == [one[:2] for one in state]
        for one, before in zip(now, state, strict=True):
            np.testing.assert_allclose(one[2], before[2], atol=1e-6)
    for state in states[2:]:
        press_key(layer, "Control-Shift-Z")
        settle(qtbot, dock)
        assert [(roi.name, roi.kind) for roi in dock.reading.usable] == [one[:2] for one in state]
    assert not dock.form.redo.isEnabled()
    assert dock.form.undo.isEnabled()


def test_a_drag_is_one_step_back(dock, three, qtbot):
    draw_two(qtbot, dock)
    layer = dock.rois.layer
    before = np.array(layer.data[0])
    layer.mode = "select"
    layer.selected_data = {0}
    middle = layer.data_to_world(before.mean(axis=0))[1:]
    drag(qtbot, dock, middle, (middle[0] + 0.5, middle[1]), watch=lambda: None)
    assert not np.allclose(layer.data[0], before)
    dock.rois.undo()
    settle(qtbot, dock)
    np.testing.assert_allclose(layer.data[0], before)


@pytest.mark.parametrize("size", [0.6, 0.35, 1 / 3])
def test_regions_can_be_clicked_on_every_slice(viewer, dock, qtbot, make_scan, size):
    scan = make_scan((40, 30, 30), voxel_size=(size, 0.1, 0.1))
    data, attributes, _ = scan_to_layer(scan)
    viewer.add_image(data, **attributes)
    layer = dock.rois.make(scan, [Roi("a", ((1.0, 1.0), (1.0, 2.0), (2.0, 2.0), (2.0, 1.0)))])
    for k in range(40):
        viewer.dims.set_current_step(0, k)
        point = (viewer.dims.point[0], 1.5, 1.5)
        assert layer.get_value(point, view_direction=None, dims_displayed=[1, 2], world=True)[0] == k


def test_shapes_that_are_no_regions_are_named(dock, three, qtbot):
    draw_two(qtbot, dock)
    dock.rois.layer.add([[1, 1, 1], [1, 5, 5]], shape_type="line")
    settle(qtbot, dock)
    assert "1 line" in dock.form.explanation.text()
    assert len(dock.found.rows) == 3
    assert dock.form.regions.index(2, 0).data() == "(no ROI)"


def test_a_layer_that_is_taken_away_takes_its_figures(viewer, dock, three, qtbot):
    draw_two(qtbot, dock)
    viewer.layers.remove("good")
    assert shown(dock, "Image") == ["LR", "DL"]
    viewer.layers.remove(dock.rois.layer)
    assert dock.rois.layer is None
    assert shown(dock, "Image") == []
    assert "Click Draw ROI" in dock.form.hint.text()
    draw_two(qtbot, dock)
    assert shown(dock, "Image") == ["LR", "DL"]
    viewer.layers.clear()
    assert "Open a scan" in dock.form.hint.text()


def test_regions_that_were_there_before_the_dock(viewer, qtbot, make_scan):
    viewer.add_shapes(
        [[[1, 25, 25], [1, 25, 35], [1, 35, 35], [1, 35, 25]]],
        scale=(0.6, 0.1, 0.1),
        units=("mm",) * 3,
        axis_labels=("z", "y", "x"),
        metadata={ROIS_KEY: True},
    )
    dock = MeasureWidget(viewer)
    qtbot.addWidget(dock, before_close_func=lambda widget: widget.shut_down())
    assert "Open a scan" in dock.form.hint.text()
    data, attributes, _ = scan_to_layer(make_scan((4, 60, 60)))
    viewer.add_image(data, **attributes)
    viewer.dims.set_point(0, 0.6)
    settle(qtbot, dock)
    assert [row.stats.n for row in dock.found.rows] == [100]


def test_what_cannot_be_measured_is_greyed_out(viewer, dock, three):
    viewer.add_image(np.zeros((60, 60, 3), np.uint8), rgb=True, name="photo")
    viewer.add_labels(np.zeros((4, 60, 60), int), name="labels")
    viewer.add_image(np.zeros((4, 60, 60)), rotate=(0, 0, 30), name="turned")
    names = [dock.layers.topLevelItem(k).text(0) for k in range(dock.layers.topLevelItemCount())]
    assert names == ["turned", "photo", "fast [unet]", "good", "fast"]
    assert "colour picture" in dock.layers.topLevelItem(1).toolTip(0)
    assert dock.layers.topLevelItem(0).isDisabled()
    assert [image.name for image in dock.layers.compared] == ["fast", "fast [unet]", "good"]


def test_a_volume_view_asks_for_the_flat_one(viewer, dock, three):
    viewer.dims.ndisplay = 3
    assert "2-D view" in dock.form.hint.text()
    assert not dock.form.draw_roi.isEnabled()
    viewer.dims.ndisplay = 2
    assert dock.form.draw_roi.isEnabled()


def test_the_person_has_the_last_word_on_layers(viewer, dock, three, qtbot):
    draw_two(qtbot, dock)
    dock.layers.tick("fast", False)
    assert shown(dock, "Image") == ["DL", "HR"]
    dock.layers.set_role("good", None)
    assert dock.found.settings.reference is None
    assert "the CNR of DL" not in dock.form.explanation.text()
    viewer.add_image(np.zeros((4, 60, 60)), scale=(0.6, 0.1, 0.1), translate=(0, 50, 50), name="elsewhere")
    assert dock.layers.roles.get("good") is None
    assert [image.name for image in dock.layers.compared] == ["fast [unet]", "good"]


def test_changed_pixels_are_measured_anew(viewer, dock, three, qtbot):
    draw_two(qtbot, dock)
    before = dock.found.rows[2].stats.mean
    viewer.layers["good"].data = three[1].data + 100
    assert dock.found.rows[2].stats.mean == pytest.approx(before + 100)


def test_a_lazy_scan_is_read_in_a_thread(viewer, dock, three, qtbot):
    import dask.array as da

    draw_two(qtbot, dock)
    data, attributes, _ = scan_to_layer(Scan(da.from_array(three[1].data, chunks=(1, 60, 60)), three[1].info))
    viewer.add_image(data, **(attributes | {"name": "lazy"}))
    dock.layers.tick("lazy", True)
    assert dock.live.busy
    settle(qtbot, dock)
    means = {row.image: row.stats.mean for row in dock.found.rows}
    assert means["lazy"] == means["good"]
    dock.form.rule.setCurrentIndex(1)
    assert not dock.live.busy
    assert dock.found.settings.rule == "area"


def test_another_plane_and_another_time(viewer, dock, qtbot, make_scan):
    data, attributes, _ = scan_to_layer(make_scan((2, 5, 60, 60), "tzyx", name="series"))
    data[1] += 1000
    viewer.add_image(data, **attributes)
    viewer.dims.set_point((0, 1), (0, 1.2))
    scan = dock.layers.finest()
    corners = ((2.0, 2.0), (2.0, 4.0), (4.0, 4.0), (4.0, 2.0))
    across = ((0.3, 2.0), (0.3, 4.0), (1.5, 4.0), (1.5, 2.0))
    dock.rois.add([Roi("a", corners, depth=(1.2, 1.2)), Roi("c", across, axes="zx", depth=(3.0, 3.0))], scan)
    settle(qtbot, dock)
    assert shown(dock, "ROI") == ["a"]
    assert dock.found.rows[0].stats.mean == pytest.approx(data[0, 2, 20:40, 20:40].mean())
    viewer.dims.set_point(0, 1)
    assert dock.found.rows[0].stats.mean == pytest.approx(data[1, 2, 20:40, 20:40].mean())
    viewer.dims.order = (0, 2, 1, 3)
    viewer.dims.set_point(2, 3.0)
    assert shown(dock, "ROI") == ["c"]
    assert dock.found.rows[1].stats.mean == pytest.approx(data[1, 1:3, 30, 20:40].mean())


def test_export_and_clipboard(dock, three, qtbot, tmp_path, monkeypatch):
    draw_two(qtbot, dock)
    path = tmp_path / "cnr.csv"
    monkeypatch.setattr(measure_files, "_ask_to_save", lambda *_: path)
    qtbot.mouseClick(dock.form.export, Qt.MouseButton.LeftButton)
    assert "Saved cnr.csv" in dock.form.status.text()
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["image"] for row in rows] == ["fast", "fast [unet]", "good"]
    assert (tmp_path / "cnr.csv.json").is_file()
    dock.files.copy()
    lines = QApplication.clipboard().text().splitlines()
    assert len(lines) == 4
    assert lines[0].split("\t")[:3] == ["image", "roi", "background"]


def test_regions_are_saved_and_loaded(viewer, dock, three, qtbot, tmp_path, monkeypatch, shown_warnings):
    draw_two(qtbot, dock)
    before = dock.reading.usable
    for name in ("rois.json", "rois.zip"):
        dock.files.save_rois(tmp_path / name)
        viewer.layers.remove(dock.rois.layer)
        dock.files.load_rois(tmp_path / name)
        settle(qtbot, dock)
        for one, other in zip(before, dock.reading.usable, strict=True):
            assert (one.name, one.kind, one.shape) == (other.name, other.kind, other.shape)
            np.testing.assert_allclose(one.vertices, other.vertices, atol=1e-4)
    (tmp_path / "bad.json").write_text("{")
    monkeypatch.setattr(measure_files, "ask_rois_to_load", lambda _: tmp_path / "bad.json")
    dock.files.ask(measure_files.ask_rois_to_load, dock.files.load_rois)
    assert "isn't JSON" in dock.form.status.text()
    assert shown_warnings


@pytest.fixture
def shown_warnings(shown):
    return shown


def test_regions_of_another_field_of_view(dock, three, make_scan, tmp_path, qtbot):
    other = make_scan((4, 30, 30), name="small")
    path = save_rois([Roi("a", ((1.0, 1.0), (1.0, 2.0), (2.0, 2.0), (2.0, 1.0)))], tmp_path / "a.json", scan=other)
    dock.files.load_rois(path)
    settle(qtbot, dock)
    assert "field of view differs" in dock.form.status.text()
    assert len(dock.reading.usable) == 4


def test_hundreds_of_regions_are_measured_in_a_thread(dock, three, qtbot):
    rng = np.random.default_rng(0)
    rois = []
    for k in range(300):
        y, x = rng.uniform(0, 5, 2)
        corners = ((y, x), (y, x + 0.5), (y + 0.5, x + 0.5), (y + 0.5, x))
        z = float(0.6 * (k % 4))
        rois.append(Roi(f"r{k}", corners, kind="background" if k < 4 else "roi", depth=(z, z)))
    dock.rois.add(rois, dock.layers.finest())
    assert dock.rois.count == 300
    qtbot.waitUntil(lambda: dock.live.busy, timeout=10_000)
    settle(qtbot, dock)
    dock.form.shown.setCurrentIndex(1)
    assert dock.form.figures.rowCount() == 3 * 296


def test_bars(dock, three, qtbot):
    draw_two(qtbot, dock)
    dock.form.tabs.setCurrentIndex(1)
    qtbot.waitUntil(lambda: dock.form.bars._shown is not None)
    items = [item for item in dock.form.bars._plot.getPlotItem().items if type(item).__name__ == "BarGraphItem"]
    heights = [item.opts["height"][0] for item in items]
    assert heights == pytest.approx([row.cnr for row in dock.found.rows])


def test_image_quality_and_residuals(viewer, dock, three, qtbot):
    draw_two(qtbot, dock)
    tab = dock.quality
    assert tab.reference.currentText() == "HR"
    dock.form.tabs.setCurrentIndex(3)
    qtbot.mouseClick(tab.compare, Qt.MouseButton.LeftButton)
    assert not tab.compare.isEnabled()
    qtbot.waitUntil(tab.compare.isEnabled)
    assert [tab.table.item(k, 0).text() for k in range(tab.table.rowCount())] == ["LR", "DL"]
    assert "Against HR, slice 1 · z 0.6 mm, whole slice" in tab.summary.text()
    tab.within.setCurrentIndex(1)
    tab.slices.setCurrentIndex(2)
    qtbot.mouseClick(tab.compare, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(tab.compare.isEnabled)
    assert "at least 11 x 11" in tab.summary.text()
    qtbot.mouseClick(tab.residual, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(tab.residual.isEnabled)
    residuals = [viewer.layers["HR - LR"], viewer.layers["HR - DL"]]
    assert residuals[0].contrast_limits == residuals[1].contrast_limits
    assert residuals[0].contrast_limits[0] == -residuals[0].contrast_limits[1]
    np.testing.assert_allclose(residuals[1].data, three[1].data - three[2].data)
    assert "HR - LR" not in dock.layers.roles
    assert dock.layers.topLevelItemCount() == 3


def test_the_dock_fits_and_everything_explains_itself(dock, three):
    assert dock.minimumSizeHint().width() <= 320
    assert all(
        widget.toolTip()
        for kind in (QPushButton, QComboBox)
        for widget in dock.form.findChildren(kind)
        if widget.parent() is not dock.layers.viewport()
    )


def test_a_closed_dock_listens_no_more(viewer, dock, three, qtbot):
    draw_two(qtbot, dock)
    layer = dock.rois.layer
    dock.shut_down()
    found = dock.found
    layer.data = []
    viewer.layers.clear()
    assert dock.found is found
    assert dock._dims_events == ()


@pytest.mark.parametrize(("held", "drawn"), [(["Shift"], 1), ([], 0)])
def test_a_drag_with_shift_held_draws_a_region_without_a_button(viewer, dock, three, qtbot, monkeypatch, held, drawn):
    monkeypatch.setattr(command, "open_dock", lambda *_: dock)
    ends = ((1.0, 2.0), (10, 20)), ((3.0, 4.0), (80, 90))
    places = [ends[0], *[ends[1]] * 2]
    for act, kind, (mm, pixels) in zip(
        (mouse_press_callbacks, mouse_move_callbacks, mouse_release_callbacks),
        ("mouse_press", "mouse_move", "mouse_release"),
        places,
        strict=True,
    ):
        position = (viewer.dims.point[0], *mm)
        act(viewer, read_only_mouse_event(type=kind, modifiers=held, position=position, pos=np.array(pixels)))
    settle(qtbot, dock)
    assert len(dock.reading.usable) == drawn
    assert not viewer.canvas.overlays._zoom_box.visible
    for roi in dock.reading.usable:
        assert np.ptp(roi.vertices, axis=0) == pytest.approx([2, 2])
        assert np.mean(roi.vertices, axis=0) == pytest.approx([2, 3])
        assert roi.depth == pytest.approx((0.6, 0.6))
        assert dock.rois.layer.feature_defaults["kind"][0] == "background"  # which follows


def test_a_table_is_saved_beside_the_scan_under_a_new_name_each_time(dock, three, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(dock.viewer.layers[0], "metadata", {METADATA_KEY: replace(three[0].info, source=str(tmp_path))})
    dock.layers.refresh()
    draw_two(qtbot, dock)
    for ending in ("", "-2", "-3"):
        qtbot.mouseClick(dock.form.export, Qt.MouseButton.LeftButton)
        assert tmp_path.with_name(f"{tmp_path.name}_cnr{ending}.csv").is_file()
        assert tmp_path.with_name(f"{tmp_path.name}_cnr{ending}.csv.json").is_file()


@pytest.mark.parametrize(
    ("source", "table"),
    [
        ("mouse.nii.gz", "mouse_cnr.csv"),
        ("banana/7/pdata/1", "banana_cnr.csv"),
        ("all.mri.zarr/m1/head/coronal/hr", "all_cnr.csv"),
        ("scan.ome.zarr", "scan_cnr.csv"),
    ],
)
def test_results_lie_outside_of_studies_and_stores(tmp_path, source, table):
    assert result_of(str(tmp_path / source), "_cnr.csv") == tmp_path / table
