"""The dock on studies on the disk, with the viewer's model and no window of napari."""

from __future__ import annotations

import json

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from napari_micromri.errors import StudyError
from napari_micromri.study.cropping import whole
from napari_micromri.study.model import Crop, Exclude
from napari_micromri.study.store import Study
from napari_micromri.widgets.study.dock import StudyWidget
from napari_micromri.widgets.study.tree import Filter


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def make_dock(viewer, qtbot):
    def make(viewer=viewer):
        widget = StudyWidget(viewer)
        qtbot.addWidget(widget, before_close_func=lambda widget: widget.shut_down())
        widget.show()
        return widget

    return make


@pytest.fixture
def open_dock(make_dock, study_path, qtbot):
    """Make a dock with the study open."""

    def make(**how):
        dock = make_dock(**how)
        dock.open_study(study_path)
        qtbot.waitUntil(lambda: dock.curator.session is not None)
        qtbot.waitUntil(lambda: dock._job is None)
        return dock

    return make


@pytest.fixture
def dock(open_dock):
    return open_dock()


def show(qtbot, dock, key, index=None):
    dock.curator.open_pair(key, index)
    qtbot.waitUntil(lambda: dock.curator.pair is not None and dock.curator.pair.key == key)
    qtbot.waitUntil(lambda: dock.curator.loading is None)


def suspect(dock, *found):
    session = dock.curator.session
    session.suspicions = session.suspected = list(found)
    session.scores = {(one.key, one.index): one for one in found}
    dock.refresh()


def keys(dock):
    return [pair.key for pair in dock.curator.session.pairs]


def excluded(path, key):
    return dict(Study.open(path).pairs_by_key[key].marks.excluded)


def press(owner, key):
    {str(one): action for one, action in owner.keymap.items()}[key](owner)


# Opening


def test_without_a_study_the_dock_says_what_to_do(make_dock):
    dock = make_dock()
    assert "New study" in dock.header.hint.text()
    assert not dock.tabs.isTabEnabled(1)
    assert dock.header.reopen.isHidden()


def test_an_open_study_shows_its_tree_and_split(dock, study_path):
    assert dock.header.path.text() == str(study_path)
    assert sorted(dock.pairs.tree.leaves) == keys(dock)
    assert "train" in dock.split.summary.text()
    assert "under Pairs" in dock.header.hint.text()
    assert dock.header.read_only.isHidden()


def test_the_study_that_was_open_last_is_offered(dock, make_dock, qtbot, study_path):
    second = make_dock(ViewerModel())
    assert second.header.reopen.text() == f"Reopen {study_path.name}"
    qtbot.mouseClick(second.header.reopen, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: second.curator.session is not None)
    assert second.header.reopen.isHidden()


def test_what_is_no_study_is_said_and_the_open_one_stays(dock, tmp_path, shown, qtbot):
    session = dock.curator.session
    dock.open_study(tmp_path)
    qtbot.waitUntil(lambda: dock._job is None)
    assert dock.curator.session is session
    assert str(tmp_path) in dock.status.text()
    assert [str(one.message) for one in shown] == [dock.status.text()]


def test_opening_another_study_takes_the_pair_away(dock, viewer, qtbot, other_study_path):
    show(qtbot, dock, keys(dock)[0])
    dock.open_study(other_study_path)
    qtbot.waitUntil(lambda: dock._job is None)
    assert dock.header.path.text() == str(other_study_path)
    assert len(viewer.layers) == 0
    assert not dock.keys.bound


# Pairs and slices


def test_a_double_click_shows_the_pair(dock, viewer, qtbot):
    key = keys(dock)[1]
    leaf = dock.pairs.tree.leaves[key]
    dock.pairs.tree.itemActivated.emit(leaf, 0)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    assert [layer.name[-2:] for layer in viewer.layers] == ["HR", "LR"]
    assert dock.pairs.tree.current_key == key
    assert dock.slices.table.rows_model.rowCount() == dock.curator.pair.slice_count
    assert "SNR" in dock.pairs.report.text()


def test_x_excludes_saves_and_keeps_again(dock, viewer, qtbot, study_path):
    key = keys(dock)[0]
    show(qtbot, dock, key, 1)
    press(viewer, "2")
    press(viewer.layers[-1], "X")
    assert excluded(study_path, key) == {1: "motion"}
    assert dock.curator.index == 2
    assert "Slice 1 · z 8 mm is excluded (motion)" in dock.status.text()
    press(viewer, "P")
    assert dock.slices.table.rows_model.rows[1][2].text.startswith("excluded: motion")
    assert dock.slices.exclude.text() == "Keep (X)"
    assert viewer.canvas.overlays.text.text == "excluded: motion"
    assert dock.pairs.tree.leaves[key].text(1) == "3/4"
    press(viewer, "X")
    assert excluded(study_path, key) == {}
    assert dock.curator.index == 1
    assert not viewer.canvas.overlays.text.visible


