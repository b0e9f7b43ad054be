"""The tab "Evaluate": from a study to a table and a report."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QPushButton, QToolButton

from evaluation_samples import make_test_study
from napari_micromri.errors import CancelledError
from napari_micromri.measure.evaluation import run
from napari_micromri.nn.checkpoint import ModelCard, ModelSpec, save_checkpoint
from napari_micromri.nn.families.unet.network import UNet, UNetConfig
from napari_micromri.nn.registry import ModelEntry
from napari_micromri.widgets.measuring import evaluate_tab
from napari_micromri.widgets.measuring.evaluate_tab import EvaluateTab


@pytest.fixture
def remembered(monkeypatch):
    """Keep what is remembered out of the person's own settings."""
    kept = SimpleNamespace(study=None)
    monkeypatch.setattr(evaluate_tab, "recent", lambda: kept.study)
    monkeypatch.setattr(evaluate_tab, "remember", lambda path: setattr(kept, "study", path))
    return kept


@pytest.fixture
def study(tmp_path):
    return make_test_study(tmp_path / "mice.mri.zarr")


@pytest.fixture
def model(tmp_path):
    config = UNetConfig(features_main=(2, 2), convolutions=1)
    spec = ModelSpec(name="tiny", kind="unet", config=config.model_dump(), card=ModelCard(summary="random weights"))
    return save_checkpoint(tmp_path / "tiny.safetensors", UNet(config).state_dict(), spec)


@pytest.fixture
def tab(qtbot, remembered, monkeypatch):
    monkeypatch.setattr(evaluate_tab, "available_models", lambda: [])
    widget = EvaluateTab()
    qtbot.addWidget(widget, before_close_func=lambda widget: widget.shut_down())
    widget.show()
    return widget


def settle(qtbot, tab):
    qtbot.waitUntil(lambda: tab._job is None, timeout=60_000)


def evaluate(qtbot, tab):
    qtbot.mouseClick(tab.form.evaluate, Qt.MouseButton.LeftButton)
    settle(qtbot, tab)


def shown(tab):
    table = tab.form.table
    return [table.item(k, 0).text() for k in range(table.rowCount())]


def test_a_bar_below_the_models_hides_none_of_them(tab, model, tmp_path, qtbot):
    other = tmp_path / "another tiny one.safetensors"
    other.write_bytes(model.read_bytes())
    for path in (model, other):
        tab.add_model(path)
    models = tab.form.models
    models.setFixedWidth(60)
    qtbot.waitUntil(models.horizontalScrollBar().isVisible)
    assert models.verticalScrollBar().maximum() == 0


