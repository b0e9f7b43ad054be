"""Training samples: where they lie on the path, and how much noise they get."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_micromri.nn.families.apddm.noise import generator_of
from napari_micromri.nn.families.apddm.path import AnchoredPath
from napari_micromri.nn.families.apddm.residuals import ResidualBank, collect
from napari_micromri.nn.families.apddm.schedule import Points
from napari_micromri.nn.families.apddm.training import PathBatch, make_batch

PATH = AnchoredPath(10, 0.6)
COUNT = 400


def pairs(count: int = COUNT) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    good = torch.rand(count, 1, 12, 12, generator=generator)
    strength = torch.linspace(0.1, 2, count)[:, None, None, None]
    return good, good + strength * torch.randn(good.shape, generator=generator)


def batch(**how: float) -> PathBatch:
    good, anchor = pairs()
    return make_batch(good, anchor, None, PATH, torch.Generator().manual_seed(1), **how)


def noise_of(one: PathBatch) -> torch.Tensor:
    residual = one.anchor - one.good
    return one.x - one.good - (one.t / PATH.steps)[:, None, None, None] * residual


def test_the_asked_part_lies_at_the_end_and_the_rest_anywhere() -> None:
    t = batch(at_end=0.5).t
    assert (t == 10).float().mean() == pytest.approx(0.55, abs=0.06)  # one time in ten is the end by chance
    assert set(t.tolist()) == set(range(1, 11))
    assert (batch(at_end=0.0).t == 10).float().mean() == pytest.approx(0.1, abs=0.05)


def test_the_noise_follows_the_strength_of_each_pair_s_own_residual() -> None:
    one = batch(at_end=0.0)
    strength = (one.anchor - one.good).square().mean(dim=(1, 2, 3)).sqrt()
    expected = torch.as_tensor(PATH.variance, dtype=torch.float32).sqrt()[one.t]
    relative = noise_of(one).std(dim=(1, 2, 3)) / strength
    torch.testing.assert_close(relative, expected, atol=0.13, rtol=0)


@pytest.mark.parametrize(("noiseless", "quiet"), [(1.0, 1.0), (0.5, 0.5), (0.0, 0.0)])
def test_part_of_the_end_has_no_noise(noiseless: float, quiet: float) -> None:
    one = batch(at_end=1.0, noiseless=noiseless)
    still = noise_of(one).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert (one.t == 10).all()
    assert still.float().mean() == pytest.approx(quiet, abs=0.08)
    if noiseless == 1.0:
        torch.testing.assert_close(one.x, one.anchor)


def test_points_before_the_end_always_have_noise() -> None:
    one = batch(at_end=0.5, noiseless=1.0)
    assert (noise_of(one)[one.t < 10].abs().amax(dim=(1, 2, 3)) > 1e-3).all()


def test_the_same_state_gives_the_same_batch() -> None:
    torch.testing.assert_close(batch().x, batch().x, rtol=0, atol=0)
    good, anchor = pairs()
    other = make_batch(good, anchor, None, PATH, torch.Generator().manual_seed(2))
    assert not torch.equal(other.x, batch().x)


def test_noise_comes_from_the_bank() -> None:
    ramp = torch.arange(144.0).reshape(12, 12).numpy()
    bank = collect([(ramp, 0 * ramp)])
    good, anchor = pairs(20)
    one = make_batch(good, anchor, bank, AnchoredPath(2, 0.5), torch.Generator().manual_seed(1), at_end=0.0)
    residual = one.anchor - one.good
    noise = one.x - one.good - (one.t / 2)[:, None, None, None] * residual
    flat = noise[one.t == 1].diff(dim=-1).std(dim=(1, 2, 3))  # a turned ramp is a ramp: its steps are all alike
    assert flat.max() < 1e-2 * noise.std()


@pytest.mark.parametrize(("exact", "expected"), [(True, (3 + 4 + 3) / 4), (False, (9 + 16 + 9) ** 0.5 / 4)])
def test_the_noise_of_the_steps_is_summed_or_drawn_once(exact: bool, expected: float) -> None:
    """With a bank that only gives ones, five steps of f = 3/4, 1, 3/4 (and 0 at the ends) can be added up by hand."""
    path = AnchoredPath(4, 0.5, Points(values=(0, 0.75, 1, 0.75, 0)))
    bank = ResidualBank([np.ones((12, 12), np.float16)])
    good, anchor = pairs(5)
    how = {"at_end": 1.0, "noiseless": 0.0, "exact": exact}
    one = make_batch(good, anchor, bank, path, torch.Generator().manual_seed(1), **how)
    strength = (anchor - good).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    torch.testing.assert_close(one.x - anchor, (path.sigma * expected * strength).expand_as(anchor))


def test_the_residual_of_the_slice_itself_is_left_out() -> None:
    bank = ResidualBank([np.full((12, 12), sign, np.float16) for sign in (1, -1)], origins=[7, 8])
    good, anchor = pairs(30)
    for own, sign in ((7, -1), (8, 1)):
        path = AnchoredPath(2, 0.5)
        one = make_batch(good, anchor, bank, path, generator_of([own]), at_end=1.0, noiseless=0.0, apart_from=own)
        assert (torch.sign(one.x - one.anchor) == sign).all()