@pytest.mark.parametrize("means_it", [True, False])
def test_x_asks_in_3d_view_where_no_single_slice_is_seen(dock, viewer, qtbot, study_path, monkeypatch, means_it):
    key = keys(dock)[0]
    show(qtbot, dock, key, 1)
    asked = []

    def answer(parent, title, text):
        asked.append(text)
        return QMessageBox.StandardButton.Yes if means_it else QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", answer)
    viewer.dims.ndisplay = 3
    press(viewer, "X")
    assert len(asked) == 1 and "slice 1 · z" in asked[0]
    assert excluded(study_path, key) == ({1: "noise"} if means_it else {})


def test_a_digit_changes_the_reason_of_an_excluded_slice(dock, viewer, qtbot, study_path):
    key = keys(dock)[0]
    show(qtbot, dock, key, 0)
    press(viewer, "X")
    press(viewer, "P")
    press(viewer, "4")
    assert excluded(study_path, key) == {0: "outside"}
    assert dock.slices.current_reason == "outside"
    press(viewer, "N")
    press(viewer, "1")
    assert excluded(study_path, key) == {0: "outside"}


def test_undo_and_redo_take_every_mark_back_and_forth(dock, viewer, qtbot, study_path):
    key = keys(dock)[0]
    show(qtbot, dock, key, 0)
    press(viewer, "X")
    press(viewer, "X")
    for left in ({0: "noise"}, {}):
        qtbot.mouseClick(dock.header.undo, Qt.MouseButton.LeftButton)
        assert excluded(study_path, key) == left
    assert not dock.header.undo.isEnabled()
    qtbot.mouseClick(dock.header.redo, Qt.MouseButton.LeftButton)
    assert excluded(study_path, key) == {0: "noise"}


def test_reopening_shows_the_same_marks(dock, viewer, qtbot, study_path):
    key = keys(dock)[0]
    show(qtbot, dock, key, 1)
    press(viewer, "X")
    dock.curator.use(None)
    assert len(viewer.layers) == 0
    dock.open_study(study_path)
    qtbot.waitUntil(lambda: dock.curator.session is not None)
    show(qtbot, dock, key, 1)
    assert viewer.canvas.overlays.text.text == "excluded: too noisy"


def test_keys_in_the_dock_curate_and_undo(dock, viewer, qtbot):
    show(qtbot, dock, keys(dock)[0], 1)
    dock.tabs.setCurrentWidget(dock.slices)
    table, control = dock.slices.table, Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(table, Qt.Key.Key_X)
    assert dock.curator.pair.marks.excluded == {1: "noise"}
    qtbot.keyClick(table, Qt.Key.Key_Z, control)
    assert not dock.curator.pair.marks.excluded
    qtbot.keyClick(table, Qt.Key.Key_Z, control | Qt.KeyboardModifier.ShiftModifier)
    assert dock.curator.pair.marks.excluded
    qtbot.keyClick(dock.pairs.text, Qt.Key.Key_X)
    assert dock.curator.pair.marks.excluded


def test_n_and_p_move_and_a_click_on_the_table_goes_there(dock, viewer, qtbot):
    show(qtbot, dock, keys(dock)[0], 0)
    press(viewer, "N")
    press(viewer, "N")
    press(viewer, "P")
    assert dock.curator.index == 1
    assert dock.slices.table.selectionModel().selectedRows()[0].row() == 1
    dock.slices.table.chosen.emit(3)
    assert dock.curator.index == 3


def test_s_goes_through_suspicious_slices_and_on_to_the_next_pair(dock, viewer, qtbot, suspected):
    first, second = keys(dock)[:2]
    suspect(dock, suspected(second, 2, 0.9), suspected(first, 1, 0.8))
    assert dock.suspicious.table.rows_model.rowCount() == 2
    show(qtbot, dock, first, 0)
    press(viewer, "S")
    assert dock.curator.index == 1
    assert dock.slices.current_reason == "ghost"
    press(viewer, "S")
    qtbot.waitUntil(lambda: dock.curator.pair.key == second)
    assert dock.curator.index == 2
    assert dock.suspicious.table.selectionModel().selectedRows()[0].row() == 0
    press(viewer, "X")
    assert dock.curator.pair.marks.excluded == {2: "ghost"}
    press(viewer, "P")
    press(viewer, "P")
    assert dock.slices.current_reason == "noise"
    dock.suspicious.table.chosen.emit(1)
    qtbot.waitUntil(lambda: dock.curator.pair.key == first)
    assert dock.curator.index == 1


