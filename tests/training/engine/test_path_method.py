"""Diffusion models learn through the same engine: points of the path, the residual bank, what is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from napari_micromri.nn.checkpoint import read_spec
from napari_micromri.nn.families.apddm import method
from napari_micromri.nn.families.apddm.config import ApddmConfig
from napari_micromri.nn.families.apddm.method import PathMethod, collect_bank
from napari_micromri.nn.families.apddm.training import PathBatch
from napari_micromri.nn.registry import load_model
from napari_micromri.nn.restorer import Sampling
from napari_micromri.training.engine.batches import training_batches
from napari_micromri.training.engine.estimate import estimate
from napari_micromri.training.engine.loop import train
from napari_micromri.training.engine.methods import first_network, new_network
from napari_micromri.training.engine.samples import whole_sample
from napari_micromri.training.events import BatchDone, Epoch, Started, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conftest import Slices
    from napari_micromri.runs.events import Event
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import TrainingData
    from napari_micromri.training.folder import RunFolder

PATH = {"steps": 6, "bank_size": 8}


@pytest.fixture
def make_apddm(make_config: Callable[..., TrainConfig]) -> Callable[..., TrainConfig]:
    def make(path: dict[str, object] | None = None, **fields: object) -> TrainConfig:
        return make_config(kind="apddm", apddm=PATH | (path or {}), **fields)

    return make


def epochs_of(events: Iterable[Event]) -> list[Epoch]:
    return [event for event in events if isinstance(event, Epoch)]


def test_a_diffusion_model_learns_and_is_kept_as_one(
    make_apddm: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
) -> None:
    config = make_apddm(epochs=20, batch_size=2, learning_rate=5e-3, patience=None, network={"features_main": [8, 12]})
    folder = make_run(config, "textured")
    events = list(train(config, data, folder))
    started = events[0]
    assert isinstance(started, Started)
    assert "beta 0.6" in started.note and "eq. 37" in started.note
    best = min(epochs_of(events), key=lambda epoch: epoch.validation.mse)
    assert best.validation.mse < 0.7 * best.baseline.mse
    spec, _ = read_spec(folder.best)
    assert spec.kind == "apddm"
    assert spec.card.summary.startswith("APDDM trained on blobs")
    assert spec.config == config.model.model_dump(mode="json")
    method = config.family.method(config, data.train)
    assert spec.provenance["residual_bank"] == method.provenance()["residual_bank"]
    assert spec.provenance["residual_bank"]["residuals"] == 8
    model = load_model(folder.best)
    lr = torch.from_numpy(np.stack([pair.lr for pair in data.validation]))[:, None]
    one = model.restore(lr)
    errors = [
        float(np.mean((image.numpy() - pair.hr) ** 2)) / float(np.abs(pair.lr).mean()) ** 2
        for image, pair in zip(one[:, 0], data.validation, strict=True)
    ]
    assert np.mean(errors) == pytest.approx(best.validation.mse, rel=1e-3)
    several = model.sample(lr, Sampling(steps=6), range(3)).image
    assert not torch.allclose(several, one)


@pytest.mark.parametrize(
    ("path", "most_steps"),
    [
        ({"parameterisation": "simplified"}, 1),
        ({"parameterisation": "paper", "judged_steps": 3}, 6),
        ({"parameterisation": "residual", "bank_size": 0, "schedule": "bridge"}, 6),
        ({"beta": 0.0, "exact": False}, 6),
    ],
    ids=["simplified", "paper", "gaussian", "noiseless"],
)
def test_every_variant_learns_through_the_engine(
    make_apddm: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
    path: dict[str, object],
    most_steps: int,
) -> None:
    config = make_apddm(path, epochs=8, batch_size=2, learning_rate=5e-3, patience=None)
    folder = make_run(config)
    epochs = epochs_of(train(config, data, folder))
    if config.apddm.parameterisation == "paper":  # it needs far more than a second to be of any use
        assert epochs[-1].validation.mse != epochs[0].validation.mse
    else:
        assert min(epoch.validation.mse for epoch in epochs) < 0.95 * epochs[0].baseline.mse
    assert min(epoch.train_loss for epoch in epochs[4:]) < epochs[0].train_loss
    model = load_model(folder.best)
    assert model.most_steps == most_steps


def test_a_stopped_run_ends_as_if_it_never_had_been(
    make_apddm: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_apddm(crop=16, ema=0.9, workers=1, scheduler="cosine")
    whole, parted = make_run(config, "whole"), make_run(config, "parted")
    expected = epochs_of(train(config, data, whole))
    found: list[Event] = []
    for batches in (2, 3, 100):
        learned = 0
        for event in train(config, data, parted, lambda: learned >= batches):  # noqa: B023  # used in this turn only
            learned += isinstance(event, BatchDone)
            found.append(event)
    assert sum(isinstance(event, Stopped) for event in found) == 2
    assert [epoch.train_loss for epoch in epochs_of(found)] == [epoch.train_loss for epoch in expected]
    first, second = load_file(whole.best), load_file(parted.best)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_noise_is_the_same_in_however_many_processes(
    make_apddm: Callable[..., TrainConfig], data: TrainingData
) -> None:
    config = make_apddm(batch_size=4, crop=16)
    method = config.family.method(config, data.train)
    alone = [batch.points for batch in training_batches(data.train, config, 1, prepare=method.prepare)]
    shared = [
        [b.points for b in training_batches(data.train, config, 1, prepare=method.prepare, rank=rank, world=2)]
        for rank in range(2)
    ]
    for whole, even, odd in zip(alone, *shared, strict=True):
        assert torch.equal(whole[0::2], even)
        assert torch.equal(whole[1::2], odd)


def test_points_lie_on_the_paths_of_their_pairs(make_apddm: Callable[..., TrainConfig], data: TrainingData) -> None:
    config = make_apddm({"beta": 0.0, "at_end": 0.0}, flips=False)
    method = config.family.method(config, data.train)
    times = set()
    for batch in training_batches(data.train, config, 1, prepare=method.prepare):
        alpha = (batch.times / 6)[:, None, None, None]
        torch.testing.assert_close(batch.points, batch.wanted + alpha * (batch.given - batch.wanted))
        times |= set(batch.times.tolist())
    assert len(times) > 2


def test_the_bank_names_its_slices_and_leaves_out_a_slice_of_its_own(
    make_apddm: Callable[..., TrainConfig], data: TrainingData, make_pair: Callable[..., Slices]
) -> None:
    flat = replace(make_pair(), lr=np.ones((16, 12), np.float32), hr=np.ones((32, 24), np.float32))
    slices = [*data.train, flat]
    bank = collect_bank(make_apddm({"bank_size": 100}), slices)
    assert sorted(bank.origins) == list(range(10))  # whole slices are there once, and an empty one not at all
    assert len(collect_bank(make_apddm({"bank_size": 40}, crop=16), data.train)) > 30  # a few squares are alike
    assert bank.digest == collect_bank(make_apddm({"bank_size": 100}), slices).digest
    two = data.train[:2]
    found = PathMethod(make_apddm({"at_end": 0.0}), two)
    assert found.bank is not None
    sample = found.prepare(whole_sample(two[0], make_apddm()), 0, (1, 2, 3))
    assert sample.point is not None and np.isfinite(sample.point).all()
    [other] = [r for r, origin in zip(found.bank._residuals, found.bank.origins, strict=True) if origin == 1]
    drawn = found.bank.draw(20, other.shape, torch.Generator().manual_seed(0), apart_from=0)
    same = [any(np.allclose(image[0], np.rot90(other, k)) for k in (0, 2)) for image in drawn.numpy()]
    assert sum(same) > 4  # quarter turns of an oblong one are cut and continued


@pytest.mark.parametrize("parameterisation", ["residual", "simplified"])
def test_settings_of_the_path_reach_where_samples_are_made_and_judged(
    make_apddm: Callable[..., TrainConfig], data: TrainingData, monkeypatch: pytest.MonkeyPatch, parameterisation: str
) -> None:
    asked: dict[str, Any] = {}

    def make_batch(good: torch.Tensor, anchor: torch.Tensor, *_: object, **how: object) -> PathBatch:
        asked.update(how)
        return PathBatch(anchor, torch.tensor([3]), anchor, good)

    def sample(_path: object, _predict: object, anchor: torch.Tensor, **how: object) -> torch.Tensor:
        asked.update(how)
        return anchor

    monkeypatch.setattr(method, "make_batch", make_batch)
    monkeypatch.setattr(method, "sample", sample)
    simple = parameterisation == "simplified"
    chosen = {"at_end": 0.25, "noiseless": 0.125, "exact": False, "judged_steps": 1 if simple else 4}
    config = make_apddm(chosen | {"parameterisation": parameterisation})
    made = PathMethod(config, data.train)
    placed = made.prepare(whole_sample(data.train[2], config), 2, (1, 2, 3))
    assert placed.time == 3
    [batch, *_] = training_batches(data.train, config, 1)
    made.estimate(new_network(config), batch)
    assert asked == {
        "at_end": 1.0 if simple else 0.25,
        "noiseless": 0.125,
        "exact": False,
        "apart_from": 2,
        "steps": chosen["judged_steps"],
    }


def test_a_diffusion_model_begins_as_the_unet_that_it_goes_on_from(
    make_config: Callable[..., TrainConfig],
    make_apddm: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
) -> None:
    plain = make_run(make_config(epochs=4), "plain")
    before = [epoch for epoch in epochs_of(train(make_config(epochs=4), data, plain)) if epoch.best][-1]
    onward = make_apddm(init_from=str(plain.best), epochs=1, learning_rate=1e-9)
    onward = onward.model_copy(update={"network": make_config().network})
    folder = make_run(onward, "onward")
    [after] = epochs_of(train(onward, data, folder))
    assert after.validation.mse == pytest.approx(before.validation.mse, rel=1e-4)
    again = make_apddm(init_from=str(folder.best), epochs=1, learning_rate=1e-9).model_copy(
        update={"network": make_config().network}
    )
    [last] = epochs_of(train(again, data, make_run(again, "again")))
    assert last.validation.mse == pytest.approx(after.validation.mse, rel=1e-4)


def test_the_network_has_the_inputs_that_the_path_asks_for(make_apddm: Callable[..., TrainConfig]) -> None:
    config = make_apddm()
    assert isinstance(config.model, ApddmConfig)
    assert new_network(config).config == config.model.unet
    assert config.model.unet.guided and config.model.unet.time_embedding
    assert not config.network.guided
    assert first_network(config, 2).config == config.model.unet


def test_the_loss_of_validation_is_over_the_path_and_the_same_in_every_epoch(
    make_config: Callable[..., TrainConfig],
    make_apddm: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
) -> None:
    still = {"epochs": 2, "learning_rate": 1e-12, "threads": 1}
    config = make_apddm({"at_end": 0.0}, **still)
    first, second = epochs_of(train(config, data, make_run(config, "path")))
    assert first.validation.loss == pytest.approx(second.validation.loss, rel=1e-6)
    assert first.validation.loss < 0.9 * first.validation.mse  # nearer to the good slice than the fast one is
    plain = epochs_of(train(make_config(**still), data, make_run(make_config(**still), "plain")))
    assert plain[0].validation.loss == plain[0].validation.mse
    assert plain[0].baseline == first.baseline


def test_an_estimate_counts_what_a_diffusion_model_needs(
    make_apddm: Callable[..., TrainConfig], data: TrainingData
) -> None:
    found = estimate(make_apddm(), data)
    assert found.seconds_per_epoch > 0
    assert found.memory > 1000
