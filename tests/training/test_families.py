"""Every kind of model in the table does all that a model has to do: learn, be tuned, denoise, be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_micromri.errors import InputError, ModelError
from napari_micromri.nn.families import FAMILIES
from napari_micromri.nn.network import count_parameters
from napari_micromri.nn.registry import describe_model, load_model
from napari_micromri.nn.restorer import SamplingRestorer
from napari_micromri.training.beginning import settle_config
from napari_micromri.training.config import known_keys, parse_config
from napari_micromri.training.engine.methods import new_network
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.presets import PRESETS
from napari_micromri.training.run import read_run
from napari_micromri.training.runner import create_run, run_training
from napari_micromri.tuning.config import make_tune_config
from napari_micromri.tuning.space import default_space

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import TrainingData

TINY: dict[str, dict[str, Any]] = {
    "unet": {"network": {"features_main": [4, 6]}},
    "apddm": {"network": {"features_main": [4, 6]}, "apddm": {"steps": 3, "bank_size": 4}},
    "nafnet": {"network": {"features": 4, "levels": 1, "blocks": 1, "middle_blocks": 1}},
}


@pytest.fixture(params=FAMILIES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def trained(kind: str, data: TrainingData, make_config: Callable[..., TrainConfig], tmp_path: Path) -> Path:
    (tmp_path / "study").mkdir()
    folder = create_run(make_config(kind=kind, epochs=2, **TINY[kind]), tmp_path / "study", tmp_path / "run")
    list(run_training(RunFolder(folder.path), data=data))
    return tmp_path


def test_it_learns_and_denoises(kind: str, trained: Path) -> None:
    run = read_run(trained / "run")
    assert (run.state, len(run.epochs)) == ("done", 2)
    assert run.model is not None
    model, entry = load_model(run.model), describe_model(run.model)
    assert (model.spec.kind, entry.kind) == (kind, kind)
    assert entry.parameters == count_parameters(new_network(parse_config({"kind": kind, **TINY[kind]})))
    assert (entry.most_steps > 1) == isinstance(model, SamplingRestorer)
    slices = torch.rand(2, 1, 11, 14) * 1000
    whole = model.restore(slices)
    assert whole.shape == (2, 1, 22, 28)
    torch.testing.assert_close(model.restore(slices, tile=8), whole)
    assert model.memory(11, 14) > 11 * 14 * 4
    assert f"{FAMILIES[kind].label} trained on" in model.spec.card.summary


def test_training_starts_from_models_of_its_kinds_only(
    kind: str, trained: Path, make_config: Callable[..., TrainConfig]
) -> None:
    model = str(trained / "run" / "best.safetensors")
    plain = {"network": None, "upsampling": "sinc"}
    for other, family in FAMILIES.items():
        content = make_config(kind=other, **{**TINY[other], **plain}).model_dump(exclude_unset=True, mode="json")
        config = parse_config({**{k: v for k, v in content.items() if k not in plain}, "init_from": model})
        if kind in family.starts_from:
            assert settle_config(config).network == FAMILIES[kind].shape(load_model(model).spec)
        else:
            with pytest.raises(ModelError, match=kind):
                settle_config(config)


def test_it_is_tuned_over_its_own_network(kind: str, tmp_path: Path) -> None:
    base, space = parse_config({"kind": kind, **TINY[kind]}), default_space(kind)
    make_tune_config(name="a", study=str(tmp_path), base=base, space=space)
    searched = {name for name in space.parameters if name.startswith("network.")}
    assert len(searched) >= 2
    for name in searched:
        values = {name: space.parameters[name].bounds[-1]}
        parse_config(space.settings(values, base.model_dump(mode="json")))  # as the worker of a trial does
    foreign = next(other for other in FAMILIES if default_space(other).parameters.keys() != space.parameters.keys())
    with pytest.raises(InputError, match=f"kind {kind} have no setting 'network"):
        make_tune_config(name="a", study=str(tmp_path), base=base, space=default_space(foreign))


def test_it_has_presets_and_words(kind: str) -> None:
    family = FAMILIES[kind]
    assert {PRESETS[name].config.kind for name in family.presets} == {kind}
    assert family.label and family.about.endswith(".") and family.plural
    assert set(family.starts_from) <= set(FAMILIES)
    assert {f"{kind}.{name}" for name in family.keeps} <= set(known_keys(kind))
    with pytest.raises(InputError, match="not those of the kind"):
        other = next(key for key in known_keys() if key not in known_keys(kind))
        part, _, name = other.partition(".")
        parse_config({"kind": kind, part: {name: 1}})