def test_nothing_is_excluded_by_itself(dock, qtbot, study_path):
    for key in keys(dock)[:2]:
        show(qtbot, dock, key, 0)
    assert not any(pair.marks.excluded for pair in Study.open(study_path).pairs())


def test_a_pair_that_cannot_be_read_is_said(dock, viewer, qtbot, monkeypatch, shown):
    def fail(study, pair, progress, should_stop):
        raise StudyError("A file of this pair is missing.")

    monkeypatch.setattr("napari_micromri.widgets.study.curator.load_pair", fail)
    dock.curator.open_pair(keys(dock)[0])
    qtbot.waitUntil(lambda: dock.status.text() == "A file of this pair is missing.")
    qtbot.waitUntil(lambda: dock.curator.loading is None)
    assert len(viewer.layers) == 0


def test_closing_the_dock_gives_the_keys_back_and_leaves_the_layers(dock, viewer, qtbot):
    show(qtbot, dock, keys(dock)[0], 0)
    press(viewer, "X")
    assert viewer.keymap
    dock.shut_down()
    assert not viewer.keymap
    assert not viewer.canvas.overlays.text.visible
    assert len(viewer.layers) == 2


def test_removing_the_pair_gives_the_keys_back(dock, viewer, qtbot):
    show(qtbot, dock, keys(dock)[0])
    viewer.layers.clear()
    assert not viewer.keymap
    assert dock.slices.table.rows_model.rowCount() == 0


# Others at work, and studies that can't be written


def test_marks_of_another_window_are_picked_up(dock, viewer, qtbot, study_path):
    key = keys(dock)[0]
    show(qtbot, dock, key, 2)
    Study.open(study_path).apply([Exclude(key, 2, "ghost")])
    dock.curator.look_again()
    assert dock.slices.table.rows_model.rows[2][2].text.startswith("excluded: ghost")
    assert viewer.canvas.overlays.text.text == "excluded: ghost"
    assert "nother window" in dock.status.text()
    dock.status.setText("")
    dock.curator.look_again()
    assert dock.status.text() == ""


def test_a_read_only_study_keeps_marks_for_export(open_dock, viewer, qtbot, study_path, read_only, tmp_path):
    read_only(study_path)
    dock = open_dock()
    assert not dock.header.read_only.isHidden()
    key = keys(dock)[0]
    show(qtbot, dock, key, 1)
    press(viewer, "X")
    assert dock.curator.pair.marks.excluded == {1: "noise"}
    assert excluded(study_path, key) == {}
    dock.marks.export_to(tmp_path / "marks.json")
    assert "noise" in (tmp_path / "marks.json").read_text(encoding="utf-8")


def test_marks_travel_from_dock_to_dock(dock, viewer, qtbot, tmp_path, study_path):
    key = keys(dock)[0]
    show(qtbot, dock, key, 1)
    press(viewer, "X")
    dock.marks.export_to(tmp_path / "marks.json")
    assert json.loads((tmp_path / "marks.json").read_text(encoding="utf-8"))
    press(viewer, "P")
    press(viewer, "X")
    dock.marks.import_from(tmp_path / "marks.json")
    qtbot.waitUntil(lambda: "imported" in dock.status.text())
    assert excluded(study_path, key) == {1: "noise"}
    dock.curator.undo()
    assert excluded(study_path, key) == {}


def test_a_wrong_file_of_marks_is_said(dock, qtbot, tmp_path, shown):
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    dock.marks.import_from(tmp_path / "x.json")
    qtbot.waitUntil(lambda: "x.json" in dock.status.text())
    assert [str(one.message) for one in shown] == [dock.status.text()]
    assert not dock.curator.session.history.can_undo


# Filter, crop and split


def test_the_filter_shortens_the_tree(dock):
    wanted = dock.curator.session.pairs[0]
    dock.pairs.text.setText(wanted.subject)
    assert set(dock.pairs.tree.leaves) == {p.key for p in dock.curator.session.pairs if p.subject == wanted.subject}
    assert dock.pairs.filter == Filter(wanted.subject)
    dock.pairs.suspicious.setChecked(True)
    dock.pairs.text.clear()
    assert set(dock.pairs.tree.leaves) == dock.curator.session.suspicious_keys


