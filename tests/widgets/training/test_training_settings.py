"""The fields that the settings are made of, and the way from texts back to a configuration."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QLabel

from napari_micromri.errors import InputError
from napari_micromri.nn.families import FAMILIES
from napari_micromri.training.config import known_keys
from napari_micromri.training.presets import PRESETS
from napari_micromri.widgets.training.fields import as_field
from napari_micromri.widgets.training.settings import flatten, settings_of_kind, to_content, to_text
from napari_micromri.widgets.training.settings_form import LABEL_WIDTH, SettingsForm, grouped
from napari_micromri.widgets.training.settings_words import (
    ABOUT,
    BROUGHT,
    CHOICES,
    FRONT,
    GROUPS,
    LABELS,
    LEFT_OUT,
    ONLY_WITH,
    UNITS,
)
from napari_micromri.widgets.training.setup_model import config_of, preset_texts
from napari_micromri.widgets.training.start_chooser import Start

UNET = FAMILIES["unet"]
PARTS = ("network", "apddm", "normalisation", "simulated")


def start_of(model):
    return None if model is None else Start(model, model.partition("-")[0])


@pytest.fixture
def settings():
    return settings_of_kind("apddm")


@pytest.fixture
def form(qtbot, settings):
    made = SettingsForm(settings)
    qtbot.addWidget(made)
    made.set_texts(preset_texts(PRESETS["quick"].config, settings))
    made.show()
    return made


def test_every_setting_has_a_field_with_words_that_a_person_understands(settings):
    assert set(settings) == {key for key in known_keys("apddm") if key not in LEFT_OUT and key not in PARTS}
    for setting in settings.values():
        words, *_, name = setting.about.splitlines()
        assert len(words) > 15, setting.key
        assert name == f"Setting: {setting.key}"


def test_no_words_are_left_over_for_settings_that_are_gone(settings):
    known = set(known_keys())
    assert set(LEFT_OUT) <= known
    named = {*ABOUT, *LABELS, *CHOICES, *UNITS, *ONLY_WITH, *FRONT, *(key for key, _ in ONLY_WITH.values())}
    assert named <= known
    for names in (*GROUPS.values(), *BROUGHT.values()):
        for name in names:
            assert any(key == name or key.startswith(name) for key in known), name


def test_kinds_of_fields(settings):
    assert settings["loss"].kind == "choice"
    assert settings["loss"].choices == ("mse", "mae", "hybrid", "relative", "structural")
    assert settings["flips"].kind == "switch"
    assert (settings["crop"].kind, settings["crop"].optional) == ("number", True)
    assert settings["network.features_main"].kind == "list"
    assert settings["network.residual"].kind == "switch"
    assert (settings["device"].choices[0], settings["device"].free) == ("auto", True)
    assert "more than 0" in settings["learning_rate"].about.lower()


def test_all_settings_are_in_front_or_in_a_group(settings):
    keys = [key for group in grouped(settings).values() for key in group]
    assert sorted([*keys, *FRONT]) == sorted(settings)
    assert "Others" not in grouped(settings)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_comes_back_from_its_texts(preset):
    config = PRESETS[preset].config
    family, settings = FAMILIES[config.kind], settings_of_kind(config.kind)
    texts = preset_texts(config, settings)
    assert config_of(family, texts, settings, start_of(config.init_from)) == config


def test_each_preset_belongs_to_one_kind_of_model():
    assert sorted(name for family in FAMILIES.values() for name in family.presets) == sorted(PRESETS)
    assert "apddm-quick" in FAMILIES["apddm"].presets


def test_a_unet_has_no_path():
    left = settings_of_kind("unet")
    assert left.keys() == {key for key in settings_of_kind("apddm") if not key.startswith("apddm.")}


def test_a_course_of_noise_is_chosen_or_typed(settings):
    family = FAMILIES["apddm"]
    texts = preset_texts(PRESETS["apddm-quick"].config, settings)
    assert texts["apddm.schedule"] == "parabola"
    typed = config_of(family, texts | {"apddm.schedule": "0, 1, 0.5"}, settings, None).apddm
    assert typed.schedule.values == (0, 1, 0.5)
    assert typed.model_dump(mode="json")["schedule"] == [0, 1, 0.5]
    with pytest.raises(InputError, match="none of parabola"):
        config_of(family, texts | {"apddm.schedule": "circle"}, settings, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "none"), (True, "true"), (0.0001, "0.0001"), (3e-7, "3e-07"), ((64, 128), "64, 128"), ("auto", "auto")],
)
def test_values_as_texts(value, text):
    assert to_text(value) == text


def test_texts_become_parts_lists_and_nothing(settings):
    texts = {"network.features_main": " (8, 16,) ", "crop": "None", "epochs": " 7 ", "patience": ""}
    content = to_content(texts, settings)
    assert content == {"network": {"features_main": ["8", "16"]}, "crop": None, "epochs": "7", "patience": None}
    assert flatten({"network": {"features_main": [8, 16]}}) == {"network.features_main": "8, 16"}


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("epochs", "many", "whole number"),
        ("epochs", "", "epochs"),
        ("learning_rate", "-1", "more than 0"),
        ("network.features_main", "", "at least 1 item"),
        ("network.features_main", "8; 16", "whole number"),
        ("crop", "3", "16 or more"),
    ],
)
def test_what_makes_no_sense_is_told_with_the_settings_name(key, text, words, settings):
    texts = preset_texts(PRESETS["quick"].config, settings) | {key: text}
    with pytest.raises(InputError, match=words) as told:
        config_of(UNET, texts, settings, None)
    assert key in str(told.value)


def test_a_model_to_go_on_from_brings_its_network(settings):
    texts = preset_texts(PRESETS["quick"].config, settings) | {"network.features_main": "nonsense"}
    config = config_of(UNET, texts, settings, start_of("unet-default"))
    assert config.init_from == "unet-default"
    assert not {"network", "upsampling", "normalisation"} & config.model_fields_set


def test_a_diffusion_model_to_go_on_from_brings_its_path_as_well(settings):
    family = FAMILIES["apddm"]
    texts = preset_texts(PRESETS["apddm-fine-tune"].config, settings) | {
        "apddm.steps": "nonsense",
        "apddm.at_end": "0.3",
    }
    config = config_of(family, texts, settings, start_of("apddm-default"))
    assert "steps" not in config.apddm.model_fields_set
    assert config.apddm.at_end == 0.3
    with pytest.raises(InputError, match=r"apddm\.steps"):
        config_of(family, texts, settings, start_of("unet-default"))


def test_only_what_counts_is_shown(form):
    def seen(key):
        return form.fields[key].isVisible()

    assert not seen("alpha")
    assert not seen("seed")
    form.more.setChecked(True)
    assert seen("seed") and seen("warmup_epochs") and seen("network.residual")
    assert not seen("decay")
    form.set_texts({"loss": "hybrid", "scheduler": "step"})
    assert seen("alpha") and seen("decay_epochs")
    assert not seen("warmup_epochs")
    form.set_from_model("unet")
    assert not seen("network.residual") and not seen("upsampling")
    assert seen("apddm.steps")
    form.set_from_model("apddm")
    assert not seen("apddm.steps") and seen("apddm.at_end")
    assert form.brought.isVisible()
    form.more.setChecked(False)
    assert seen("alpha") and not seen("seed")


def test_fields_tell_of_what_the_person_changes_only(form, qtbot):
    heard = []
    form.changed.connect(lambda: heard.append(1))
    form.set_texts({"epochs": "5", "loss": "mae", "flips": "false"})
    assert heard == []
    for key, text in (("epochs", "5"), ("loss", "mae"), ("flips", "false")):
        assert as_field(form.fields[key]).text() == text
    form.fields["epochs"].clear()
    qtbot.keyClicks(form.fields["epochs"], "12")
    form.fields["flips"].click()
    form.fields["loss"].setCurrentText("hybrid")
    assert form.texts()["epochs"] == "12"
    assert form.texts()["flips"] == "true"
    assert len(heard) == 5


def test_labels_are_not_cut_off(form):
    labels = [label for label in form.findChildren(QLabel) if label.maximumWidth() == LABEL_WIDTH]
    assert len(labels) == len(form.fields)
    for label in labels:
        assert label.fontMetrics().horizontalAdvance(label.text()) <= LABEL_WIDTH - 6, label.text()
