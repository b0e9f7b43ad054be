"""Configurations are checked, and what is wrong with them is said with the way out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from napari_micromri.errors import InputError
from napari_micromri.nn.families.unet.config import UNetConfig
from napari_micromri.training.config import TrainConfig, known_keys, make_config, parse_config
from napari_micromri.training.presets import PRESETS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_their_json(name: str) -> None:
    config = PRESETS[name].config
    assert parse_config(json.loads(config.model_dump_json())) == config
    assert make_config(name) == config


def test_the_reports_presets_are_the_reports() -> None:
    first, tuned = PRESETS["first-run"].config, PRESETS["tuned"].config
    assert (first.optimizer, first.learning_rate, first.scheduler) == ("rmsprop", 1e-4, "plateau")
    assert (first.batch_size, first.epochs, first.loss, first.upsampling) == (32, 200, "mse", "nearest")
    assert first.network.features_main == (64, 128, 256)
    assert (tuned.optimizer, tuned.learning_rate, tuned.scheduler) == ("adam", 3.139e-4, "step")
    assert tuned.network.features_main == (128, 128, 64)
    assert not tuned.network.residual
    for config in (first, tuned):
        assert (config.patience, config.least_epochs, config.flips) == (6, 10, True)


def test_settings_go_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("epochs = 7\nseed = 3\n[network]\nresidual = false\n", encoding="utf-8-sig")
    config = make_config("quick", file, ["seed=4", "network.features_main=8,16", "clip=none", "loss=mae", "crop = 32"])
    assert (config.epochs, config.seed, config.batch_size) == (7, 4, 8)
    assert config.network == UNetConfig(features_main=(8, 16), patch_size=2, residual=False)
    assert (config.clip, config.loss, config.crop) == (None, "mae", 32)


@pytest.mark.parametrize("name", ["scan.toml", "scan.json"])
def test_a_file_that_is_no_text_is_told_as_such(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x1f\x8b\x08scan")
    with pytest.raises(InputError, match=r"isn't valid JSON or TOML: it isn't text\.$"):
        make_config(file=tmp_path / name)
    with pytest.raises(InputError, match="is a folder"):
        make_config(file=tmp_path)


def test_the_configuration_of_a_run_can_be_used_again(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"micromri-run": 1, "study": "x", "config": {"epochs": 5}}))
    assert make_config(file=file).epochs == 5


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("learning_rte=1", r"no setting 'learning_rte'. Did you mean 'learning_rate'\?"),
        ("network.residul=true", r"Did you mean 'network.residual'\?"),
        ("residual=true", r"Did you mean 'network.residual'\?"),
        ("normalization.kind=mean", r"Did you mean 'normalisation"),
        ("qqqqqq=1", "Known are"),
        ("epochs=0", "setting 'epochs' can't be 0"),
        ("epochs=many", "setting 'epochs' can't be \"many\""),
        ("warmup_epochs=inf", "setting 'warmup_epochs' can't be \"inf\": it must be a finite number"),
        ("simulated.snr_low=nan", "it must be a finite number"),
        ("optimizer=lion", "'adam', 'adamw', 'sgd' or 'rmsprop'"),
        ("network=3", "setting 'network'"),
        ("network.guided=true", "follow from the kind of model"),
        ("apddm.beta=0.3", "only count with kind=apddm"),
        ("kind=gan", "'unet' or 'apddm'"),
        ("epochs", "Write key=value"),
        (".=3", "Write key=value"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(setting: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        make_config("quick", settings=[setting])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("parameterisation=paper", "set judged_steps to 2 or more"),
        ("judged_steps=21", "takes 21 steps, but such a model takes at most 20"),
        ("schedule=circle", "none of parabola"),
        ("schedule=0,0", "no noise at any step"),
        ("schedule=0,-1", "it must be 0 or more"),
        ("steps=0", "apddm.steps"),
        ("stepz=3", r"Did you mean 'apddm.steps'\?"),
    ],
)
def test_a_path_that_makes_no_sense_is_refused(setting: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        make_config("apddm-quick", settings=[f"apddm.{setting}"])
    assert "\n" not in str(caught.value)


def test_a_course_of_noise_survives_its_json() -> None:
    for text, kept in (("sine", "sine"), ("0,1,0.5", [0, 1, 0.5])):
        config = make_config("apddm-quick", settings=[f"apddm.schedule={text}"])
        content = config.model_dump(mode="json")
        assert content["apddm"]["schedule"] == kept
        assert parse_config(content) == config


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{", "valid JSON"),
        ("a.toml", "=", "valid JSON or TOML"),
        ("a.json", "[1]", "no settings by name"),
        ("a.json", '{"micromri-run": 1}', "no settings by name"),
    ],
)
def test_files_that_make_no_sense_are_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        make_config(file=tmp_path / name)
    with pytest.raises(InputError, match="does not exist"):
        make_config(file=tmp_path / "missing.json")


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=", ".join(PRESETS)):
        make_config("slow")


def test_every_setting_is_described() -> None:
    assert all(field.description for field in TrainConfig.model_fields.values())
    assert "network.features_main" in known_keys()


def test_a_configuration_is_frozen() -> None:
    with pytest.raises(ValidationError):
        TrainConfig().epochs = 3
