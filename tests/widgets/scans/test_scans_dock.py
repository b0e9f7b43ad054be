"""The dock Scans, in a viewer without a window."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.plugins.utils import get_preferred_reader
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent

from bruker_files import Reconstruction, write_beside
from napari_micromri.io import save_scan
from napari_micromri.study.discovery import find_scans
from napari_micromri.widgets.scans.columns import COLUMNS, layer_name
from napari_micromri.widgets.scans.dock import ScansWidget
from napari_micromri.widgets.scans.finding import Finding, Kind, picture_of
from napari_micromri.widgets.scans.opening import FolderOpening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two reconstructed scans and one that was not finished."""
    folder = tmp_path / "mouse_07"
    stored = np.arange(3 * 4 * 5, dtype="i2").reshape(3, 4, 5)
    Reconstruction(stored, protocol="T2_TurboRARE coronal", extent=(30.0, 24.0)).write(folder, 3)
    Reconstruction(stored, protocol="T1_FLASH", extent=(15.0, 12.0), subject="mouse_08").write(folder, 12)
    (Reconstruction(stored).write(folder, 20) / "2dseq").write_bytes(b"")
    return folder


@pytest.fixture
def dock(qtbot: QtBot) -> Iterator[ScansWidget]:
    widget = ScansWidget(ViewerModel())
    qtbot.addWidget(widget)
    yield widget
    widget.shut_down()


def fill(dock: ScansWidget, qtbot: QtBot, *paths: Path) -> None:
    with qtbot.waitSignal(dock.form.table.scans_model.rowsInserted, timeout=60_000):
        dock.open_paths(*map(str, paths))
    assert dock.finding is not None
    qtbot.waitUntil(lambda: not dock.finding._stream.busy)


def texts(dock: ScansWidget) -> list[list[str]]:
    model = dock.form.table.model()
    return [[model.index(r, c).data() for c in range(model.columnCount())] for r in range(model.rowCount())]


def test_rows_say_what_the_headers_say(dock, qtbot, study):
    fill(dock, qtbot, study)
    rows = {row[-1]: dict(zip((column.title for column in COLUMNS), row, strict=True)) for row in texts(dock)}
    assert rows.keys() == {"3", "12"}
    assert rows["12"]["Scan"] == "T1_FLASH"
    assert rows["12"]["Matrix"] == "5 × 4 × 3"
    assert rows["12"]["Voxel (mm)"] == "3 × 3 × 0.6"
    assert rows["12"]["Subject"] == "mouse_08"
    assert rows["12"]["Averages"] == "5"
    assert rows["3"]["Plane"] == "coronal"
    assert "1 left out" in dock.form.status.text()
    assert dock.form.left_out.count() == 1
    assert "aborted" in dock.form.left_out.item(0).text()


def test_thumbnails_follow(dock, qtbot, study):
    fill(dock, qtbot, study)
    model = dock.form.table.model()
    images = [model.index(row, 0).data(Qt.ItemDataRole.DecorationRole).toImage() for row in (0, 1)]
    assert all(image.pixelColor(22, 22).alpha() == 255 for image in images)


def test_a_picture_is_the_middle_slice_in_grey_levels(make_scan):
    scan = make_scan((5, 20, 10))
    scan.data[2] = np.linspace(0, 1, 200).reshape(20, 10)
    picture = picture_of(scan, 0)
    assert picture.pixels.shape == (20, 10)
    assert picture.aspect == pytest.approx(0.5)
    assert (np.diff(picture.pixels.ravel().astype(int)) >= 0).all()
    assert (picture.pixels.min(), picture.pixels.max()) == (0, 255)


def test_sorting_takes_numbers_for_numbers_and_search_all_words(dock, qtbot, study):
    fill(dock, qtbot, study)
    table = dock.form.table
    where = [column.title for column in COLUMNS].index("Where")
    table.sortByColumn(where, Qt.SortOrder.AscendingOrder)
    assert [row[where] for row in texts(dock)] == ["3", "12"]
    voxel = [column.title for column in COLUMNS].index("Voxel (mm)")
    table.sortByColumn(voxel, Qt.SortOrder.AscendingOrder)
    assert [row[where] for row in texts(dock)] == ["12", "3"]
    dock.form.search.setText("rare MOUSE_07")
    assert [row[where] for row in texts(dock)] == ["3"]
    assert "1 of 2" in dock.form.status.text()
    dock.form.search.setText("rare mouse_08")
    assert texts(dock) == []


