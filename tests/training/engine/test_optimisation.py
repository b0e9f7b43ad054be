"""What each option does to weights, learning rate and the end of a run, worked out by hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from napari_micromri.training.engine.optimisation import Patience, Rate, make_average, make_optimizer, monitored
from napari_micromri.training.events import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.training.config import TrainConfig


def weight(value: float = 1.0) -> nn.Parameter:
    return nn.Parameter(torch.tensor([value], dtype=torch.float64))


def learn(parameter: nn.Parameter, config: TrainConfig, gradients: list[float]) -> float:
    """Give the weight after steps with such gradients."""
    optimizer = make_optimizer([parameter], config)
    for gradient in gradients:
        parameter.grad = torch.full_like(parameter, gradient)
        optimizer.step()
    return float(parameter.detach())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # v = 2, then 0.5 * 2 + 4 = 5: 1 - 0.1 * (2 + 5)
        ({"optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.0}, 0.3),
        # The gradient grows by 0.5 times the weight: 2.5, then 4 + 0.5 * 0.75
        ({"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.5}, 1 - 0.1 * 2.5 - 0.1 * (4 + 0.5 * 0.75)),
        # Adam's first step is the rate, whatever the gradient; AdamW shrinks the weight itself besides.
        ({"optimizer": "adam", "weight_decay": 0.0}, None),
        ({"optimizer": "adamw", "weight_decay": 0.5}, None),
        # Mean square 0.01 * 4, then 0.99 * 0.04 + 0.01 * 16
        (
            {"optimizer": "rmsprop", "momentum": 0.0, "weight_decay": 0.0},
            1 - 0.1 * 2 / 0.04**0.5 - 0.1 * 4 / (0.99 * 0.04 + 0.01 * 16) ** 0.5,
        ),
    ],
    ids=["sgd-momentum", "sgd-decay", "adam", "adamw", "rmsprop"],
)
def test_optimizers_step_as_their_settings_say(
    make_config: Callable[..., TrainConfig], settings: dict[str, object], expected: float | None
) -> None:
    config = make_config(learning_rate=0.1, **settings)
    if expected is None:
        shrunk = 1 - 0.1 * config.weight_decay
        assert learn(weight(), config, [2.0]) == pytest.approx(shrunk - 0.1)
    else:
        assert learn(weight(), config, [2.0, 4.0]) == pytest.approx(expected)


def test_weight_decay_of_adam_is_part_of_the_gradient(make_config: Callable[..., TrainConfig]) -> None:
    config = make_config(learning_rate=0.1, optimizer="adam", weight_decay=0.5)
    assert learn(weight(-1.0), config, [0.0]) == pytest.approx(-0.9)  # the decay alone moves it, by a whole step


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"scheduler": "none"}, [1, 1, 1, 1, 1]),
        ({"scheduler": "exponential", "decay": 0.5}, [1, 0.5, 0.25, 0.125, 0.0625]),
        ({"scheduler": "step", "decay": 0.5, "decay_epochs": 2}, [1, 1, 0.5, 0.5, 0.25]),
        # The figure 2 stays: after more than one epoch without improvement the rate falls, and again.
        ({"scheduler": "plateau", "decay": 0.1, "plateau_patience": 1}, [1, 1, 1, 0.1, 0.1]),
    ],
    ids=lambda value: value["scheduler"] if isinstance(value, dict) else "",
)
def test_rates_fall_after_the_epochs_of_their_schedule(
    make_config: Callable[..., TrainConfig], settings: dict[str, object], expected: list[float]
) -> None:
    config = make_config(learning_rate=0.2, optimizer="sgd", epochs=5, **settings)
    optimizer = make_optimizer([weight()], config)
    rate, found = Rate(optimizer, config, batches=3), []
    for _ in range(5):
        found.append(rate.now / 0.2)
        for _ in range(3):
            optimizer.step()
            rate.after_batch()
        rate.after_epoch(2.0)
    assert found == pytest.approx(expected)


def test_the_cosine_rises_straight_and_falls_to_its_last_rate(make_config: Callable[..., TrainConfig]) -> None:
    config = make_config(
        learning_rate=0.2, optimizer="sgd", epochs=5, scheduler="cosine", warmup_epochs=1, final_rate=0.1
    )
    optimizer = make_optimizer([weight()], config)
    rate, found = Rate(optimizer, config, batches=3), []
    for _ in range(5):
        for _ in range(3):
            found.append(rate.now / 0.2)
            optimizer.step()
            rate.after_batch()
        rate.after_epoch(2.0)
    down = [0.1 + 0.9 * (1 + math.cos(math.pi * k / 12)) / 2 for k in range(12)]
    assert found == pytest.approx([1 / 4, 2 / 4, 3 / 4, *down])
    assert rate.now / 0.2 == pytest.approx(0.1)


def test_the_average_remembers_less_in_its_first_steps(make_config: Callable[..., TrainConfig]) -> None:
    network = nn.Linear(1, 1, bias=False)
    average = make_average(network, make_config(ema=0.25))
    assert average is not None
    expected, found = [], []
    for step, value in enumerate([1.0, 2.0, 3.0, 4.0, 5.0]):
        network.weight.data.fill_(value)
        average.update_parameters(network)
        found.append(float(average.module.weight.detach()))
        # The first weights are taken over; then the memory is 2/11, 3/12 and from there on the 0.25 asked for.
        memory = [0, 2 / 11, 0.25, 0.25, 0.25][step]
        expected.append(memory * (expected[-1] if expected else 0) + (1 - memory) * value)
    assert found == pytest.approx(expected)
    assert make_average(network, make_config(ema=0)) is None


@pytest.mark.parametrize(("patience", "least", "end"), [(3, 1, 6), (3, 8, 8), (1, 1, 4), (None, 1, None)])
def test_the_end_comes_so_many_epochs_after_the_best(patience: int | None, least: int, end: int | None) -> None:
    judge, ended = Patience(patience, least), None
    best = []
    for epoch, figure in enumerate([5.0, 4.0, 3.0, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5], start=1):
        if judge.take(epoch, figure):
            best.append(epoch)
        if ended is None and judge.over(epoch):
            ended = epoch
    assert (best, judge.best_epoch, judge.best) == ([1, 2, 3], 3, 3.0)  # as good as the best is no improvement
    assert ended == end


def test_a_higher_ssim_and_lower_errors_are_better(make_config: Callable[..., TrainConfig]) -> None:
    figures = Metrics(loss=0.1, mse=0.2, mae=0.3, psnr=28.0, ssim=0.9)
    found = [monitored(figures, make_config(monitor=name)) for name in ("loss", "mse", "ssim")]
    assert found == [0.1, 0.2, -0.9]
