"""The tab "Many scans", its job done in a thread here instead of in a process of its own."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
from napari.components import ViewerModel

from napari_micromri.errors import InputError
from napari_micromri.inference.many import job
from napari_micromri.io import open_scan, save_scan
from napari_micromri.progress import never
from napari_micromri.runs.presence import Presence, write_presence
from napari_micromri.widgets.denoise import DenoiseWidget
from napari_micromri.widgets.many import model
from napari_micromri.widgets.many.model import ManyState, make_request
from napari_micromri.widgets.many.tab import ManyTab, many_scans


@pytest.fixture
def scans(tmp_path, make_scan):
    folder = tmp_path / "in"
    for name in ("good", "phase"):
        save_scan(make_scan((2, 8, 8), name=name), folder / f"{name}.nii.gz")
    return folder


@pytest.fixture
def work(monkeypatch, denoiser):
    """Denoise by copying; the scan "phase" is refused. Gives what was asked for, one task a scan."""
    tasks = []

    def denoise_one(task, progress, should_stop):
        tasks.append(task)
        if "phase" in task.source:
            raise InputError("phase is no magnitude image.")
        save_scan(open_scan(task.source)[0], f"{task.folder}/{task.file}", overwrite=True)
        return {"content": task.file, "file": task.file, "snr": 12.3, "verdict": "fits the scan", "seconds": 4.0}

    def start_job(folder):
        write_presence(folder.presence, Presence.of(2**22 + 1))  # a process that has ended
        list(job.run_many(folder, never))

    monkeypatch.setattr(job, "denoise_one", denoise_one)
    monkeypatch.setattr(model, "start_job", start_job)
    monkeypatch.setattr("napari_micromri.nn.registry.find_model", str)
    return tasks


@pytest.fixture
def tab(work, qtbot):
    made = ManyTab(ViewerModel())
    qtbot.addWidget(made, before_close_func=lambda widget: widget.shut_down())
    made.show()
    return made


def lines(tab):
    table = tab.form.table
    return [[table.item(k, c).text() for c in range(table.columnCount())] for k in range(table.rowCount())]


def run(qtbot, tab):
    assert tab.form.start.isEnabled()
    tab.form.start.click()
    qtbot.waitUntil(lambda: tab._job is None and tab.snapshot is not None and tab.snapshot.job.state == "done")


def test_the_tab_says_what_is_missing(tab, tmp_path, scans):
    assert not tab.form.start.isEnabled()
    assert "Add folders" in tab.form.hint.text()
    tab.add([str(scans), str(scans)])
    assert tab.form.inputs.count() == 1
    assert "Choose a folder" in tab.form.hint.text()
    tab.use_folder(tmp_path / "out")
    assert tab.form.start.isEnabled()
    tab.form.remove.click()
    assert not tab.form.start.isEnabled()


def test_scans_are_denoised_into_the_folder_and_those_left_out_say_why(tab, qtbot, tmp_path, scans, work):
    tab.add([str(scans)])
    tab.use_folder(tmp_path / "out")
    tab.form.name.setText("{name} dn")
    tab.form.ending.setCurrentText("NIfTI")
    tab.form.device.setCurrentText("CPU")
    tab.form.quality.setCurrentText("best")
    run(qtbot, tab)
    qtbot.waitUntil(lambda: tab.form.table.rowCount() == 2)
    assert sorted(lines(tab)) == [
        ["good.nii.gz", "12.3", "fits the scan", "4.0 s"],
        ["phase.nii.gz", "", "Left out: phase is no magnitude image.", ""],
    ]
    assert "1 scan denoised" in tab.form.status.text()
    assert (tmp_path / "out" / "good dn.nii.gz").exists()
    assert work[0].options == {"device": "cpu", "quality": "best"}
    tab.form.opened.emit([line[0] for line in lines(tab)].index("good.nii.gz"))
    assert [layer.name for layer in tab._viewer.layers] == ["good"]


def test_scans_of_one_name_and_numbers_of_paravision_are_told_apart():
    assert model.names_of(["/a/x.nii", "/b/y.nii", "/c/y.nii", "/mouse07/2/pdata/1", "/mouse08/2/pdata/3"]) == [
        "x.nii",
        "b/y.nii",
        "c/y.nii",
        "mouse07/2",
        "mouse08/2, reconstruction 3",
    ]


def test_of_a_folder_that_was_deleted_nothing_is_said_any_more(tab, qtbot, tmp_path, scans):
    tab.add([str(scans)])
    tab.use_folder(tmp_path / "out")
    run(qtbot, tab)
    qtbot.waitUntil(lambda: "Done" in tab.form.status.text())
    shutil.rmtree(tmp_path / "out")
    qtbot.waitUntil(lambda: tab.snapshot is None)
    assert not tab.form.status.text()


def test_the_folder_is_shown_again_in_the_next_session(tab, qtbot, tmp_path, scans):
    tab.add([str(scans)])
    tab.use_folder(tmp_path / "out")
    run(qtbot, tab)
    again = ManyTab(ViewerModel())
    qtbot.addWidget(again, before_close_func=lambda widget: widget.shut_down())
    qtbot.waitUntil(lambda: again.form.table.rowCount() == 2)
    assert again.inputs == [str(scans)]
    assert again.form.start.text() == "Denoise all"


def test_results_of_another_model_are_replaced_only_when_asked(tab, qtbot, tmp_path, scans, monkeypatch):
    tab.add([str(scans)])
    tab.use_folder(tmp_path / "out")
    run(qtbot, tab)
    monkeypatch.setattr(tab, "request", lambda: make_request([str(scans)], "another"))
    tab.start()
    qtbot.waitUntil(lambda: tab._job is None)
    assert "another model" in tab.form.status.text()
    tab.form.replace.setChecked(True)
    tab.start()
    qtbot.waitUntil(lambda: tab._job is None and tab.snapshot.job.settings["config"]["model"] == "another")


@pytest.mark.parametrize(
    ("state", "label", "can_start", "can_stop"),
    [
        ("running", "Denoise all", False, True),
        ("stopped", "Resume", True, False),
        ("died", "Resume", True, False),
        ("done", "Denoise all", True, False),
    ],
)
def test_what_can_be_clicked(state, label, can_start, can_stop):
    job = SimpleNamespace(live=state == "running", resumable=state in ("stopped", "died"))
    shown = ManyState(inputs=1, has_folder=True, snapshot=SimpleNamespace(job=job, stopping=False))
    assert (shown.start_label, shown.can_start, shown.can_stop) == (label, can_start, can_stop)


def test_a_field_that_makes_no_sense_is_told():
    with pytest.raises(InputError, match="workers"):
        make_request(["a"], "unet-default", workers=0)


def test_other_docks_hand_scans_over(work, qtbot):
    viewer = ViewerModel()
    dock = DenoiseWidget(viewer)
    qtbot.addWidget(dock, before_close_func=lambda widget: widget.shut_down())
    frame = SimpleNamespace(show=lambda: None, raise_=lambda: None)
    window = SimpleNamespace(add_plugin_dock_widget=lambda *_, **__: (frame, dock))
    many_scans(SimpleNamespace(window=window), ["/data/a", "/data/b"])
    assert dock.many.inputs == ["/data/a", "/data/b"]
    assert dock.tabs.currentWidget() is dock.many_page
