"""The window "New study", from sources to a built study, with no window of napari."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt

from napari_micromri.errors import StudyError
from napari_micromri.study.plan import Plan, PlannedPair, Rejected, Simulation
from napari_micromri.widgets.study.new_study import NewStudyDialog


@pytest.fixture
def dialog(qtbot):
    widget = NewStudyDialog()
    qtbot.addWidget(widget, before_close_func=lambda widget: widget.stop())
    widget.show()
    return widget


@pytest.fixture
def scans(tmp_path, make_scan):
    from napari_micromri.io import save_scan

    folder = tmp_path / "scans"
    folder.mkdir()
    for subject in ("mouse 1", "mouse 2"):
        save_scan(make_scan((3, 24, 20), subject=subject), folder / f"{subject}.ome.zarr")
    (folder / "broken.nii").write_bytes(b"nothing")
    return folder


def click(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def find(qtbot, dialog, *sources):
    dialog.add_sources(*sources)
    click(qtbot, dialog.form.find)
    qtbot.waitUntil(lambda: dialog._job is None, timeout=20_000)


def test_first_sources_are_asked_for(dialog):
    form = dialog.form
    assert "Add the folders" in form.status.text()
    assert not form.find.isEnabled()
    assert not form.build.isEnabled()
    assert form.pair_up.isChecked() and not form.factor.isEnabled()


def test_from_good_scans_to_a_simulated_study(dialog, qtbot, scans, tmp_path):
    form = dialog.form
    qtbot.mouseClick(form.simulate, Qt.MouseButton.LeftButton)
    assert not form.pair_up.isChecked()
    form.snr.setValue(9)
    find(qtbot, dialog, scans)
    assert form.pairs.rows_model.rowCount() == 2
    assert [pair.lr.snr for pair in dialog.plan.pairs] == [9, 9]
    assert form.left_out.rows_model.rows[0][0].text == "scans/broken.nii"
    model = form.pairs.rows_model
    for line in range(2):
        model.setData(model.index(line, 1), "trunk")
    assert {pair.region for pair in dialog.plan.pairs} == {"trunk"}
    form.target.setText(str(tmp_path / "new"))
    with qtbot.waitSignal(dialog.built, timeout=30_000) as built:
        click(qtbot, form.build)
    qtbot.waitUntil(lambda: dialog._job is None)
    assert built.args == [tmp_path / "new.mri.zarr"]
    assert dialog.isHidden()

    from napari_micromri.study.store import Study

    assert [(p.subject, p.region) for p in Study.open(built.args[0]).pairs()] == [
        ("mouse 1", "trunk"),
        ("mouse 2", "trunk"),
    ]


def test_pairs_with_the_same_names_must_be_told_apart_or_left_out(dialog, qtbot, scans):
    dialog.form.simulate.setChecked(True)
    find(qtbot, dialog, scans)
    model = dialog.form.pairs.rows_model
    model.setData(model.index(1, 0), dialog.plan.pairs[0].subject)
    assert not dialog.form.build.isEnabled()
    assert model.rows[0][0].colour is not None
    dialog.form.pairs.selectRow(1)
    click(qtbot, dialog.form.leave_out)
    assert model.rowCount() == 1
    assert dialog.form.build.isEnabled()


def test_what_has_no_partner_is_listed_with_the_reason(dialog, qtbot, scans):
    find(qtbot, dialog, scans)
    assert dialog.plan.pairs == ()
    assert not dialog.form.left_out_box.isHidden()
    assert all(row[1].text for row in dialog.form.left_out.rows_model.rows)
    assert "No pairs were found" in dialog.form.status.text()


def test_good_scans_only_is_proposed_where_no_scan_has_a_partner(dialog, qtbot, scans):
    assert dialog.form.propose.isHidden()
    find(qtbot, dialog, scans)
    click(qtbot, dialog.form.propose)
    qtbot.waitUntil(lambda: len(dialog.plan.pairs) == 2, timeout=20_000)
    assert dialog.form.simulate.isChecked()
    assert dialog.form.propose.isHidden()


def test_a_wrong_table_is_said(dialog, qtbot, tmp_path, shown):
    table = tmp_path / "pairs.csv"
    table.write_text("subject,region\n", encoding="utf-8")
    find(qtbot, dialog, table)
    assert "no column" in dialog.form.status.text()
    assert [str(one.message) for one in shown] == [dialog.form.status.text()]


def test_stop_while_looking_for_pairs_promises_no_build(dialog, qtbot, monkeypatch, scans):
    import time

    from napari_micromri.errors import CancelledError

    def endless(sources, simulation, progress, should_stop):
        while not should_stop():
            time.sleep(0.002)
        raise CancelledError("stopped")

    monkeypatch.setattr("napari_micromri.widgets.study.new_study.find_plan", endless)
    dialog.add_sources(scans)
    click(qtbot, dialog.form.find)
    click(qtbot, dialog.form.stop)
    qtbot.waitUntil(lambda: dialog._job is None)
    assert dialog.form.status.text() == "Stopped. Find pairs begins again."


def test_a_text_in_a_row_of_one_line_fills_its_column(dialog):
    assert not dialog.form.pairs.wordWrap()  # else it ends at the last word that has room, with the next cut off
    dialog.form.pairs.set_lines(1, 2)
    assert dialog.form.pairs.wordWrap()


def test_stop_ends_a_build(dialog, qtbot, monkeypatch, tmp_path):
    import time

    from napari_micromri.errors import CancelledError

    def endless(plan, path, *, progress, should_stop):
        progress(1, 4)
        while not should_stop():
            time.sleep(0.002)
        raise CancelledError("stopped")

    monkeypatch.setattr("napari_micromri.study.build.build", endless)
    from napari_micromri.study.plan import Source

    pair = PlannedPair(subject="m", region="r", plane="p", lr=Simulation(), hr=Source("/a.nii"))
    dialog._found(Plan((pair,), (Rejected("/b.nii", None, "alone"),)))
    dialog.form.target.setText(str(tmp_path / "x"))
    click(qtbot, dialog.form.build)
    qtbot.waitUntil(lambda: dialog.form.progress.maximum() == 4)
    assert not dialog.form.find.isEnabled()
    click(qtbot, dialog.form.stop)
    qtbot.waitUntil(lambda: dialog._job is None)
    assert "continues from where it was" in dialog.form.status.text()
    assert dialog.form.build.isEnabled()


def test_pairs_that_fail_are_listed_and_the_window_stays(dialog, qtbot, monkeypatch, tmp_path):
    from napari_micromri.study.build import BuildResult, Failure
    from napari_micromri.study.plan import Source

    pair = PlannedPair(subject="m", region="r", plane="p", lr=Simulation(), hr=Source("/a.nii"))
    result = BuildResult(failed=(Failure(pair, "The scan is damaged."),))
    monkeypatch.setattr("napari_micromri.study.build.build", lambda *args, **how: result)
    dialog._found(Plan((pair,)))
    dialog.form.target.setText(str(tmp_path / "x"))
    click(qtbot, dialog.form.build)
    qtbot.waitUntil(lambda: dialog._job is None)
    assert not dialog.isHidden()
    assert dialog.form.left_out.rows_model.rows[0][1].text == "The scan is damaged."
    assert "1 failed" in dialog.form.status.text()


def test_a_full_disk_is_said(dialog, qtbot, monkeypatch, tmp_path, shown):
    from napari_micromri.study.plan import Source

    def fail(*args, **how):
        raise StudyError("The disk is full.")

    monkeypatch.setattr("napari_micromri.study.build.build", fail)
    pair = PlannedPair(subject="m", region="r", plane="p", lr=Simulation(), hr=Source("/a.nii"))
    dialog._found(Plan((pair,)))
    dialog.form.target.setText(str(tmp_path / "x"))
    click(qtbot, dialog.form.build)
    qtbot.waitUntil(lambda: dialog._job is None)
    assert dialog.form.status.text() == "The disk is full."


def test_sources_are_listed_once_and_can_be_removed(dialog, tmp_path):
    dialog.add_sources(tmp_path, tmp_path)
    form = dialog.form
    assert form.sources() == [tmp_path]
    assert form.target.text().endswith(".mri.zarr")
    form.source_list.item(0).setSelected(True)
    dialog._remove_source()
    assert form.sources() == []