def test_kinds_and_protocols_are_chosen_beside_the_search(dock, qtbot, study, tmp_path, make_scan):
    fill(dock, qtbot, study)
    form = dock.form
    everything = {row[0] for row in texts(dock)}
    form.protocol.setCurrentIndex(1)
    assert {row[0] for row in texts(dock)} == {form.protocol.currentText()} < everything
    form.protocol.setCurrentIndex(0)
    form.kind.setCurrentText("Diffusion (b-values)")
    assert texts(dock) == [] and "0 of" in form.status.text()
    form.kind.setCurrentText("Anatomical only")
    assert {row[0] for row in texts(dock)} <= everything
    other = tmp_path / "other"
    other.mkdir()
    save_scan(make_scan(name="series", axes="bzyx", shape=(2, 3, 8, 6), b_values=(0.0, 500.0)), other / "a.ome.zarr")
    fill(dock, qtbot, other)
    assert texts(dock) == []
    form.kind.setCurrentText("Diffusion (b-values)")
    assert len(texts(dock)) == 1
    assert [form.protocol.itemText(k) for k in range(form.protocol.count())] == ["All protocols", "series"]


def test_a_double_click_opens_a_layer_whose_name_ends_with_what_tells_it_apart(dock, qtbot, study):
    fill(dock, qtbot, study)
    table = dock.form.table
    index = next(table.model().index(r, 0) for r in range(2) if table.model().index(r, 0).data() == "T1_FLASH")
    with qtbot.waitSignal(dock.opener.ended, timeout=60_000):
        table.activated.emit(index)
    [layer] = dock.viewer.layers
    assert layer.name.endswith("(12)")
    np.testing.assert_array_equal(np.asarray(layer.data), np.arange(60).reshape(3, 4, 5))


def test_names_of_scans_outside_a_study_get_their_file_only_when_alike(tmp_path, make_scan):
    for file, name in (("a", "T2"), ("b", "T2"), ("c", "T1")):
        save_scan(make_scan(name=name), tmp_path / f"{file}.zarr")
    found, _ = find_scans([tmp_path])
    assert [layer_name(one, found) for one in found] == ["T2 (a.zarr)", "T2 (b.zarr)", "T1"]


def test_ticks_go_before_the_selection_and_all_means_all_that_are_shown(dock, qtbot, study):
    fill(dock, qtbot, study)
    form, model = dock.form, dock.form.table.model()
    assert not form.open_layers.isEnabled()
    form.table.selectRow(0)
    assert len(form.table.picked()) == 1
    assert form.open_layers.isEnabled()
    form.search.setText("flash")
    form.tick_all.click()
    form.search.setText("")
    assert [one.subject for one in form.table.picked()] == ["mouse_08"]
    ticked = next(model.index(r, 0) for r in range(2) if model.index(r, 0).data() == "T1_FLASH")
    model.setData(ticked, Qt.CheckState.Unchecked.value, Qt.ItemDataRole.CheckStateRole)
    assert form.table.picked() == []  # the search has taken the selected one away
    assert not form.ivim.isEnabled()


def test_a_dropped_folder_is_listed_and_remembered(dock, qtbot, study):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(study))])
    none = Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, none)
    with qtbot.waitSignal(dock.form.table.scans_model.rowsInserted, timeout=60_000):
        dock.dropEvent(event)
    dock._fill_recent()
    assert [action.text() for action in dock.form.recent.actions()] == [str(study)]


def test_another_folder_takes_the_place_of_the_first(dock, qtbot, study, tmp_path, make_scan):
    fill(dock, qtbot, study)
    other = save_scan(make_scan(name="alone"), tmp_path / "other" / "alone.nii")
    fill(dock, qtbot, other)
    assert [row[0] for row in texts(dock)] == ["alone"]
    assert dock.form.left_out.count() == 0