def test_a_drawn_crop_is_snapped_and_kept_for_one_pair_or_all_alike(dock, viewer, qtbot, study_path):
    key = keys(dock)[0]
    show(qtbot, dock, key)
    pair = dock.curator.pair
    qtbot.mouseClick(dock.crop.draw, Qt.MouseButton.LeftButton)
    outline = dock.curator.view.outline
    assert viewer.layers.selection.active is outline
    step = pair.hr.shape[1] // pair.cells[0]
    height = pair.hr.info.voxel_size[-2]
    before = dock.cropping.draft
    outline.data = [(outline.data[0] - [[0.3 * step * height, 0]] * 4, "rectangle")]
    qtbot.waitUntil(lambda: dock.cropping.draft != before)
    draft = dock.cropping.draft
    assert draft.top % step == draft.bottom % step == 0
    dock.crop.scope.setCurrentIndex(1)
    dock.cropping.use()
    stored = Study.open(study_path).pairs_by_key
    alike = dock.curator.session.alike(key)
    assert len(alike) > 1
    assert {stored[one].marks.crop for one in alike} == {draft}
    dock.curator.undo()
    assert all(p.marks.crop is None for p in Study.open(study_path).pairs())
    assert dock.curator.view.outline is None


def test_cancel_forgets_the_drawn_crop(dock, viewer, qtbot):
    show(qtbot, dock, keys(dock)[0])
    dock.cropping.draw()
    assert not dock.crop.use.isHidden()
    assert "yellow" in dock.header.hint.text()
    dock.cropping.cancel()
    assert dock.crop.use.isHidden()
    assert len(viewer.layers) == 2
    assert not dock.header.undo.isEnabled()


def test_suggest_crops_around_the_animal_and_remove_takes_it_away(dock, qtbot, monkeypatch, study_path):
    found = Crop(0, 8, 0, 8)
    monkeypatch.setattr("napari_micromri.study.cropping.suggest_crop", lambda pair, hr, margin=1.0: found)
    key = keys(dock)[0]
    show(qtbot, dock, key)
    dock.cropping.suggest()
    qtbot.waitUntil(lambda: dock.curator.pair.marks.crop == found)
    qtbot.waitUntil(lambda: dock.cropping._job is None)
    assert dock.curator.view.outline is not None
    dock.cropping.remove()
    assert Study.open(study_path).pairs_by_key[key].marks.crop is None


def test_suggest_says_when_there_is_no_background_and_keeps_the_crop(dock, qtbot, monkeypatch, study_path):
    key = keys(dock)[0]
    kept = Crop(0, 8, 0, 8)
    dock.curator.crop({key: kept})
    monkeypatch.setattr("napari_micromri.study.cropping.suggest_crop", lambda pair, hr, margin=1.0: whole(pair))
    show(qtbot, dock, key)
    dock.cropping.suggest()
    qtbot.waitUntil(lambda: "no background to leave out" in dock.status.text())
    assert Study.open(study_path).pairs_by_key[key].marks.crop == kept


def test_a_subject_is_put_into_a_set_from_tree_or_tab(dock, study_path):
    subject = dock.curator.session.study.subjects[0]
    dock.pairs.assigned.emit(subject, "test")
    assert Study.open(study_path).split == {subject: "test"}
    assert "test 1" in dock.split.summary.text()
    dock.split.assigned.emit(subject, "validation")
    assert Study.open(study_path).split == {subject: "validation"}
    dock.curator.undo()
    assert Study.open(study_path).split == {subject: "test"}


def test_presets_split_all_subjects_in_one_step(dock, study_path, shown):
    dock.split.validation.setValue(34)
    dock.split.test.setValue(34)
    dock.splitting.at_random()
    split = Study.open(study_path).split
    assert set(split.values()) == {"train", "validation", "test"}
    dock.curator.undo()
    assert Study.open(study_path).split == {}
    dock.splitting.as_in_the_report()  # none of the subjects is in the report
    assert len(shown) == 1
    assert dock.status.text() == str(shown[0].message)


def test_the_dock_is_no_wider_than_it_has_to_be(dock, qtbot):
    show(qtbot, dock, keys(dock)[0])
    for k in range(dock.tabs.count()):
        dock.tabs.setCurrentIndex(k)
        assert dock.minimumSizeHint().width() <= 340, dock.tabs.tabText(k)
    assert dock.minimumSizeHint().height() <= 700


def test_what_a_column_cuts_off_stands_below_the_list(dock, qtbot, suspected):
    key = keys(dock)[0]
    suspect(dock, suspected(key, 2, 0.9, ("a ghost in HR", "noise")))
    show(qtbot, dock, key, 2)
    for tab in (dock.slices, dock.suspicious):
        assert "2 · z 11 mm" in tab.noticed.text()
        assert "a ghost in HR; noise" in tab.noticed.text()
        assert tab.noticed.wordWrap()
    dock.slices.table.chosen.emit(1)
    assert dock.slices.noticed.text() == ""
    assert dock.suspicious.noticed.text() == ""
