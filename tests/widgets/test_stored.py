"""Settings and models, remembered between sessions."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSlider, QSpinBox

from napari_micromri.widgets.denoise import DenoiseWidget
from napari_micromri.widgets.shared import model_chooser
from napari_micromri.widgets.shared.model_chooser import ModelChooser
from napari_micromri.widgets.shared.stored import remember_fields, stored


def make_fields(lines):
    box = QComboBox()
    box.addItems(lines)
    return {"box": box, "tick": QCheckBox(), "number": QSpinBox(), "text": QLineEdit()}


def state(fields):
    return fields["box"].currentText(), fields["tick"].isChecked(), fields["number"].value(), fields["text"].text()


def test_the_settings_of_tests_are_not_the_person_s(tmp_path_factory):
    assert str(tmp_path_factory.getbasetemp()) in stored().fileName()


def test_fields_come_back_as_they_were_left(qtbot):
    first = make_fields(["a", "b", "c"])
    remember_fields("group", first)
    assert state(first) == ("a", False, 0, "")
    first["box"].setCurrentText("c")
    first["tick"].setChecked(True)
    first["number"].setValue(7)
    first["text"].setText("{name}, LR")
    again = make_fields(["c", "a"])
    remember_fields("group", again)
    assert state(again) == ("c", True, 7, "{name}, LR")
    other = make_fields(["a", "b"])
    remember_fields("another group", other)
    assert state(other) == ("a", False, 0, "")


def test_a_line_that_is_gone_leaves_the_usual_one(qtbot):
    stored().setValue("group/box", "cuda:3")
    fields = make_fields(["auto", "cpu"])
    remember_fields("group", fields)
    assert fields["box"].currentText() == "auto"
    with pytest.raises(TypeError):
        remember_fields("group", {"slider": QSlider()})


def test_the_last_model_is_chosen_again_unless_it_is_gone(qtbot, monkeypatch, make_entry, tmp_path):
    entries = [make_entry(), make_entry(name="apddm-default", kind="apddm")]
    file = tmp_path / "mine.safetensors"
    monkeypatch.setattr(model_chooser, "available_models", lambda: entries)
    monkeypatch.setattr(model_chooser, "describe_model", lambda path: make_entry(name="mine", path=path))

    def chosen():
        return ModelChooser(QComboBox(), "denoise").current.model

    assert chosen() == "unet-default"
    box = QComboBox()
    chooser = ModelChooser(box, "denoise")
    box.setCurrentIndex(1)
    assert chosen() == "apddm-default"
    file.touch()
    assert chooser.add_file(file)
    assert chosen() == file
    file.unlink()
    assert chosen() == "unet-default"


def test_the_denoise_dock_opens_as_it_was_left(denoiser, qtbot):
    for ticked in (False, True):
        dock = DenoiseWidget(ViewerModel())
        qtbot.addWidget(dock, before_close_func=lambda widget: widget.shut_down())
        assert dock.form.residual.isChecked() == ticked
        assert dock.form.device.current == ("cpu" if ticked else "auto")
        dock.form.residual.setChecked(True)
        dock.form.device.setCurrentText("CPU")
