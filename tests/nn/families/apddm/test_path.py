from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_micromri.errors import ModelError
from napari_micromri.nn.families.apddm.path import AnchoredPath, critical_beta
from napari_micromri.nn.families.apddm.schedule import Bridge, ConstantVariance, Parabola, Points, Sine

COUNT, SHAPE = 64, (24, 24)
SCHEDULES = [Parabola(), Sine(), Bridge(), ConstantVariance()]


def gaussian(seed: int):
    generator = torch.Generator().manual_seed(seed)

    def draw(count: int) -> Tensor:
        return torch.randn((count, 1, *SHAPE), generator=generator)

    return draw


def ends() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    good = torch.rand((1, 1, *SHAPE), generator=generator)
    return good, good + 0.3 * torch.randn(good.shape, generator=generator)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [2, 5, 20])
def test_the_variance_at_the_end_is_beta_squared(schedule, steps: int) -> None:
    path = AnchoredPath(steps, 0.25, schedule)
    noise = path.accumulate(torch.full((COUNT,), steps), gaussian(0))
    assert path.variance[-1] == pytest.approx(0.25**2)
    assert float(noise.std()) == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("t", [0, 1, 7, 13, 20])
def test_the_variance_along_the_path_is_v_t(t: int, exact: bool) -> None:
    path = AnchoredPath(20, 0.5)
    noise = path.accumulate(torch.full((COUNT,), t), gaussian(t), exact=exact)
    assert float(noise.var()) == pytest.approx(float(path.variance[t]), rel=0.05, abs=1e-12)


@pytest.mark.parametrize("steps", [1, 5, 20])
def test_the_expected_end_is_the_fast_scan(steps: int) -> None:
    good, fast = ends()
    path = AnchoredPath(steps, 0.0 if steps == 1 else 0.2)
    many = good.expand(400, -1, -1, -1)
    t = torch.full((400,), steps)
    end = path.jump(many, (fast - good).expand_as(many), t, path.accumulate(t, gaussian(2)))
    # the mean of 400 draws of SD 0.2 has an SD of 0.01
    assert float((end.mean(0) - fast[0]).abs().max()) < 0.05


def test_steps_one_by_one_arrive_where_the_jump_does() -> None:
    good, fast = ends()
    path = AnchoredPath(10, 0.2)
    draws = gaussian(3)(10)
    x = good
    for t in range(1, 8):
        x = path.step(x, fast - good, t, draws[t - 1 : t])
    jumped = path.jump(good, fast - good, torch.tensor([7]), path.accumulate(torch.tensor([7]), lambda n: draws[:n]))
    torch.testing.assert_close(x, jumped)


def test_a_batch_reaches_a_time_of_its_own_in_each_image() -> None:
    path = AnchoredPath(10, 0.4)
    noise = path.accumulate(torch.tensor([0, 3, 10]), gaussian(4))
    assert noise.shape == (3, 1, *SHAPE)
    assert [float(n.std()) for n in noise] == pytest.approx(np.sqrt(path.variance[[0, 3, 10]]).tolist(), rel=0.1)


def test_more_beta_leads_farther_from_the_fast_scan() -> None:
    good, fast = ends()
    errors = []
    for beta in (0.05, 0.1, 0.2, 0.4):
        path, t = AnchoredPath(20, beta), torch.full((16,), 20)
        end = path.jump(good.expand(16, -1, -1, -1), fast - good, t, path.accumulate(t, gaussian(5)))
        errors.append(float(((end - fast) ** 2).mean()))
    assert errors == sorted(errors)
    assert errors[-1] == pytest.approx(0.16, rel=0.1)


def test_one_scaled_draw_keeps_the_tails_that_the_sum_loses() -> None:
    generator = torch.Generator().manual_seed(6)

    def heavy(count: int) -> Tensor:
        rare = (torch.rand((count, 1, *SHAPE), generator=generator) < 0.02).float()
        return rare * torch.randn(rare.shape, generator=generator) / math.sqrt(0.02)

    def excess(x: Tensor) -> float:
        return float((x**4).mean() / (x**2).mean() ** 2) - 3

    path, t = AnchoredPath(20, 1.0), torch.full((200,), 20)
    single, summed = path.accumulate(t, heavy, exact=False), path.accumulate(t, heavy)
    assert excess(summed) / excess(single) == pytest.approx(path.kurtosis_left(20), rel=0.25)


def test_critical_beta_is_equation_37() -> None:
    expected = math.sqrt(8 / 15 * (100**4 - 1) / 100**5) * 0.3
    assert critical_beta(0.3, 100) == pytest.approx(expected)
    # at the critical beta a step's noise (with f = 1) is as large as its share of the way
    assert AnchoredPath(100, critical_beta(0.3, 100)).sigma == pytest.approx(0.3 / 100)


@pytest.mark.parametrize(("steps", "beta"), [(0, 0.1), (5, -1.0), (5, math.nan), (5, math.inf), (1, 0.1)])
def test_paths_that_make_no_sense_are_refused(steps: int, beta: float) -> None:
    with pytest.raises(ModelError):
        AnchoredPath(steps, beta)


def test_a_schedule_without_noise_is_refused_unless_none_is_wanted() -> None:
    with pytest.raises(ModelError, match="zero at all"):
        AnchoredPath(5, 0.1, Points((0.0, 0.0)))
    assert AnchoredPath(5, 0.0, Points((0.0, 0.0))).variance.tolist() == [0] * 6
