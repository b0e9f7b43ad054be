from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from napari_micromri.errors import InputError
from napari_micromri.nn.families.apddm.path import AnchoredPath
from napari_micromri.nn.families.apddm.sampler import Rule, posterior, sample, step_back, times
from napari_micromri.nn.families.apddm.schedule import Bridge, ConstantVariance

SHAPE = (2, 1, 12, 10)


def image(seed: int) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def draws(seed: int = 9):
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(SHAPE, generator=generator)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 5, 10, 50])
def test_an_oracle_is_believed_whatever_the_number_of_steps(steps: int, eta: float) -> None:
    good, anchor, path = image(0), image(1), AnchoredPath(50, 0.4)
    found = sample(path, lambda x, a, t: good, anchor, steps=steps, eta=eta, draw=draws(), start_noise=0.4 * image(2))
    torch.testing.assert_close(found, good)


@pytest.mark.parametrize("rule", ["posterior", "indi", "cold"])
@pytest.mark.parametrize("steps", [1, 2, 5, 10, 50])
def test_all_rules_find_the_oracle_s_image_from_the_anchor(rule: Rule, steps: int) -> None:
    good, anchor = image(0), image(1)
    found = sample(AnchoredPath(50, 0.0), lambda x, a, t: good, anchor, steps=steps, rule=rule)
    torch.testing.assert_close(found, good, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rule", ["indi", "cold"])
def test_the_rules_agree_on_the_line(rule: Rule) -> None:
    good, anchor, path = image(0), image(1), AnchoredPath(20, 0.3)
    on_the_line = good + 12 / 20 * (anchor - good)
    own, _ = step_back(path, "posterior", on_the_line, good, anchor, 12, 5)
    other, _ = step_back(path, rule, on_the_line, good, anchor, 12, 5)
    torch.testing.assert_close(own, other)


def test_the_posterior_is_the_one_of_the_forward_path() -> None:
    """Regress x_s on x_t over many forward walks: slope and remaining variance are the formula's."""
    path, t, s = AnchoredPath(10, 0.5, Bridge()), 8, 3
    rng = np.random.default_rng(0)
    steps = path.sigma * path.levels[1:, None] * rng.standard_normal((10, 200_000))
    n_s, n_t = steps[:s].sum(0), steps[:t].sum(0)
    slope = (n_s * n_t).mean() / (n_t**2).mean()
    spread = (n_s - slope * n_t).var()
    x, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    mean, variance = posterior(path, x, zero, zero, t, s)
    assert float(mean) == pytest.approx(slope, rel=0.02)
    assert variance == pytest.approx(spread, rel=0.02)


@given(path_steps=st.integers(1, 300), data=st.data())
@settings(max_examples=50)
def test_times_fall_from_the_end_to_zero(path_steps: int, data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, path_steps))
    way = times(path_steps, steps)
    assert (way[0], way[-1], len(way)) == (path_steps, 0, steps + 1)
    assert all(a > b for a, b in itertools.pairwise(way))


def test_without_eta_the_way_is_deterministic_and_with_it_random() -> None:
    anchor, path = image(1), AnchoredPath(20, 0.5)

    def shrink(x: Tensor, a: Tensor, t: int) -> Tensor:
        return 0.5 * x

    def go(eta: float, seed: int) -> Tensor:
        return sample(path, shrink, anchor, steps=5, eta=eta, draw=draws(seed))

    assert torch.equal(go(0.0, 1), go(0.0, 2))
    assert not torch.equal(go(1.0, 1), go(1.0, 2))
    assert torch.equal(go(1.0, 1), go(1.0, 1))


@pytest.mark.parametrize("eta", [0.0, 0.25, 1.0])
def test_eta_is_the_share_of_the_posterior_s_noise(eta: float) -> None:
    """With the same noise in each step V_t = 4 t / 10; from 10 to 5 the posterior's variance is 2 (4 - 2) / 4 = 1."""
    path, zero, seen = AnchoredPath(10, 2.0, ConstantVariance()), torch.zeros(SHAPE), []

    def network(x: Tensor, a: Tensor, t: int) -> Tensor:
        seen.append(x)
        return zero

    sample(path, network, zero, steps=2, eta=eta, draw=lambda: torch.ones(SHAPE))
    torch.testing.assert_close(seen[1], torch.full(SHAPE, eta))


def test_one_step_asks_the_network_once_at_the_end_of_the_path() -> None:
    asked = []

    def network(x: Tensor, a: Tensor, t: int) -> Tensor:
        asked.append(t)
        return x

    sample(AnchoredPath(20, 0.5), network, image(0), steps=1)
    assert asked == [20]


@pytest.mark.parametrize("steps", [0, 21])
def test_an_impossible_number_of_steps_is_refused(steps: int) -> None:
    with pytest.raises(InputError, match="1 to 20 steps"):
        sample(AnchoredPath(20, 0.5), lambda x, a, t: x, image(0), steps=steps)


def test_impossible_noise_is_refused() -> None:
    path = AnchoredPath(20, 0.5)
    with pytest.raises(InputError, match="between 0 and 1"):
        sample(path, lambda x, a, t: x, image(0), eta=1.5)
    with pytest.raises(InputError, match="source of noise"):
        sample(path, lambda x, a, t: x, image(0), eta=0.5)
