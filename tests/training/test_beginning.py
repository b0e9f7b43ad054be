"""What a run begins with, and what a model that it goes on from brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_micromri.errors import InputError, ModelError
from napari_micromri.nn.checkpoint import ModelCard, ModelSpec, save_checkpoint
from napari_micromri.nn.families.apddm.config import ApddmConfig
from napari_micromri.nn.families.unet.config import UNetConfig
from napari_micromri.training.beginning import settle_config
from napari_micromri.training.config import TrainConfig, make_config
from napari_micromri.training.presets import PRESETS

if TYPE_CHECKING:
    from pathlib import Path


def model_file(path: Path, kind: str, config: dict[str, object]) -> str:
    spec = ModelSpec(name=path.stem, kind=kind, config=config, card=ModelCard(summary="without weights"))
    return str(save_checkpoint(path, {}, spec))


def test_a_model_to_start_from_brings_its_network() -> None:
    config = settle_config(PRESETS["fine-tune"].config)
    assert config.upsampling == "sinc"
    assert config.network.features_main == (64, 64, 96)
    assert settle_config(config) == config
    with pytest.raises(InputError, match=r"init_from|brings"):
        settle_config(make_config("fine-tune", settings=["network.residual=false"]))
    with pytest.raises(ModelError, match="model"):
        settle_config(make_config("fine-tune", settings=["init_from=nonsense"]))


def test_a_unet_goes_on_from_unets_only(tmp_path: Path) -> None:
    file = model_file(tmp_path / "other.safetensors", "apddm", {})
    with pytest.raises(ModelError, match="UNet"):
        settle_config(TrainConfig(init_from=file))


def test_a_diffusion_model_goes_on_from_a_unet_with_a_path_of_its_own() -> None:
    config = settle_config(make_config("apddm", settings=["apddm.steps=30"]))
    assert config.network.features_main == (64, 64, 96)
    assert not config.network.guided
    assert isinstance(config.model, ApddmConfig)
    assert config.model.unet.guided
    assert config.model.steps == 30
    assert settle_config(config) == config


def test_a_diffusion_model_goes_on_from_one_with_its_path_unless_another_is_chosen() -> None:
    config = settle_config(PRESETS["apddm-fine-tune"].config)
    assert (config.apddm.steps, config.apddm.beta) == (50, 0.6)
    assert not config.network.time_embedding
    assert settle_config(config) == config
    changed = settle_config(make_config("apddm-fine-tune", settings=["apddm.beta=0.4", "apddm.at_end=0.3"]))
    assert (changed.apddm.steps, changed.apddm.beta, changed.apddm.at_end) == (50, 0.4, 0.3)
    with pytest.raises(InputError, match=r"'apddm\.parameterisation'"):
        settle_config(make_config("apddm-fine-tune", settings=["apddm.parameterisation=simplified"]))


def test_what_would_not_begin_as_its_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="estimates"):
        settings = ["apddm.parameterisation=paper", "apddm.judged_steps=5"]
        settle_config(make_config("apddm", settings=settings))
    whole = UNetConfig(features_main=(4, 6), residual=False).model_dump(mode="json")
    file = model_file(tmp_path / "whole.safetensors", "unet", whole)
    with pytest.raises(InputError, match="difference"):
        settle_config(make_config("apddm", settings=[f"init_from={file}"]))
    simplified = settle_config(
        make_config("apddm", settings=[f"init_from={file}", "apddm.parameterisation=simplified"])
    )
    assert not simplified.network.residual


@pytest.mark.parametrize("kind", ["unet", "apddm"])
def test_a_model_whose_description_makes_no_sense_is_named(tmp_path: Path, kind: str) -> None:
    file = model_file(tmp_path / "broken.safetensors", kind, {"features_main": "many"})
    with pytest.raises(ModelError, match="broken"):
        settle_config(make_config("apddm", settings=[f"init_from={file}"]))
