"""The dock on recorded runs, in a viewer without a window; no training process is started."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QAbstractButton, QLabel

from napari_micromri.errors import TrainingError
from napari_micromri.runs.events import Failed
from napari_micromri.training.run import read_run
from napari_micromri.widgets.shared.looking import Looking
from napari_micromri.widgets.training.remembered import remember_run, remembered_runs, remembered_study


@pytest.fixture
def dock(make_dock):
    return make_dock()


@pytest.fixture
def calls(monkeypatch):
    """Note what would be done to processes."""
    noted = []
    for name in ("stop_run", "resume_run"):
        monkeypatch.setattr(
            f"napari_micromri.training.process.{name}", lambda path, name=name, **how: noted.append((name, path, how))
        )
    return noted


def click(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def opened(qtbot, dock, recorded, **how):
    dock.run.open_run(recorded.folder.path, **how)
    qtbot.waitUntil(lambda: dock.run.run is not None)
    return dock.run


# Looking


def test_a_look_brings_its_result_in_the_windows_thread_and_again(qtbot):
    parent, seen, threads = QObject(), [], []
    looking = Looking(lambda: threads.append(threading.get_ident()) or len(threads), parent, every_ms=5)
    looking.seen.connect(seen.append)
    looking.look()
    qtbot.waitUntil(lambda: len(seen) >= 3)
    looking.stop()
    assert seen[:3] == [1, 2, 3]
    assert threading.get_ident() not in threads
    count = len(threads)
    qtbot.wait(40)
    assert len(threads) == count


def test_a_look_that_fails_is_told_and_one_that_was_stopped_says_nothing(qtbot):
    parent, told, gate = QObject(), [], threading.Event()

    def fail():
        raise TrainingError("The disk is gone.")

    looking = Looking(fail, parent)
    looking.failed.connect(told.append)
    looking.look()
    qtbot.waitUntil(lambda: told == ["The disk is gone."])
    slow = Looking(gate.wait, parent)
    slow.seen.connect(told.append)
    slow.look()
    slow.look()
    assert slow.busy
    slow.stop()
    gate.set()
    qtbot.wait(60)
    assert told == ["The disk is gone."]


def test_a_fault_in_a_look_is_shown_once_and_ends_it(qtbot, shown):
    parent, told = QObject(), []
    looking = Looking(lambda: 1 / 0, parent, every_ms=5)
    looking.failed.connect(told.append)
    with qtbot.captureExceptions() as caught:
        looking.look()
        qtbot.waitUntil(lambda: bool(told))
        qtbot.wait(60)
    [sentence] = told
    assert "division by zero" in sentence
    assert [type(record.exception) for record in shown] == [ZeroDivisionError]
    assert not caught


# Set up


def test_first_a_study_is_asked_for(dock):
    form = dock.setup.form
    assert "Choose a study" in form.hint.text()
    assert not form.start.isEnabled()
    assert not form.estimate.isEnabled()
    assert form.preset.currentText() == "quick"
    assert "No run is open" in dock.run.form.empty.text()


def test_from_a_study_to_a_run_that_starts(dock, qtbot, study, monkeypatch, record):
    begun = []

    def start(config, study, path):
        record(path.name).at_work()
        begun.append((config, study, path))

    monkeypatch.setattr("napari_micromri.widgets.training.setup_tab.start_run", start)
    form = dock.setup.form
    dock.setup.studies.use(study)
    qtbot.waitUntil(form.start.isEnabled)
    assert "train: 2 subjects, 24 slices" in form.summary.text()
    assert "one animal" in form.warning.text()
    assert form.folder.text() == str(study.parent / "runs" / "mice-quick-1")
    epochs = dock.setup.fields.fields["epochs"]
    epochs.setText("none at all")
    assert "epochs" in form.hint.text()
    assert not form.start.isEnabled()
    epochs.setText("3")
    click(qtbot, form.start)
    assert not form.start.isEnabled()
    qtbot.waitUntil(lambda: dock.run.run is not None)
    [(config, used, path)] = begun
    assert (config.epochs, config.batch_size, used) == (3, 8, study)
    assert path == study.parent / "runs" / "mice-quick-1"
    assert dock.tabs.currentWidget() is dock.run
    assert dock.run.form.state.text() == "Starting"
    assert remembered_runs() == [path]
    assert remembered_study() == study
    assert form.folder.text().endswith("mice-quick-2")


def test_a_start_that_is_refused_says_why(dock, qtbot, study, monkeypatch, shown):
    def start(config, study, path):
        raise TrainingError("The disk is full.")

    monkeypatch.setattr("napari_micromri.widgets.training.setup_tab.start_run", start)
    dock.setup.studies.use(study)
    qtbot.waitUntil(dock.setup.form.start.isEnabled)
    dock.setup.start()
    qtbot.waitUntil(lambda: dock.setup.form.hint.text() == "The disk is full.")
    assert [record.message for record in shown] == ["The disk is full."]
    assert dock.setup.form.start.isEnabled()
    assert dock.tabs.currentWidget() is dock.setup


def test_the_summary_follows_the_curation(dock, qtbot, study):
    from napari_micromri.study.model import Assign
    from napari_micromri.study.store import Study

    dock.setup.studies.use(study)
    qtbot.waitUntil(dock.setup.form.start.isEnabled)
    Study.open(study).apply([Assign("mouse 03", "train")])
    qtbot.waitUntil(lambda: "validation set is empty" in dock.setup.form.hint.text(), timeout=10_000)
    assert not dock.setup.form.start.isEnabled()


def test_a_study_that_is_none_is_told(dock, qtbot, tmp_path):
    dock.setup.studies.use(tmp_path)
    qtbot.waitUntil(lambda: "Looking" not in dock.setup.form.hint.text())
    assert str(tmp_path) in dock.setup.form.hint.text()


def test_the_study_of_the_study_dock_is_offered(make_dock, monkeypatch, study, qtbot):
    monkeypatch.setattr("napari_micromri.widgets.training.study_chooser.recent", lambda: study)
    dock = make_dock()
    assert dock.setup.studies.current == study
    assert dock.setup.form.study.currentText() == "mice"
    dock.setup.form.study.opening.emit()
    assert dock.setup.studies.paths == [study]


def test_presets_fill_the_fields_and_name_the_folder(dock, qtbot, study):
    form = dock.setup.form
    dock.setup.studies.use(study)
    form.preset.setCurrentText("tuned")
    assert dock.setup.fields.texts()["network.features_main"] == "128, 128, 64"
    assert form.folder.text().endswith("mice-tuned-1")
    form.folder.setText(str(study.parent / "mine"))
    form.preset.setCurrentText("first-run")
    assert form.folder.text() == str(study.parent / "mine")
    assert "report's first network" in form.preset_about.text()


def test_fine_tuning_starts_from_the_shipped_model(dock):
    form = dock.setup.form
    assert form.start_from.currentText() == "scratch"
    form.preset.setCurrentText("fine-tune")
    assert form.start_from.currentText() == "unet-default"
    assert dock.setup.config().init_from == "unet-default"
    dock.setup.fields.more.setChecked(True)
    assert not dock.setup.fields.fields["network.residual"].isVisible()
    form.start_from.setCurrentText("scratch")
    assert dock.setup.config().init_from is None
    assert dock.setup.fields.fields["network.residual"].isVisible()


def test_a_diffusion_model_is_set_up_beside_the_unet(dock, qtbot):
    form = dock.setup.form
    form.family.setCurrentText("APDDM")
    assert form.preset.currentText() == "apddm"
    assert form.start_from.currentText() == "unet-default"
    dock.setup.fields.more.setChecked(True)
    steps = dock.setup.fields.fields["apddm.steps"]
    qtbot.waitUntil(steps.isVisible)
    steps.setText("40")
    config = dock.setup.config()
    assert (config.kind, config.init_from, config.apddm.steps) == ("apddm", "unet-default", 40)
    form.start_from.setCurrentText("apddm-default")
    assert not steps.isVisible()
    form.family.setCurrentText("UNet")
    assert "apddm.steps" not in dock.setup.fields.fields
    assert dock.setup.config().kind == "unet"


def test_a_file_to_go_on_from(dock, tmp_path, shown):
    import shutil

    from napari_micromri.nn.registry import find_model

    model = tmp_path / "run" / "best.safetensors"
    model.parent.mkdir()
    shutil.copy(find_model("unet-default"), model)
    dock.setup.start_from.use_file(model, dock.setup.family)
    assert dock.setup.form.start_from.currentText() == "run/best.safetensors"
    assert dock.setup.config().init_from == str(model)
    model.write_bytes(b"nothing")
    dock.setup.start_from.use_file(model, dock.setup.family)
    dock.setup.start_from.use_file(find_model("apddm-default"), dock.setup.family)
    first, second = (record.message for record in shown)
    assert str(model) in first
    assert "Choose a UNet" in second


def test_an_estimate_is_shown_and_can_be_stopped(dock, qtbot, study, monkeypatch):
    from napari_micromri.errors import CancelledError
    from napari_micromri.training.forecast import Forecast

    def forecast(config, path, *, should_stop):
        if config.epochs == 4:
            return Forecast(2.0, 2**20, "cpu")
        while not should_stop():
            threading.Event().wait(0.005)
        raise CancelledError("stopped")

    monkeypatch.setattr("napari_micromri.training.forecast.forecast", forecast)
    form, epochs = dock.setup.form, dock.setup.fields.fields["epochs"]
    dock.setup.studies.use(study)
    qtbot.waitUntil(form.estimate.isEnabled)
    epochs.setText("4")
    click(qtbot, form.estimate)
    qtbot.waitUntil(lambda: "About 2.0 s per epoch, 8.0 s for 4 epochs" in form.hint.text())
    qtbot.waitUntil(form.start.isEnabled)
    epochs.setText("5")
    click(qtbot, form.estimate)
    assert form.estimate.text() == "Stop estimate"
    assert not form.start.isEnabled()
    click(qtbot, form.estimate)
    qtbot.waitUntil(form.start.isEnabled)
    assert form.hint.text() == ""


# Run


def test_a_run_is_followed(dock, qtbot, record, viewer):
    recorded = record().start().at_work(epoch=1, batch=2)
    tab = opened(qtbot, dock, recorded)
    form = tab.form
    assert form.state.text() == "Running"
    assert form.sentence.text() == "Epoch 1 of 4, batch 2 of 5"
    assert (form.stop.isEnabled(), form.resume.isEnabled(), form.use.isEnabled()) == (True, False, False)
    recorded.learn(1, 0.25)
    qtbot.waitUntil(lambda: form.loss.labels == ["training", "validation", "input"])
    qtbot.waitUntil(lambda: form.quality.labels == ["Reconstruction error", "Noise of input"])
    recorded.finish()
    qtbot.waitUntil(lambda: form.state.text() == "Done")
    assert form.use.isEnabled()
    assert not form.stop.isEnabled()
    qtbot.waitUntil(lambda: form.runs.currentText() == "first (done)")


def test_the_validation_slice_follows_the_network_and_its_history_can_be_seen(dock, qtbot, record, viewer):
    recorded = record().start().at_work().learn(1, 0.2)
    form = opened(qtbot, dock, recorded).form
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    assert [layer.name for layer in viewer.layers] == ["first LR", "first DL epoch 1", "first HR"]
    assert [layer.visible for layer in viewer.layers] == [True, True, False]
    lr, dl, hr = viewer.layers
    for layer in viewer.layers:
        assert str(layer.units[-1]) == "millimeter"
    np.testing.assert_allclose(lr.extent.world[1] + 0.1, hr.extent.world[1] + 0.05)
    assert tuple(dl.contrast_limits) == tuple(hr.contrast_limits)
    hr.contrast_limits = (3, 30)
    recorded.learn(2, 0.1)
    qtbot.waitUntil(lambda: dl.name == "first DL epoch 2")
    assert (dl.data == 2).all()
    assert form.history_label.text() == "Epoch 2"
    assert tuple(hr.contrast_limits) == (3, 30)
    form.history.setValue(0)
    qtbot.waitUntil(lambda: dl.name == "first DL epoch 1")
    recorded.learn(3, 0.1)
    qtbot.waitUntil(lambda: form.history.maximum() == 2)
    assert (dl.data == 1).all()
    form.history.setValue(2)
    qtbot.waitUntil(lambda: bool((dl.data == 3).all()))
    assert len(viewer.layers) == 3


def test_a_run_with_a_history_is_shown_as_it_is_now(dock, qtbot, record, viewer):
    recorded = record().start().learn(1, 0.2).learn(2, 0.1).learn(3, 0.1)
    form = opened(qtbot, dock, recorded).form
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    assert viewer.layers[1].name == "first DL epoch 3"
    assert "slice 3 · z 1.5 mm" in form.show_slice.toolTip()
    form.history.setValue(0)
    opened(qtbot, dock, record("next").start().learn(1, 0.2).learn(2, 0.1))
    qtbot.waitUntil(lambda: viewer.layers[1].name == "next DL epoch 2")


def test_the_layers_go_and_come_with_their_box(dock, qtbot, record, viewer):
    form = opened(qtbot, dock, record().start().learn(1, 0.2)).form
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    form.side_by_side.setChecked(True)
    assert viewer.canvas.grid.enabled
    form.show_slice.setChecked(False)
    assert len(viewer.layers) == 0
    assert not viewer.canvas.grid.enabled
    form.show_slice.setChecked(True)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    assert viewer.canvas.grid.enabled
    viewer.layers.remove(viewer.layers[0])
    assert not form.show_slice.isChecked()
    assert len(viewer.layers) == 0


def test_another_run_takes_the_place_of_the_one_that_is_shown(dock, qtbot, record, viewer):
    first, second = (record(name).start().learn(1, 0.2) for name in ("first", "second"))
    opened(qtbot, dock, first)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    viewer.layers[1].contrast_limits = (0, 1)
    opened(qtbot, dock, second)
    qtbot.waitUntil(lambda: viewer.layers[0].name == "second LR")
    assert len(viewer.layers) == 3
    assert tuple(viewer.layers[1].contrast_limits) != (0, 1)
    assert remembered_runs() == [second.folder.path, first.folder.path]
    assert dock.run.form.runs.count() == 2


def test_a_run_that_failed_at_once_leaves_nothing_of_the_one_before_in_sight(dock, qtbot, record, viewer):
    form = opened(qtbot, dock, record("first").start().learn(1, 0.2)).form
    qtbot.waitUntil(lambda: len(viewer.layers) == 3 and form.loss.isVisibleTo(form))
    opened(qtbot, dock, record("second").tell(Failed(message="This machine has no device 'cuda:7'.")))
    qtbot.waitUntil(lambda: len(viewer.layers) == 0)
    assert not form.loss.isVisibleTo(form)
    assert form.show_slice.isChecked()


def test_a_damaged_image_is_told_and_the_curves_go_on(dock, qtbot, record, viewer, shown):
    recorded = record().start().learn(1, 0.2)
    (recorded.folder.images / "epoch_0001.npy").write_bytes(b"no array")
    opened(qtbot, dock, recorded)
    qtbot.waitUntil(lambda: bool(shown))
    assert "epoch_0001.npy" in shown[0].message
    assert len(viewer.layers) == 0
    recorded.learn(2, 0.1)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)


def test_stop_is_asked_once_and_then_ends_the_process(dock, qtbot, record, calls):
    recorded = record().start().at_work(epoch=1, batch=1)
    form = opened(qtbot, dock, recorded).form
    click(qtbot, form.stop)
    qtbot.waitUntil(lambda: bool(calls))
    recorded.folder.stop.touch()
    qtbot.waitUntil(lambda: form.stop.text() == "End at once")
    assert form.state.text().startswith("Stopping")
    click(qtbot, form.stop)
    qtbot.waitUntil(lambda: len(calls) == 2)
    assert calls == [
        ("stop_run", recorded.folder.path, {"kill": False}),
        ("stop_run", recorded.folder.path, {"kill": True}),
    ]


def test_a_stopped_run_is_resumed(dock, qtbot, record, calls):
    recorded = record().start().learn(1, 0.2).stop()
    form = opened(qtbot, dock, recorded).form
    assert form.state.text() == "Stopped"
    click(qtbot, form.resume)
    qtbot.waitUntil(lambda: calls == [("resume_run", recorded.folder.path, {})])


def test_what_is_refused_is_told_and_can_be_tried_again(dock, qtbot, record, monkeypatch, shown):
    def refuse(path):
        raise TrainingError("Another process is at work.")

    monkeypatch.setattr("napari_micromri.training.process.resume_run", refuse)
    form = opened(qtbot, dock, record().start().stop()).form
    click(qtbot, form.resume)
    qtbot.waitUntil(lambda: bool(shown))
    assert shown[0].message == "Another process is at work."
    qtbot.waitUntil(form.resume.isEnabled)


def test_a_crashed_run_shows_its_log_and_the_next_run_is_not_taken_for_it(dock, qtbot, record):
    dead = record("dead").start().learn(1, 0.2).at_work(alive=False)
    dead.folder.write_log("Segmentation fault")
    form = opened(qtbot, dock, dead).form
    assert form.state.text() == "Died"
    assert "Segmentation fault" in form.log.toPlainText()
    assert form.log.isVisibleTo(form)
    opened(qtbot, dock, record("next").start().at_work(epoch=1, batch=1))
    qtbot.waitUntil(lambda: form.state.text() == "Running")
    assert not form.log.isVisibleTo(form)
    qtbot.wait(600)
    assert form.state.text() == "Running"


def test_a_folder_that_is_no_run_is_told(dock, qtbot, tmp_path):
    dock.run.open_run(tmp_path)
    qtbot.waitUntil(lambda: "holds no training run" in dock.run.form.empty.text())
    assert not dock.run.form.stop.isVisible()


def test_a_run_that_can_be_read_no_more_is_told_until_it_is_back(dock, qtbot, record):
    recorded = record().start().learn(1, 0.2).stop()
    form = opened(qtbot, dock, recorded).form
    before, away = form.sentence.text(), recorded.folder.path.with_name("away")
    recorded.folder.path.rename(away)
    qtbot.waitUntil(lambda: "holds no training run" in form.sentence.text())
    qtbot.waitUntil(lambda: form.runs.currentText().endswith("(gone)"))
    away.rename(recorded.folder.path)
    qtbot.waitUntil(lambda: form.sentence.text() == before)
    qtbot.waitUntil(lambda: not form.runs.currentText().endswith("(gone)"))


def test_opened_again_the_dock_shows_the_run_that_goes_on(make_dock, qtbot, record, viewer):
    going, ended = record("going").start().at_work(epoch=1, batch=1), record("ended").start().finish()
    for recorded in (going, ended):
        remember_run(recorded.folder.path)
    dock = make_dock()
    qtbot.waitUntil(lambda: dock.run.run is not None)
    assert dock.run.path == going.folder.path
    assert dock.tabs.currentWidget() is dock.run
    assert len(viewer.layers) == 0
    assert sorted(dock.run.form.runs.itemText(k) for k in range(2)) == ["ended (done)", "going (running)"]


def test_opened_again_after_all_is_done_the_dock_begins_with_the_setup(make_dock, qtbot, record, tmp_path):
    remember_run(record("ended").start().finish().folder.path)
    remember_run(tmp_path / "deleted")
    dock = make_dock()
    qtbot.waitUntil(lambda: dock.run.run is not None)
    assert dock.run.path.name == "ended"
    assert dock.tabs.currentWidget() is dock.setup
    assert "deleted (gone)" in [dock.run.form.runs.itemText(k) for k in range(2)]


def test_the_model_is_used_in_the_denoise_dock(dock, qtbot, record, monkeypatch):
    used = []
    dock.run.used.disconnect(dock.use_in_denoise)
    dock.run.used.connect(used.append)
    recorded = record().start().learn(1, 0.2).finish()
    click(qtbot, opened(qtbot, dock, recorded).form.use)
    assert used == [recorded.folder.best]


def test_without_a_window_the_model_is_named(dock, shown):
    dock.use_in_denoise(Path("best.safetensors"))
    assert "best.safetensors" in shown[0].message


# Compare


def test_ticked_runs_are_drawn_over_each_other(dock, qtbot, record):
    made = [record(name).start().learn(1, mse).learn(2, mse / 2).finish() for name, mse in (("one", 0.2), ("two", 0.1))]
    opened(qtbot, dock, made[1])
    dock.tabs.setCurrentWidget(dock.compare)
    tab = dock.compare
    qtbot.waitUntil(lambda: tab.table.topLevelItemCount() == 2)
    assert "Tick" in tab.note.text()
    for _, item in tab._items():
        item.setCheckState(0, Qt.CheckState.Checked)
    qtbot.waitUntil(lambda: sorted(tab.plot.labels) == ["one", "two"])
    assert tab.note.text() == ""
    tab.figure.setCurrentText("PSNR in dB")
    record("three").start().learn(1, 0.3)
    qtbot.waitUntil(lambda: tab.table.topLevelItemCount() == 3, timeout=10_000)
    assert len(tab.ticked) == 2
    tab._items()[0][1].setCheckState(0, Qt.CheckState.Unchecked)
    dock.tabs.setCurrentWidget(dock.run)
    assert tab._looking is None


def test_no_runs_to_compare(dock):
    dock.tabs.setCurrentWidget(dock.compare)
    assert "No runs were found" in dock.compare.note.text()


# As a whole


def test_nothing_is_cut_off_at_the_least_width(dock, qtbot, record, study):
    dock.setup.studies.use(study)
    opened(qtbot, dock, record().start().learn(1, 0.2).stop(), with_slice=False)
    dock.setup.fields.more.setChecked(True)
    dock.resize(dock.minimumWidth(), 900)
    for tab in (dock.setup, dock.run, dock.compare):
        dock.tabs.setCurrentWidget(tab)
        qtbot.wait(30)
        for widget in [*tab.findChildren(QAbstractButton), *tab.findChildren(QLabel)]:
            if widget.isVisible() and not getattr(widget, "wordWrap", lambda: False)():
                assert widget.width() >= widget.sizeHint().width() - 2, widget.text()
    assert dock.width() == dock.minimumWidth()


def test_everything_has_a_tooltip(dock):
    for tab in (dock.setup, dock.run, dock.compare):
        for button in tab.findChildren(QAbstractButton):
            if button.text():
                assert button.toolTip(), button.text()


def test_closing_the_dock_leaves_layers_and_run_alone(dock, qtbot, record, viewer):
    recorded = record().start().at_work(epoch=1, batch=1).learn(1, 0.2)
    opened(qtbot, dock, recorded)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    dock.shut_down()
    recorded.learn(2, 0.1)
    qtbot.wait(600)
    assert viewer.layers[1].name == "first DL epoch 1"
    viewer.layers.clear()
    assert read_run(recorded.folder.path).live
