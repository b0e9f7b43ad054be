"""Training learns, repeats itself, and goes on after a stop as if nothing had been."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from napari_micromri.errors import InputError, TrainingError
from napari_micromri.nn.checkpoint import read_spec
from napari_micromri.nn.plain_restorer import PlainRestorer
from napari_micromri.nn.registry import load_model
from napari_micromri.training.engine import loop
from napari_micromri.training.engine.loop import train
from napari_micromri.training.engine.methods import new_network
from napari_micromri.training.engine.optimisation import cosine
from napari_micromri.training.events import (
    BatchDone,
    Checkpoint,
    Done,
    Epoch,
    Resumed,
    Started,
    Stopped,
    ValidationImage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conftest import Slices
    from napari_micromri.runs.events import Event
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import TrainingData
    from napari_micromri.training.folder import RunFolder


def epochs_of(events: Iterable[Event]) -> list[Epoch]:
    return [event for event in events if isinstance(event, Epoch)]


def curve(events: Iterable[Event]) -> list[tuple[float, ...]]:
    return [(e.epoch, e.train_loss, e.validation.mse, e.validation.ssim, e.learning_rate) for e in epochs_of(events)]


def weights_equal(a: RunFolder, b: RunFolder, name: str) -> bool:
    first, second = (load_file(getattr(folder, name)) for folder in (a, b))
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_a_run_tells_its_story_in_order_and_learns(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_config(epochs=20, batch_size=2, learning_rate=5e-3, patience=None, network={"features_main": [8, 12]})
    folder = make_run(config)
    events = list(train(config, data, folder))
    assert isinstance(events[0], Started)
    assert (events[0].train_slices, events[0].validation_slices, events[0].batches) == (10, 3, 5)
    assert isinstance(events[-1], Done)
    assert sum(isinstance(event, BatchDone) for event in events) == 100
    epochs = epochs_of(events)
    assert [epoch.epoch for epoch in epochs] == list(range(1, 21))
    assert epochs[0].baseline == events[0].baseline
    best = min(epochs, key=lambda epoch: epoch.validation.mse)
    assert best.validation.mse < 0.6 * best.baseline.mse
    assert best.recon_error < best.noise
    assert events[-1].epoch == best.epoch
    images = [event.file for event in events if isinstance(event, ValidationImage)]
    assert images == [f"images/epoch_{k:04}.npy" for k in range(1, 21)]


def test_the_best_checkpoint_is_a_finished_model_that_says_where_it_comes_from(
    make_config: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
    make_pair: Callable[..., Slices],
) -> None:
    config = make_config(epochs=4, ema=0.5)
    folder = make_run(config, "mouse lab")
    best = [epoch for epoch in epochs_of(train(config, data, folder)) if epoch.best][-1]
    spec, _ = read_spec(folder.best)
    assert (spec.name, spec.factor, spec.upsampling) == ("mouse lab", 2, "sinc")
    assert spec.provenance["study_fingerprint"] == "f00d"
    assert spec.provenance["split"] == {"train": ["mouse 1"], "validation": ["mouse 2"]}
    assert spec.provenance["epoch"] == best.epoch
    assert spec.provenance["training"]["learning_rate"] == config.learning_rate
    model = load_model(folder.best)
    errors = []
    for pair in data.validation:
        denoised = model.restore(torch.from_numpy(pair.lr)[None, None])[0, 0].numpy()
        errors.append(float(np.mean((denoised - pair.hr) ** 2)) / float(np.abs(pair.lr).mean()) ** 2)
    assert np.mean(errors) == pytest.approx(best.validation.mse, rel=1e-3)


def test_the_image_of_an_epoch_is_in_the_scanners_units(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_config(epochs=1)
    folder = make_run(config)
    list(train(config, data, folder))
    image, lr, hr = (np.load(folder.images / f"{name}.npy", allow_pickle=False) for name in ("epoch_0001", "lr", "hr"))
    assert image.shape == hr.shape == (2 * lr.shape[0], 2 * lr.shape[1])
    assert np.mean((image - hr) ** 2) < 0.1 * np.var(hr)


def test_the_same_seed_gives_the_same_curve_and_another_one_another(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    curves = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        config = make_config(seed=seed, workers=1)
        curves.append(curve(train(config, data, make_run(config, name))))
    assert curves[0] == curves[1] != curves[2]


ELABORATE = {"optimizer": "adamw", "scheduler": "cosine", "ema": 0.9, "clip": 1.0, "loss": "hybrid", "crop": 16}
SCHEDULES = [
    ELABORATE,
    {"optimizer": "rmsprop", "scheduler": "plateau", "plateau_patience": 0, "momentum": 0.5},
    {"optimizer": "sgd", "scheduler": "step", "decay_epochs": 1, "momentum": 0.9},
    {"optimizer": "adam", "scheduler": "exponential", "loss": "mae"},
]


@pytest.mark.parametrize("settings", SCHEDULES, ids=lambda s: s["optimizer"])
def test_a_run_that_is_stopped_twice_ends_as_if_it_never_had_been(
    make_config: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
    settings: dict[str, object],
) -> None:
    config = make_config(**settings)
    whole, parted = make_run(config, "whole"), make_run(config, "parted")
    expected = list(train(config, data, whole))
    found: list[Event] = []
    for batches in (2, 3, 100):
        learned = 0

        def enough(batches: int = batches) -> bool:
            return learned + 1 >= batches  # noqa: B023  # the count of this round, asked for during the next batch

        for event in train(config, data, parted, enough):
            learned += isinstance(event, BatchDone)
            found.append(event)
    stops = [(event.epoch, event.batch) for event in found if isinstance(event, Stopped)]
    assert stops == [(1, 2), (2, 2)]
    resumes = [(event.epoch, event.batch) for event in found if isinstance(event, Resumed)]
    assert resumes == stops
    assert curve(found) == curve(expected)
    assert weights_equal(whole, parted, "last")
    assert weights_equal(whole, parted, "best")


def test_the_best_epoch_is_known_after_a_stop(
    make_config: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    figures = iter([1.0, 2.0, 3.0])
    monkeypatch.setattr(loop, "monitored", lambda *_: next(figures))
    config = make_config(epochs=3)
    folder = make_run(config)
    learned: list[BatchDone] = []
    for event in train(config, data, folder, lambda: len(learned) >= 4):
        if isinstance(event, BatchDone):
            learned.append(event)
    rest = list(train(config, data, folder))
    assert [(epoch.epoch, epoch.best) for epoch in epochs_of(rest)] == [(2, False), (3, False)]
    assert rest[-1].epoch == 1


def test_slices_without_a_figure_leave_the_others_theirs(
    make_config: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
    make_pair: Callable[..., Slices],
) -> None:
    # SSIM's windows are wider than the small slice.
    figures = []
    for name, slices in (("all", [make_pair((24, 20)), make_pair((8, 8))]), ("one", [make_pair((24, 20))])):
        config = make_config(epochs=1)
        [epoch] = epochs_of(train(config, replace(data, validation=slices), make_run(config, name)))
        figures.append(epoch.validation)
    assert figures[0].ssim == pytest.approx(figures[1].ssim)
    assert figures[0].mse != pytest.approx(figures[1].mse)


def test_a_stop_during_validation_goes_on_with_validation(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_config(epochs=2)
    whole, parted = make_run(config, "whole"), make_run(config, "parted")
    expected = list(train(config, data, whole))
    state = {"learned": 0, "asked": 0}

    def stop_in_validation() -> bool:
        state["asked"] += state["learned"] == 3
        return state["asked"] >= 1 and state["learned"] == 3

    found = []
    for event in train(config, data, parted, stop_in_validation):
        state["learned"] += isinstance(event, BatchDone)
        found.append(event)
    assert isinstance(found[-1], Stopped)
    assert (found[-1].epoch, found[-1].batch) == (1, 3)
    assert epochs_of(found) == []
    found += train(config, data, parted)
    assert curve(found) == curve(expected)
    assert weights_equal(whole, parted, "last")


@pytest.mark.parametrize(("least", "last"), [(1, 5), (7, 7)])
def test_early_stopping_waits_for_patience_and_the_least_number_of_epochs(
    make_config: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
    monkeypatch: pytest.MonkeyPatch,
    least: int,
    last: int,
) -> None:
    figures = iter([3.0, 2.0, 1.0, *[1.5] * 27])
    monkeypatch.setattr(loop, "monitored", lambda *_: next(figures))
    config = make_config(epochs=30, patience=2, least_epochs=least)
    folder = make_run(config)
    events = list(train(config, data, folder))
    assert [epoch.epoch for epoch in epochs_of(events)] == list(range(1, last + 1))
    assert [epoch.epoch for epoch in epochs_of(events) if epoch.best] == [1, 2, 3]
    assert isinstance(events[-1], Done)
    assert events[-1].epoch == 3
    assert read_spec(folder.best)[0].provenance["epoch"] == 3


def test_averaged_weights_are_judged_and_kept(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_config(epochs=1, ema=0.9, learning_rate=0.03)
    folder = make_run(config)
    [epoch] = epochs_of(train(config, data, folder))
    state, kept = load_file(folder.last), load_file(folder.best)
    average = {name: state[f"average.module.{name}"] for name in kept}
    assert all(torch.equal(kept[name], average[name]) for name in kept)
    assert any(not torch.equal(kept[name], state[f"network.{name}"]) for name in kept)
    assert int(state["average.n_averaged"]) == 3  # each batch counts
    network = new_network(config)

    def error(weights: dict[str, torch.Tensor]) -> float:
        network.load_state_dict(weights)
        restorer = PlainRestorer(network, read_spec(folder.best)[0])
        errors = []
        for pair in data.validation:
            denoised = restorer.restore(torch.from_numpy(pair.lr)[None, None])[0, 0].numpy()
            errors.append(np.mean((denoised - pair.hr) ** 2) / np.abs(pair.lr).mean() ** 2)
        return float(np.mean(errors))

    assert epoch.validation.mse == pytest.approx(error(average), rel=1e-4)
    assert epoch.validation.mse != pytest.approx(error({name: state[f"network.{name}"] for name in kept}), rel=1e-3)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"scheduler": "exponential", "decay": 0.5}, [1, 0.5, 0.25]),
        ({"scheduler": "plateau", "decay": 0.5, "plateau_patience": 0}, [1, 1, 0.5]),
        # After the warm-up half a cosine, over the steps of two epochs
        ({"scheduler": "cosine", "warmup_epochs": 1, "final_rate": 0.1}, [1, 0.55, 0.1]),
    ],
    ids=["exponential", "plateau", "cosine"],
)
def test_the_learning_rate_takes_its_course(
    make_config: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, object],
    expected: list[float],
) -> None:
    monkeypatch.setattr(loop, "monitored", lambda *_: 2.0)  # no epoch is better than the first
    config = make_config(epochs=3, patience=None, **settings)
    epochs = epochs_of(train(config, data, make_run(config)))
    assert [epoch.learning_rate / config.learning_rate for epoch in epochs] == pytest.approx(expected)


@pytest.mark.parametrize(("outlier", "ends"), [(1e4, False), (1e5, True)])
def test_one_loss_among_twenty_may_be_large_but_not_without_end(
    make_config: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
    monkeypatch: pytest.MonkeyPatch,
    outlier: float,
    ends: bool,
) -> None:
    # A twentieth of it enters the smoothed loss, which may grow a thousandfold.
    real, calls = loop.batch_loss, iter(range(100))
    monkeypatch.setattr(loop, "batch_loss", lambda *args: real(*args) * (outlier if next(calls) == 4 else 1))
    config = make_config(epochs=2, learning_rate=1e-12)
    folder = make_run(config)
    if ends:
        with pytest.raises(TrainingError, match="epoch 2, batch 2"):
            list(train(config, data, folder))
    else:
        epochs = epochs_of(train(config, data, folder))
        usual = epochs[0].train_loss
        assert epochs[1].train_loss == pytest.approx(usual * (2 + outlier) / 3, rel=0.5)


@pytest.mark.parametrize("clip", [1e-3, 1e-4])
def test_a_step_is_as_long_as_the_clipped_gradient(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData, clip: float
) -> None:
    def weights(name: str, **settings: object) -> torch.Tensor:
        # One batch of plain gradient descent: what is left between two runs is their one step.
        config = make_config(epochs=1, batch_size=10, optimizer="sgd", momentum=0.0, **settings)
        folder = make_run(config, name)
        list(train(config, data, folder))
        return torch.cat([weight.double().flatten() for weight in load_file(folder.best).values()])

    start = weights("start", learning_rate=1e-30)
    step = (weights("clipped", learning_rate=1.0, clip=clip) - start).norm()
    free = (weights("free", learning_rate=1.0, clip=None) - start).norm()
    assert float(step) == pytest.approx(clip, rel=1e-3)
    assert float(free) > 2 * clip


def test_training_ends_when_its_time_is_up_and_judges_what_it_has_learned(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_config(epochs=1000, minutes=1e-6, batch_size=2)
    run = make_run(config)
    events = list(train(config, data, run))
    [epoch] = epochs_of(events)
    batches = [event for event in events if isinstance(event, BatchDone)]
    assert len(batches) == 1 < batches[0].batches
    assert epoch.train_loss == pytest.approx(batches[0].loss)
    assert isinstance(events[-1], Done)
    assert "minutes" in events[-1].message
    assert run.best.is_file()
    # Resuming finds that there is no time left.
    assert isinstance(list(train(config, data, run))[-1], Done)


def test_the_cosine_follows_the_time_where_there_is_one(make_config: Callable[..., TrainConfig]) -> None:
    config = make_config(scheduler="cosine", final_rate=0.1, warmup_epochs=1, epochs=1000)
    part = cosine(config, 10)
    assert part(500, 0.5) == pytest.approx(0.55)
    assert part(20_000, 0.0) == pytest.approx(1)
    assert part(3, 1.0) == pytest.approx(0.1 * 4 / 11)
    assert part(10_000, None) == pytest.approx(0.1)


def test_a_finished_state_is_done_at_once_when_it_was_killed_just_before_saying_so(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_config(epochs=1)
    folder = make_run(config)
    list(train(config, data, folder))
    again = list(train(config, data, folder))
    assert [type(event) for event in again] == [Resumed, Done]


def test_a_state_is_saved_within_an_epoch_when_asked_for(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_config(epochs=1, checkpoint_minutes=0)
    events = list(train(config, data, make_run(config)))
    places = [event.batch for event in events if isinstance(event, Checkpoint) and event.file == "last.safetensors"]
    assert places == [1, 2, 0]


def test_a_study_that_has_changed_begins_its_epoch_anew_and_says_so(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_config(epochs=1)
    folder = make_run(config)
    list(train(config, data, folder, lambda: True))
    [resumed, *_] = train(config, replace(data, fingerprint="other"), folder)
    assert isinstance(resumed, Resumed)
    assert resumed.batch == 0
    assert "changed" in resumed.note


def test_training_goes_on_from_a_model(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_config(epochs=4, ema=0.0)
    first = make_run(config, "first")
    before = [epoch for epoch in epochs_of(train(config, data, first)) if epoch.best][-1]
    tuned = make_config(init_from=str(first.best), epochs=1, learning_rate=1e-9)
    plain = tuned.model_copy(update={"network": make_config().network})
    second = make_run(tuned, "second")
    [after] = epochs_of(train(plain, data, second))
    assert after.validation.mse == pytest.approx(before.validation.mse, rel=1e-4)
    assert read_spec(second.best)[0].upsampling == "sinc"


def test_a_model_for_another_factor_is_refused(
    make_config: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
) -> None:
    config = make_config(epochs=1)
    first = make_run(config, "first")
    list(train(config, data, first))
    finer = [replace(pair, hr=np.kron(pair.hr, np.ones((2, 2), np.float32))) for pair in data.train]
    with pytest.raises(InputError, match="4"):
        list(train(make_config(init_from=str(first.best)), replace(data, train=finer), make_run(config, "second")))


def test_slices_of_several_sizes_are_learned_together(
    make_config: Callable[..., TrainConfig],
    make_run: Callable[..., RunFolder],
    data: TrainingData,
    make_pair: Callable[..., Slices],
) -> None:
    shapes = [(24, 20), (37 * 2, 26), (30, 48)]
    mixed = [make_pair(shapes[k % 3], seed=k) for k in range(9)]
    config = make_config(epochs=6, loss="hybrid")
    epochs = epochs_of(train(config, replace(data, train=mixed, validation=mixed[:4]), make_run(config)))
    assert min(e.validation.mse for e in epochs) < epochs[0].baseline.mse


def test_a_study_of_one_slice_can_be_learned(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_config(epochs=1)
    [epoch] = epochs_of(train(config, replace(data, train=data.train[:1], validation=data.train[:1]), make_run(config)))
    assert math.isfinite(epoch.validation.mse)


@pytest.mark.parametrize("empty", ["train", "validation"])
def test_an_empty_set_is_said_at_once(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData, empty: str
) -> None:
    config = make_config()
    with pytest.raises(TrainingError, match=empty):
        list(train(config, replace(data, **{empty: []}), make_run(config)))


def test_validation_slices_without_an_image_cannot_judge(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    dark = [replace(pair, lr=np.zeros_like(pair.lr)) for pair in data.validation]
    config = make_config()
    with pytest.raises(TrainingError, match="constant"):
        list(train(config, replace(data, validation=dark), make_run(config)))


def test_a_damaged_or_foreign_state_is_refused(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_config(epochs=1)
    folder = make_run(config)
    list(train(config, data, folder))
    content = folder.last.read_bytes()
    folder.last.write_bytes(content[: len(content) // 2])
    with pytest.raises(TrainingError, match="damaged"):
        list(train(config, data, folder))
    folder.last.write_bytes(folder.best.read_bytes())
    with pytest.raises(TrainingError, match="state"):
        list(train(config, data, folder))
    folder.last.write_bytes(content)
    with pytest.raises(TrainingError, match="another run"):
        list(train(make_config(epochs=1, network={"features_main": [4, 8]}), data, folder))


def test_computing_in_bfloat16_keeps_what_a_residual_network_is_given(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    config = make_config(epochs=1, precision="bfloat16", learning_rate=1e-9)
    [epoch] = epochs_of(train(config, data, make_run(config)))
    # The residual network still is the identity; rounding its input to bfloat16 would show in the sixth digit.
    assert epoch.validation.mse == pytest.approx(epoch.baseline.mse, rel=1e-6)


def test_the_loss_of_an_epoch_is_the_mean_over_slices_also_with_a_smaller_last_batch(
    make_config: Callable[..., TrainConfig], make_run: Callable[..., RunFolder], data: TrainingData
) -> None:
    # Ten slices in batches of 4, 4 and 2; drawn with replacement, 7 are batches of 4 and 3.
    for name, settings, counts in (("all", {}, (4, 4, 2)), ("drawn", {"draws": 7}, (4, 3))):
        config = make_config(epochs=2, batch_size=4, **settings)
        events = list(train(config, data, make_run(config, name)))
        losses = [event.loss for event in events if isinstance(event, BatchDone)]
        for k, epoch in enumerate(epochs_of(events)):
            own = losses[k * len(counts) : (k + 1) * len(counts)]
            assert epoch.train_loss == pytest.approx(np.average(own, weights=counts), rel=1e-6)
