"""Fast scans that training makes of good ones: each option does what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_micromri.errors import InputError
from napari_micromri.simulation.acquisition import foreground_mean, truncate_k_space
from napari_micromri.training.config import parse_config
from napari_micromri.training.engine.batches import draw_order
from napari_micromri.training.engine.samples import judged_pair
from napari_micromri.training.engine.simulated import changed_pair, plain_pair
from napari_micromri.training.simulated_settings import SimulatedSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Slices

NOTHING: dict[str, Any] = dict.fromkeys(("filtered", "own_noise", "gamma", "shading", "resampled"), 0.0)


def settings(**fields: Any) -> SimulatedSettings:
    return SimulatedSettings(**NOTHING | {"snr_low": 10.0, "snr_high": 10.0} | fields)


@pytest.fixture
def good(make_pair: Callable[..., Slices]) -> Slices:
    """A slice far from zero everywhere, where magnitudes have Gaussian noise."""
    pair = make_pair((132, 130))
    return type(pair)(pair.lr, pair.hr[:130, :129] + np.float32(1000))


def noise_of(pair: Any) -> np.ndarray:
    return pair.lr - np.abs(truncate_k_space(pair.hr, pair.lr.shape))


@pytest.mark.parametrize(("fields", "expected"), [({}, 10), ({"averages": 4}, 20), ({"snr_low": 5, "snr_high": 5}, 5)])
def test_the_noise_is_that_of_the_snr_and_the_averages(good: Slices, fields: dict[str, Any], expected: float) -> None:
    pair = plain_pair(good, settings(**fields), np.random.default_rng(0))
    assert foreground_mean(pair.hr) / noise_of(pair).std() == pytest.approx(expected, rel=0.05)


def test_the_snr_is_spread_evenly_over_its_logarithm(good: Slices) -> None:
    rng = np.random.default_rng(1)
    wide = settings(snr_low=5.0, snr_high=500.0)
    found = [foreground_mean(good.hr) / noise_of(plain_pair(good, wide, rng)).std() for _ in range(80)]
    assert 4 < min(found) < 8
    assert np.median(found) == pytest.approx(50, rel=0.5)


def test_the_grid_is_the_factors_and_odd_rows_are_left_out(good: Slices) -> None:
    pair = plain_pair(good, settings(factor=4), np.random.default_rng(0))
    assert (pair.hr.shape, pair.lr.shape) == ((128, 128), (32, 32))
    np.testing.assert_array_equal(pair.hr, good.hr[:128, :128])


def test_a_filtered_scan_has_noise_whose_neighbours_are_alike(good: Slices) -> None:
    def likeness(filtered: float, seed: int) -> float:
        noise = noise_of(plain_pair(good, settings(filtered=filtered), np.random.default_rng(seed)))
        noise = noise[4:-4, 4:-4] - noise[4:-4, 4:-4].mean()
        return float((noise[1:] * noise[:-1]).mean() / (noise**2).mean())

    assert abs(np.mean([likeness(0, seed) for seed in range(5)])) < 0.05
    assert np.mean([likeness(1, seed) for seed in range(10)]) > 0.15


@pytest.mark.parametrize("option", ["own_noise", "gamma", "shading", "resampled"])
def test_each_change_of_the_good_slice_happens_only_when_asked_for(good: Slices, option: str) -> None:
    still = changed_pair(good, settings(), np.random.default_rng(3), least=16)
    np.testing.assert_array_equal(still.hr, good.hr[:130, :128])
    changed = changed_pair(good, settings(**{option: 1.0}), np.random.default_rng(3), least=16)
    if option == "resampled":
        assert max(changed.hr.shape) < 130
        assert changed.hr.mean() == pytest.approx(good.hr.mean(), rel=0.05)
    else:
        assert changed.hr.shape == still.hr.shape
        assert not np.allclose(changed.hr, still.hr, rtol=1e-3)
    if option == "own_noise":
        assert (changed.hr - still.hr).std() < foreground_mean(good.hr) / 12


def test_a_slice_is_never_made_smaller_than_what_is_cut_out_of_it(good: Slices) -> None:
    for seed in range(20):
        assert min(changed_pair(good, settings(resampled=1.0), np.random.default_rng(seed), 96).hr.shape) >= 96


def test_what_is_judged_is_the_same_in_every_epoch_and_another_for_every_slice(
    good: Slices, make_config: Callable[..., Any]
) -> None:
    config = make_config(pairs="simulated")
    first, again, other = (judged_pair(good, number, config) for number in (0, 0, 1))
    np.testing.assert_array_equal(first.lr, again.lr)
    assert not np.array_equal(first.lr, other.lr)
    assert judged_pair(good, 0, make_config()) is good


def test_subjects_come_equally_often_however_many_slices_they_have(make_config: Callable[..., Any]) -> None:
    config = make_config(draws=4000, balance="subjects")
    order = draw_order(100, config, 1, ["many"] * 95 + ["few"] * 5)
    assert (order >= 95).mean() == pytest.approx(0.5, abs=0.05)
    assert not np.array_equal(order, draw_order(100, config, 2, ["many"] * 95 + ["few"] * 5))
    plain = draw_order(100, make_config(draws=4000), 1, ["many"] * 95 + ["few"] * 5)
    assert (plain >= 95).mean() == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"pairs": "simulated", "simulated": {"snr_low": 50, "snr_high": 5}}, "snr_low"),
        ({"simulated": {"factor": 3}}, "pairs=simulated"),
        ({"balance": "subjects"}, "draws"),
        ({"cuts": 4}, "crop"),
    ],
)
def test_settings_that_make_no_sense_together_are_refused(content: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        parse_config(content)