def test_a_missing_folder_is_one_sentence(dock, qtbot, tmp_path, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr("napari_micromri.widgets.scans.dock.show_warning", told.append)
    dock.open_paths(str(tmp_path / "gone"))
    qtbot.waitUntil(lambda: bool(told))
    assert "gone" in told[0]
    assert texts(dock) == []


def test_closing_ends_the_work(dock, qtbot, study, monkeypatch):
    dock.open_paths(str(study))
    flow, thread = dock.finding._stream._flow, dock.finding._stream._thread
    dock.shut_down()
    assert flow.stop.is_set()
    qtbot.waitUntil(lambda: not thread.is_alive())
    assert texts(dock) == []


@pytest.fixture
def opened(qtbot) -> Callable[[Path], FolderOpening]:
    def open_it(path: Path) -> FolderOpening:
        opening = FolderOpening(ViewerModel(), str(path))
        with qtbot.waitSignal(opening.ended, timeout=60_000):
            opening.start()
        return opening

    return open_it


def test_a_folder_of_several_scans_gives_the_finest_as_the_one_layer(opened, study):
    [layer] = opened(study)._viewer.layers
    assert layer.name.startswith("T1_FLASH")
    assert layer.visible


def test_a_folder_of_one_scan_gives_its_layer_and_no_dock(opened, tmp_path, make_scan, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr("napari_micromri.widgets.scans.opening.open_dock", lambda viewer, name: asked.append(name))
    save_scan(make_scan(name="alone"), tmp_path / "one" / "alone.nii")
    [layer] = opened(tmp_path / "one")._viewer.layers
    assert layer.name == "alone"
    assert asked == []


def test_a_folder_of_broken_scans_says_why(opened, study, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr("napari_micromri.widgets.scans.opening.show_error", told.append)
    opened(study / "20")
    assert len(told) == 1
    assert "aborted" in told[0]


def test_denoise_opens_the_selected_scan_once_and_begins(dock, qtbot, study, monkeypatch):
    fill(dock, qtbot, study)
    begun: list[str] = []
    tabs = SimpleNamespace(setCurrentIndex=lambda _: None)
    other = SimpleNamespace(tabs=tabs, start_denoising=lambda: begun.append(dock.viewer.layers.selection.active.name))
    monkeypatch.setattr("napari_micromri.widgets.scans.handing.open_dock", lambda _viewer, _name: other)
    assert not dock.form.denoise.isEnabled()
    dock.form.table.select(dock.finding.found[0])
    dock.form.table.select(dock.finding.found[1])  # something is selected already
    assert dock.form.table.picked() == [dock.finding.found[0]]
    with qtbot.waitSignal(dock.opener.ended, timeout=60_000):
        dock.form.denoise.click()
    dock.viewer.add_image(np.zeros((3, 4)))
    dock.form.denoise.click()
    assert begun == [dock.viewer.layers[0].name] * 2
    assert len(dock.viewer.layers) == 2


def test_what_is_foreseen_is_shown_until_it_is_read_and_can_not_be_taken(dock, qtbot, study):
    found, _ = find_scans([study])
    finding = Finding([str(study)])
    dock.show_finding(finding)
    finding._take([(Kind.GLIMPSED, replace(one, whole=False)) for one in found])
    assert [row[0] for row in texts(dock)] == ["T2_TurboRARE coronal", "T1_FLASH"]
    assert {row[2] for row in texts(dock)} == {"5 × 4"}  # how many slices there are isn't known
    dock.form.table.selectAll()
    assert dock.form.table.picked_or_all() == []
    assert dock.form.status.text().startswith("0 scans")
    finding._take([(Kind.FOUND, found[1])])
    assert [row[2] for row in texts(dock)] == ["5 × 4 × 3"]
    assert dock.form.table.picked_or_all() == [found[1]]


def test_where_nothing_is_ticked_all_shown_scans_are_taken(dock, qtbot, study):
    fill(dock, qtbot, study)
    table = dock.form.table
    assert table.picked() == [] and table.picked_or_all() == dock.finding.found
    table.selectRow(0)
    assert len(table.picked_or_all()) == 2  # one selected row is what one looks at
    dock.form.search.setText("flash")
    assert [one.subject for one in table.picked_or_all()] == ["mouse_08"]
    assert dock.form.many.text() == "Denoise 1"


def test_napari_asks_for_folders_until_it_is_told_not_to(dock, monkeypatch, tmp_path):
    plugins = SimpleNamespace(extension2reader={"*.tif": "other"})
    monkeypatch.setattr("napari.settings.get_settings", lambda: SimpleNamespace(plugins=plugins))
    dock.offer_folders()
    assert dock.form.asking.isVisibleTo(dock.form)
    dock.form.always.click()
    assert not dock.form.asking.isVisibleTo(dock.form)
    assert plugins.extension2reader == {"*.tif": "other", "*/": "napari-micromri"}
    monkeypatch.setattr("napari.plugins.utils.get_settings", lambda: SimpleNamespace(plugins=plugins))
    assert get_preferred_reader(tmp_path) == "napari-micromri"


def test_ticked_scans_go_to_the_other_docks(dock, qtbot, study, monkeypatch):
    stored = np.arange(6 * 4 * 5, dtype="i2").reshape(6, 4, 5)
    series = Reconstruction(stored, protocol="DTI", groups=((3, "FG_SLICE"), (2, "FG_DIFFUSION"))).write(study, 13)
    write_beside(series, "method", {"PVM_DwEffBval": "( 2 )\n0 800"})
    fill(dock, qtbot, study)
    asked: list[tuple[str, tuple[Path, ...]]] = []

    class Other:
        def ask_new_study(self, *sources: Path, target: Path) -> None:
            asked.append((opened[-1], sources))
            assert target == study.parent / "mouse_07.mri.zarr"

    opened: list[str] = []
    monkeypatch.setattr(
        "napari_micromri.widgets.scans.handing.open_dock", lambda viewer, name: opened.append(name) or Other()
    )
    dock.form.tick_all.click()
    dock.form.study.click()
    [(name, sources)] = asked
    assert name == "Study and slice curation"
    assert {str(path.relative_to(study)) for path in sources} == {f"{k}/pdata/1" for k in (3, 12, 13)}
    many: list[tuple[list[str], Path]] = []
    monkeypatch.setattr("napari_micromri.widgets.many.tab.many_scans", lambda _, *given: many.append(given))
    dock.form.many.click()
    assert many == [([str(path) for path in sources], study.parent / "mouse_07_denoised")]
    with qtbot.waitSignal(dock.opener.ended, timeout=60_000):
        dock.form.ivim.click()
    assert opened[-1] == "IVIM maps"
    [layer] = dock.viewer.layers
    assert layer.metadata["micromri"].b_values == (0, 800)
