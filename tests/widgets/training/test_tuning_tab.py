"""The tab "Tune" on recorded tunings, in a viewer without a window; no worker is started."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QLabel, QLineEdit

from napari_micromri.errors import TrainingError
from napari_micromri.runs.events import to_content
from napari_micromri.runs.presence import Presence, write_presence
from napari_micromri.training.folder import RunFolder
from napari_micromri.tuning import process
from napari_micromri.tuning.space import default_space
from napari_micromri.tuning.space_file import read_space
from napari_micromri.tuning.workers import Doing
from napari_micromri.widgets.training.remembered import (
    remember_tuning,
    remember_workers,
    remembered_tunings,
    remembered_workers,
)
from napari_micromri.widgets.training.tuning import new_page, watch_page
from napari_micromri.widgets.training.tuning.new_form import IN_DATABASE
from napari_micromri.widgets.training.tuning.new_model import AS_SET_UP
from tuning_samples import make_full_tuning, make_tuning

PATIENCE = 10_000


@pytest.fixture(autouse=True)
def _look_often(monkeypatch):
    monkeypatch.setattr(watch_page, "LOOK_AGAIN_MS", 100)


@pytest.fixture
def dock(make_dock):
    return make_dock()


@pytest.fixture
def tab(dock):
    dock.tabs.setCurrentWidget(dock.tune)
    return dock.tune


@pytest.fixture
def sample(tmp_path):
    return make_full_tuning(tmp_path / "tunings" / "blobs")


@pytest.fixture
def calls(monkeypatch):
    """Note what would be done to workers."""
    noted = []
    for name in ("start_workers", "pause_tuning", "resume_tuning", "stop_tuning"):
        monkeypatch.setattr(process, name, lambda *given, name=name, **how: noted.append((name, *given[1:], how)))
    return noted


def click(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def opened(qtbot, tab, sample):
    tab.open(sample.folder.path)
    qtbot.waitUntil(lambda: tab.watch.look is not None, timeout=PATIENCE)
    return tab.watch


def put_worker(sample, phase="working", trial=26, *, name="worker-01", alive=True):
    """Let a worker be there: this process, or one that is gone."""
    presence = replace(Presence.of(os.getpid() if alive else 2**22 - 7), at=to_content(Doing(phase=phase, trial=trial)))
    write_presence(sample.folder.workers / f"{name}.json", presence)


def put_model(sample, trial):
    folder = RunFolder(sample.run_of(trial))
    folder.create({"study": "mice.mri.zarr", "config": sample.config.base.model_dump(mode="json")})
    folder.best.write_bytes(b"not really a model")
    return folder.best


def test_a_best_trial_that_is_worse_than_the_input_is_not_offered(tab, qtbot, sample):
    trial = sample.add("done", values=(1e-9,), baseline={"mse": 1e-10})
    put_model(sample, trial.number)
    form = opened(qtbot, tab, sample).form
    assert "worse" in form.best.text()
    assert not form.use.isEnabled()
    assert "worse" in form.use.toolTip()


def listed(tab):
    order = tab.watch.form.table.order
    return [order.row(order.index(place, 0)).trial.number for place in range(order.rowCount())]


# A new tuning


def test_first_a_study_is_asked_for(tab):
    form = tab.new.form
    assert tab.pages.currentWidget() is tab.new
    assert "Choose a study" in form.hint.text()
    assert not form.start.isEnabled()
    assert form.base.currentText() == "quick"
    assert form.texts()["epochs"] == "30"


def test_from_a_study_to_a_tuning_that_starts(tab, qtbot, study, monkeypatch, tmp_path):
    begun = []

    def begin(path, config, workers, storage):
        make_tuning(path, trials=config.trials)
        begun.append((path, config, workers, storage))
        return path

    monkeypatch.setattr(new_page, "begin", begin)
    form = tab.new.form
    tab.new.studies.use(study)
    qtbot.waitUntil(form.start.isEnabled)
    assert "one animal" in form.warning.text()
    assert form.folder.text() == str(study.parent / "tunings" / "mice-1")
    form.options["trials"].setText("none")
    assert "trials" in form.hint.text()
    form.options["epochs"].setText("0")
    form.options["trials"].setText("7")
    assert "epochs" in form.hint.text()
    form.options["epochs"].setText("4")
    form.options["workers"].setText("0")
    assert "Workers" in form.hint.text()
    assert not form.start.isEnabled()
    form.options["workers"].setText("3")
    form.objectives["ssim"].setChecked(True)
    assert "Pareto" in form.hint.text()
    click(qtbot, form.start)
    assert not form.start.isEnabled()
    qtbot.waitUntil(lambda: tab.watch.look is not None, timeout=PATIENCE)
    [(path, config, workers, storage)] = begun
    assert (path, workers, storage) == (study.parent / "tunings" / "mice-1", 3, None)
    assert (config.trials, config.base.epochs, config.objectives) == (7, 4, ("mse", "ssim"))
    assert config.study == str(study)
    assert config.space == default_space()
    assert tab.pages.currentWidget() is tab.watch
    assert remembered_tunings() == [path]
    assert remembered_workers() == 3
    assert form.folder.text().endswith("mice-2")


def test_a_start_that_is_refused_says_why(tab, qtbot, study, monkeypatch, shown):
    def begin(*_):
        raise TrainingError("The disk is full.")

    monkeypatch.setattr(new_page, "begin", begin)
    tab.new.studies.use(study)
    qtbot.waitUntil(tab.new.form.start.isEnabled)
    click(qtbot, tab.new.form.start)
    qtbot.waitUntil(lambda: tab.new.form.hint.text() == "The disk is full.")
    assert [record.message for record in shown] == ["The disk is full."]
    assert tab.new.form.start.isEnabled()
    assert tab.pages.currentWidget() is tab.new


def test_what_is_searched_is_chosen_and_wrong_ranges_are_told(tab, qtbot, study):
    form = tab.new.form
    tab.new.studies.use(study)
    qtbot.waitUntil(form.start.isEnabled)
    for place in range(form.space.topLevelItemCount()):
        form.space.topLevelItem(place).setCheckState(0, Qt.CheckState.Unchecked)
    assert "Tick at least one setting" in form.hint.text()
    assert not form.start.isEnabled()
    rate = next(
        form.space.topLevelItem(place)
        for place in range(form.space.topLevelItemCount())
        if form.space.topLevelItem(place).text(0) == "Learning rate"
    )
    rate.setCheckState(0, Qt.CheckState.Checked)
    assert form.start.isEnabled()
    rate.setText(1, "fast")
    assert "learning_rate" in form.hint.text()
    rate.setText(1, "1e-4 to 1e-2, log")
    assert set(tab.new.config().space.parameters) == {"learning_rate"}
    action = next(action for action in form.addable.actions() if action.text() == "Weight decay")
    action.trigger()
    assert set(tab.new.config().space.parameters) == {"learning_rate", "weight_decay"}
    assert "Weight decay" not in [action.text() for action in form.addable.actions()]
    click(qtbot, form.usual)
    assert tab.new.config().space == default_space()


def test_a_search_space_is_saved_and_loaded(tab, qtbot, study, tmp_path, monkeypatch, shown):
    tab.new.studies.use(study)
    qtbot.waitUntil(tab.new.form.start.isEnabled)
    file = tmp_path / "space.toml"
    monkeypatch.setattr(tab.new.form, "ask_space_to_save", lambda: file)
    monkeypatch.setattr(tab.new.form, "ask_space", lambda: file)
    click(qtbot, tab.new.form.save)
    assert read_space(file) == default_space()
    file.write_text('[loss]\nvalues = ["mse", "mae"]\n')
    click(qtbot, tab.new.form.load)
    assert set(tab.new.config().space.parameters) == {"loss"}
    file.write_text('[loss]\nvalues = ["mean"]\n')
    click(qtbot, tab.new.form.load)
    assert set(tab.new.config().space.parameters) == {"loss"}
    assert [str(file) in record.message for record in shown] == [True, True]
    assert "line 1" in shown[1].message


def test_the_base_can_be_what_is_filled_in_in_set_up(dock, tab, qtbot, study):
    form = tab.new.form
    tab.new.studies.use(study)
    qtbot.waitUntil(form.start.isEnabled)
    dock.setup.fields.fields["epochs"].setText("12")
    dock.setup.fields.fields["batch_size"].setText("3")
    form.base.setCurrentText(AS_SET_UP)
    assert form.texts()["epochs"] == "12"
    assert tab.new.config().base.batch_size == 3
    dock.tabs.setCurrentWidget(dock.setup)
    dock.setup.fields.fields["batch_size"].setText("none at all")
    dock.tabs.setCurrentWidget(tab)
    assert "batch_size" in form.hint.text()
    assert not form.start.isEnabled()


def test_a_base_that_goes_on_from_a_model_keeps_its_network(tab, qtbot, study):
    form = tab.new.form
    tab.new.studies.use(study)
    form.base.setCurrentText("fine-tune")
    qtbot.waitUntil(form.start.isEnabled)
    features = form.space.topLevelItem(0)
    assert features.isDisabled()
    assert "network.residual" not in tab.new.config().space.parameters
    form.base.setCurrentText("quick")
    assert not form.space.topLevelItem(0).isDisabled()
    assert tab.new.config().space == default_space()


def test_a_password_is_never_seen(tab, qtbot, study, monkeypatch):
    begun = []
    monkeypatch.setattr(new_page, "begin", lambda *given: begun.append(given) or make_tuning(given[0]).folder.path)
    form = tab.new.form
    tab.new.studies.use(study)
    qtbot.waitUntil(form.start.isEnabled)
    form.storage.setCurrentText(IN_DATABASE)
    assert form.url.isVisible()
    assert "Give the address" in form.hint.text()
    form.url.setText("postgresql://anna:s3cr3t@server/tuning")
    form.url.editingFinished.emit()
    assert form.url.text() == "postgresql://anna@server/tuning"
    assert form.password.echoMode() == QLineEdit.EchoMode.Password
    click(qtbot, form.start)
    qtbot.waitUntil(lambda: bool(begun))
    assert begun[0][3] == "postgresql://anna:s3cr3t@server/tuning"
    texts = [widget.text() for widget in (*tab.findChildren(QLabel), *tab.findChildren(QAbstractButton))]
    assert not [text for text in texts if "s3cr3t" in text]


# Watching


def test_a_tuning_is_shown_and_followed(tab, qtbot, sample):
    put_worker(sample)
    watch = opened(qtbot, tab, sample)
    form = watch.form
    assert form.state.text() == "Running"
    assert form.sentence.text().startswith("25 of 27 trials finished")
    assert form.workers.text() == "worker-01: trial 26."
    assert form.best.text().startswith("Best: trial ")
    assert len(listed(tab)) == 27
    qtbot.waitUntil(lambda: form.history.shown is not None and form.slices.shown is not None, timeout=PATIENCE)
    qtbot.waitUntil(lambda: form.importance.text().startswith("Importance: Learning rate "), timeout=PATIENCE)
    assert "uncertain" in form.importance.text()
    assert not form.front.isVisible()
    assert not form.goal.isVisible()
    best = sample.add("done", values=(0.001,)).number
    qtbot.waitUntil(lambda: f"Best: trial {best}," in form.best.text(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: form.history.shown.dots[-1].mark == "best", timeout=PATIENCE)
    assert best in listed(tab)
    put_worker(sample, alive=False)
    qtbot.waitUntil(lambda: "worker-01 died" in form.workers.text(), timeout=PATIENCE)
    assert not form.stop.isEnabled()


def test_the_list_is_sorted_and_filtered(tab, qtbot, sample):
    watch = opened(qtbot, tab, sample)
    table, form = watch.form.table, watch.form
    values = {row.number: row.values[0] if row.values else None for row in watch.look.state.trials}
    table.sortByColumn(2, Qt.SortOrder.AscendingOrder)
    up = [values[trial] for trial in listed(tab) if values[trial] is not None]
    assert up == sorted(up)
    table.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    down = listed(tab)
    assert [values[trial] for trial in down if values[trial] is not None] == sorted(up, reverse=True)
    assert values[down[-1]] is None  # what is missing comes last either way
    form.filter.setCurrentText("Pruned")
    assert sorted(listed(tab)) == [4, 9, 14, 19]
    form.filter.setCurrentText("All begun")
    form.words.setText("adam hybrid")
    chosen = [row for row in watch.look.state.trials if row.number in listed(tab)]
    assert {(row.parameters["optimizer"], row.parameters["loss"]) for row in chosen} == {("adam", "hybrid")}


def test_a_trial_that_is_chosen_shows_its_figures_and_its_curve(tab, qtbot, sample):
    watch = opened(qtbot, tab, sample)
    form = watch.form
    assert not form.details.isVisible()
    form.table.select(4)
    qtbot.waitUntil(form.details.isVisible)
    assert form.trial.text().startswith("Trial 4: pruned")
    assert "Learning rate" in form.trial.text()
    qtbot.waitUntil(lambda: form.curve.labels == ["Validation MSE"], timeout=PATIENCE)
    assert not form.use_trial.isEnabled()
    assert not form.open_trial.isEnabled()
    qtbot.waitUntil(lambda: form.history.shown is not None and form.history.shown.chosen == 4, timeout=PATIENCE)
    form.slices.clicked.emit(7)
    assert form.trial.text().startswith("Trial 7: done")
    sample.add("done")
    qtbot.waitUntil(lambda: len(listed(tab)) == 28, timeout=PATIENCE)
    assert form.table.selected() == 7


def test_the_runs_own_curves_are_shown_where_there_is_one(tab, dock, qtbot, tmp_path, record):
    sample = make_tuning(tmp_path / "tunings" / "blobs")
    sample.add("done")
    recorded = record("trial").start().learn(1, 0.2).learn(2, 0.1).finish(2)
    sample.folder.runs.mkdir(exist_ok=True)
    recorded.folder.path.rename(sample.run_of(0))
    watch = opened(qtbot, tab, sample)
    watch.form.table.select(0)
    qtbot.waitUntil(lambda: watch.form.curve.labels == ["training", "validation", "input"], timeout=PATIENCE)
    click(qtbot, watch.form.open_trial)
    assert dock.tabs.currentWidget() is dock.run
    assert dock.run.path == sample.run_of(0)


def test_with_several_goals_the_person_says_which_one_counts(tab, qtbot, tmp_path):
    sample = make_full_tuning(tmp_path / "tunings" / "several", objectives=("mse", "parameters"))
    watch = opened(qtbot, tab, sample)
    form = watch.form
    qtbot.waitUntil(lambda: form.front.shown is not None, timeout=PATIENCE)
    assert form.goal.isVisible()
    assert form.best.text().startswith("Best by validation MSE")
    assert watch.best.number == watch.look.state.best[0]
    form.goal.setCurrentIndex(1)
    assert form.best.text().startswith("Best by weights")
    assert watch.best.number == watch.look.state.best[-1]
    qtbot.waitUntil(lambda: form.history.shown.left == "Weights", timeout=PATIENCE)


def test_another_tuning_takes_the_place_of_the_one_that_is_shown(tab, qtbot, sample, tmp_path):
    watch = opened(qtbot, tab, sample)
    watch.form.table.select(3)
    qtbot.waitUntil(watch.form.details.isVisible)
    empty = make_tuning(tmp_path / "tunings" / "empty")
    opened(qtbot, tab, empty)
    assert listed(tab) == []
    assert not watch.form.details.isVisible()
    qtbot.waitUntil(lambda: not watch.form.history.isVisible(), timeout=PATIENCE)
    assert watch.form.best.text() == ""
    assert tab.tunings.currentText() == "empty"
    assert [tab.tunings.itemText(k) for k in range(tab.tunings.count())] == ["New tuning", "empty", "blobs"]


# Steering


def test_workers_are_paused_stopped_and_added(tab, qtbot, sample, calls):
    put_worker(sample)
    form = opened(qtbot, tab, sample).form
    click(qtbot, form.pause)
    assert not form.pause.isEnabled()
    qtbot.waitUntil(form.pause.isEnabled, timeout=PATIENCE)
    click(qtbot, form.add)
    qtbot.waitUntil(form.stop.isEnabled, timeout=PATIENCE)
    click(qtbot, form.stop)
    qtbot.waitUntil(lambda: len(calls) == 3)
    assert calls == [("pause_tuning", {}), ("start_workers", {}), ("stop_tuning", {"kill": False})]
    sample.folder.stop.touch()
    qtbot.waitUntil(lambda: form.stop.text() == "End at once", timeout=PATIENCE)
    click(qtbot, form.stop)
    qtbot.waitUntil(lambda: calls[-1] == ("stop_tuning", {"kill": True}))


def test_a_tuning_goes_on_with_its_workers_or_with_new_ones(tab, qtbot, sample, calls):
    remember_workers(3)
    put_worker(sample, "waiting", None)
    sample.folder.pause.touch()
    form = opened(qtbot, tab, sample).form
    assert form.state.text() == "Paused"
    assert form.pause.text() == "Resume"
    click(qtbot, form.pause)
    qtbot.waitUntil(lambda: calls == [("resume_tuning", {"workers": 0})])
    put_worker(sample, "ended", None)
    qtbot.waitUntil(lambda: form.state.text() == "Stopped", timeout=PATIENCE)
    click(qtbot, form.pause)
    qtbot.waitUntil(lambda: calls[1:] == [("resume_tuning", {"workers": 3})])


def test_what_is_refused_is_told_and_can_be_tried_again(tab, qtbot, sample, monkeypatch, shown):
    def refuse(*_, **__):
        raise TrainingError("The disk is gone.")

    monkeypatch.setattr(process, "pause_tuning", refuse)
    put_worker(sample)
    form = opened(qtbot, tab, sample).form
    click(qtbot, form.pause)
    qtbot.waitUntil(lambda: bool(shown))
    assert [record.message for record in shown] == ["The disk is gone."]
    qtbot.waitUntil(form.pause.isEnabled, timeout=PATIENCE)


def test_a_tuning_that_was_deleted_is_told_and_isnt_brought_back_by_its_report(tab, qtbot, sample, shown, tmp_path):
    page, folder = opened(qtbot, tab, sample), sample.folder.path
    put_model(sample, page.look.state.best[0])
    qtbot.waitUntil(page.form.use.isEnabled, timeout=PATIENCE)
    away = folder.rename(tmp_path / "away")
    qtbot.waitUntil(lambda: "can't be read" in tab.tunings.currentText(), timeout=PATIENCE)
    assert "journal.log does not exist" in page.form.problem.text()
    click(qtbot, page.form.report)
    qtbot.waitUntil(lambda: len(shown) == 1, timeout=PATIENCE)
    assert "does not exist any more" in shown[0].message
    assert not folder.exists()
    click(qtbot, page.form.use)
    assert "is no longer in the tuning's folder" in shown[1].message
    away.rename(folder)
    qtbot.waitUntil(lambda: "can't be read" not in tab.tunings.currentText(), timeout=PATIENCE)


# Using


def test_the_best_model_is_used_and_any_other(tab, qtbot, sample):
    watch = opened(qtbot, tab, sample)
    form, used = watch.form, []
    watch.used.disconnect()
    watch.used.connect(used.append)
    assert not form.use.isEnabled()
    best, other = put_model(sample, watch.look.state.best[0]), put_model(sample, 0)
    qtbot.waitUntil(form.use.isEnabled, timeout=PATIENCE)
    click(qtbot, form.use)
    form.table.select(0)
    click(qtbot, form.use_trial)
    assert used == [best, other]


def test_the_best_settings_are_filled_in_in_set_up(dock, tab, qtbot, study, tmp_path, shown):
    sample = make_full_tuning(tmp_path / "tunings" / "blobs", study=str(study))
    watch = opened(qtbot, tab, sample)
    best = watch.best
    click(qtbot, watch.form.retrain)
    assert dock.tabs.currentWidget() is dock.setup
    texts = dock.setup.fields.texts()
    assert texts["epochs"] == "200"
    assert texts["optimizer"] == best.parameters["optimizer"]
    assert float(texts["learning_rate"]) == best.parameters["learning_rate"]
    assert texts["network.features_main"].startswith(f"{best.parameters['network.features_main.0']},")
    assert dock.setup.studies.current == study
    assert dock.setup.form.folder.text() == str(study.parent / "runs" / "mice-tuned-1")
    assert f"trial {best.number} of the tuning blobs" in dock.setup.form.preset_about.text()
    assert "200 epochs" in shown[0].message
    qtbot.waitUntil(dock.setup.form.start.isEnabled)
    assert dock.setup.config().optimizer == best.parameters["optimizer"]


# What goes wrong


def test_a_folder_that_holds_no_tuning_is_told(tab, qtbot, tmp_path):
    tab.open(tmp_path)
    qtbot.waitUntil(lambda: "holds no tuning" in tab.watch.form.problem.text())
    assert not tab.watch.form.stop.isVisible()
    assert not tab.watch.form.password.isVisible()


def test_a_tuning_that_is_damaged_meanwhile_is_told(tab, qtbot, sample):
    form = opened(qtbot, tab, sample).form
    sample.folder.journal.write_text("rubbish\n")
    qtbot.waitUntil(lambda: "is damaged in line 1" in form.problem.text(), timeout=PATIENCE)
    assert form.best.text().startswith("Best")  # what was read stays in sight


def test_the_password_of_a_storage_is_asked_for(tab, qtbot, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr("napari_micromri.tuning.address.remember", given.append)
    sample = make_tuning(tmp_path / "tunings" / "far")
    sample.folder.tell(sample.config, "postgresql://anna@127.0.0.1:1/tuning")
    tab.open(sample.folder.path)
    form = tab.watch.form
    qtbot.waitUntil(lambda: "postgresql://anna@127.0.0.1:1/tuning" in form.problem.text(), timeout=30_000)
    assert form.password.isVisible()
    form.password.setText("s3cr3t")
    click(qtbot, form.give_password)
    assert form.password.text() == ""
    qtbot.waitUntil(lambda: given == ["postgresql://anna:s3cr3t@127.0.0.1:1/tuning"])


# Coming back


def test_a_tuning_that_goes_on_is_found_again(make_dock, qtbot, sample, tmp_path):
    remember_tuning(sample.folder.path)
    remember_tuning(make_tuning(tmp_path / "tunings" / "over").folder.path)
    damaged = make_tuning(tmp_path / "tunings" / "damaged").folder
    damaged.config.write_text("rubbish")
    remember_tuning(damaged.path)
    remember_tuning(tmp_path / "gone")
    put_worker(sample)
    dock = make_dock()
    qtbot.waitUntil(lambda: dock.tune.watch.look is not None, timeout=PATIENCE)
    assert dock.tabs.currentWidget() is dock.tune
    assert dock.tune.watch.path == sample.folder.path
    qtbot.waitUntil(lambda: dock.tune.tunings.itemText(1) == "blobs (running)")
    assert [dock.tune.tunings.itemText(k) for k in (2, 3, 4)] == [
        "gone (can't be read)",
        "damaged (can't be read)",
        "over",
    ]
    dock.tune.tunings.setCurrentIndex(0)
    dock.tune.tunings.activated.emit(0)
    assert dock.tune.pages.currentWidget() is dock.tune.new


def test_tunings_that_are_over_wait_in_the_list(make_dock, qtbot, sample):
    remember_tuning(sample.folder.path)
    dock = make_dock()
    qtbot.waitUntil(lambda: dock.tune.tunings.count() == 2)
    qtbot.wait(200)
    assert dock.tune.watch.path is None
    assert dock.tabs.currentWidget() is dock.setup
    dock.tune.tunings.setCurrentIndex(1)
    dock.tune.tunings.activated.emit(1)
    qtbot.waitUntil(lambda: dock.tune.watch.look is not None, timeout=PATIENCE)


def test_numbers_of_workers_are_remembered_and_nonsense_is_not():
    assert remembered_workers() in (1, 2)
    remember_workers(5)
    assert remembered_workers() == 5
    remember_workers(-3)
    assert remembered_workers() in (1, 2)


# Report


def test_the_report_opens_in_the_browser(tab, qtbot, sample, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "napari_micromri.widgets.training.following.QDesktopServices.openUrl",
        lambda url: seen.append(Path(url.toLocalFile())),
    )
    click(qtbot, opened(qtbot, tab, sample).form.report)
    qtbot.waitUntil(lambda: bool(seen), timeout=30_000)
    assert seen == [sample.folder.path / "report.html"]
    assert "blobs" in seen[0].read_text(encoding="utf-8")


# The window


def test_everything_has_a_tooltip_and_fits_a_narrow_dock(dock, tab, qtbot, sample):
    watch = opened(qtbot, tab, sample)
    for form in (tab.new.form, watch.form):
        for widget in form.findChildren(QAbstractButton):
            scrolls = widget.parent().metaObject().className() in ("QTableView", "TrialTable", "QScrollBar")
            assert scrolls or widget.toolTip() or not widget.text(), widget.text()
        assert form.minimumSizeHint().width() <= 320


def test_all_can_be_reached_by_the_keyboard(tab):
    form = tab.watch.form
    for widget in (form.pause, form.stop, form.add, form.use, form.retrain, form.filter, form.words, form.table):
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    for widget in (tab.new.form.space, tab.new.form.start, tab.new.form.options["trials"], tab.tunings):
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_nothing_is_left_over_when_the_dock_is_closed(dock, tab, qtbot, sample):
    watch = opened(qtbot, tab, sample)
    dock.shut_down()
    assert watch.look is None
    qtbot.wait(50)
    assert not Path(sample.folder.stop).exists()