def test_the_tab_leads_from_study_to_report(tab, study, model, remembered, qtbot, monkeypatch):
    assert "Choose the folder of a study" in tab.form.hint.text()
    tab.set_study(study.path)
    assert remembered.study == study.path
    assert tab.form.split.currentText() == "test: 2 subjects, 7 slices"
    assert "Tick the models" in tab.form.hint.text()
    assert not tab.form.evaluate.isEnabled()
    tab.add_model(model)
    assert "Evaluate runs 1 model on 7 slices" in tab.form.hint.text()
    assert tab.form.folder.text() == str(study.path.parent / "mice-test-tiny")
    evaluate(qtbot, tab)
    assert shown(tab) == ["LR nearest", "LR sinc", "tiny"]
    assert "Means over 2 subjects (7 slices)" in tab.form.summary.text()
    assert "finished" in tab.form.hint.text()
    opened = []
    monkeypatch.setattr(evaluate_tab.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    qtbot.mouseClick(tab.form.open_report, Qt.MouseButton.LeftButton)
    assert opened == [str(study.path.parent / "mice-test-tiny" / "report.html")]


def test_a_stopped_run_goes_on(tab, study, model, qtbot, monkeypatch):
    tab.set_study(study.path)
    tab.add_model(model)
    real, seen = run.measure_slice, []

    def stop_at_the_second(*arguments):
        seen.append(arguments)
        if len(seen) == 2:
            tab._job.stop()
        return real(*arguments)

    monkeypatch.setattr(run, "measure_slice", stop_at_the_second)
    qtbot.mouseClick(tab.form.evaluate, Qt.MouseButton.LeftButton)
    assert tab.form.stop.isEnabled()
    assert not tab.form.split.isEnabled()
    settle(qtbot, tab)
    assert tab.form.status.text().startswith("Stopped")
    assert "2 slices done. Evaluate resumes" in tab.form.hint.text()
    assert not tab.form.open_report.isEnabled()
    evaluate(qtbot, tab)
    assert len(seen) == 7
    assert shown(tab) == ["LR nearest", "LR sinc", "tiny"]


def test_stop_says_that_it_stops(tab, study, model, qtbot, monkeypatch):
    def wait(request, progress, should_stop):
        progress(3, 7)
        while not should_stop():
            time.sleep(0.005)
        raise CancelledError("Stopped.")

    monkeypatch.setattr(evaluate_tab, "run_request", wait)
    tab.set_study(study.path)
    tab.add_model(model)
    tab.start()
    qtbot.waitUntil(lambda: tab.form.progress.value() == 3)
    assert tab.form.status.text() == "Slice 3 of 7"
    qtbot.mouseClick(tab.form.stop, Qt.MouseButton.LeftButton)
    assert "Stopping" in tab.form.hint.text()
    assert not tab.form.stop.isEnabled()
    settle(qtbot, tab)
    assert tab.form.evaluate.isEnabled()


def test_what_stands_in_the_folder_is_replaced_only_when_asked(tab, study, model, qtbot, tmp_path):
    tab.set_study(study.path)
    tab.add_model(model)
    tab.set_folder(tmp_path / "out")
    evaluate(qtbot, tab)
    tab.form.split.setCurrentIndex(0)
    assert "an evaluation of tiny on the test set of mice" in tab.form.hint.text()
    assert not tab.form.evaluate.isEnabled()
    tab.form.replace.setChecked(True)
    tab.set_folder(tmp_path / "elsewhere")
    tab.set_folder(tmp_path / "out")
    assert not tab.form.replace.isChecked()
    tab.form.replace.setChecked(True)
    evaluate(qtbot, tab)
    assert "Means over 1 subject (4 slices)" in tab.form.summary.text()
    assert not tab.form.replace.isChecked()


def test_a_failure_is_a_sentence(tab, study, model, qtbot, monkeypatch, shown_notes):
    tab.set_study(study.path)
    tab.add_model(model)
    tab.set_rois([study.path / "missing.json"])
    evaluate(qtbot, tab)
    assert "missing.json does not exist" in tab.form.status.text()
    assert "missing.json does not exist" in shown_notes[-1].message
    assert tab.form.evaluate.isEnabled()


@pytest.fixture
def shown_notes(shown):
    return shown


def test_regions_steps_and_draws_are_passed_on(tab, study, model, qtbot, monkeypatch, tmp_path):
    entry = ModelEntry("diffuse", "apddm", tmp_path / "d.safetensors", "random", 2, 10, most_steps=20)
    monkeypatch.setattr(evaluate_tab, "available_models", lambda: [entry])
    asked = []
    monkeypatch.setattr(evaluate_tab, "run_request", lambda request, *_: asked.append(request))
    monkeypatch.setattr(tab, "_finished", lambda _: None)
    tab.set_study(study.path)
    tab.add_model(model)
    assert not tab.form.sampling.isVisible()
    tab.form.models.item(0).setCheckState(Qt.CheckState.Checked)
    assert tab.form.sampling.isVisible()
    assert not tab.form.sampling.uncertainty.isVisible()
    tab.form.sampling.slider.setValue(4)
    tab.form.sampling.number.setValue(3)
    tab.set_rois([tmp_path / "liver.json"])
    assert tab.form.rois.text() == "liver.json"
    assert tab.form.folder.text().endswith("mice-test-diffuse+tiny-10-steps-3-draws")
    evaluate(qtbot, tab)
    [request] = asked
    assert request.models == ("diffuse", model)
    assert (request.options.steps, request.options.draws) == (10, 3)
    assert request.options.rois == (tmp_path / "liver.json",)


def test_the_last_study_is_looked_at_when_the_tab_is_shown(qtbot, remembered, study, monkeypatch):
    remembered.study = study.path
    looks = []
    real = evaluate_tab.look_at
    monkeypatch.setattr(evaluate_tab, "look_at", lambda path: looks.append(path) or real(path))
    widget = EvaluateTab()
    qtbot.addWidget(widget)
    assert looks == []
    widget.show()
    assert looks == [study.path]
    assert "test: 2 subjects" in widget.form.split.currentText()


def test_odd_choices_are_refused_in_a_sentence(tab, tmp_path, shown_notes):
    tab.set_study(tmp_path)
    assert str(tmp_path) in tab.form.hint.text()
    (tmp_path / "no.safetensors").write_text("nothing")
    tab.add_model(tmp_path / "no.safetensors")
    assert "no.safetensors" in shown_notes[-1].message
    assert tab.form.models.count() == 0


def test_everything_explains_itself(tab):
    widgets = [one for kind in (QPushButton, QComboBox, QToolButton) for one in tab.form.findChildren(kind)]
    assert all(one.toolTip() for one in widgets)
    assert tab.minimumSizeHint().width() <= 320
