from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_micromri.errors import ModelError
from napari_micromri.nn.families.apddm.noise import NoiseSource
from napari_micromri.nn.families.apddm.residuals import ResidualBank, collect, standardised


def slices(count: int, shape: tuple[int, int] = (20, 16), seed: int = 0):
    rng = np.random.default_rng(seed)
    for k in range(count):
        good = rng.random(shape, dtype=np.float32)
        yield (good + rng.normal(k, 1 + k, shape)).astype(np.float32), good


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_draws_have_mean_zero_and_variance_one_whatever_went_in() -> None:
    images = collect(slices(30)).draw(200, (20, 16), generator())
    assert images.shape == (200, 1, 20, 16)
    assert float(images.mean()) == pytest.approx(0, abs=0.02)
    assert float(images.var()) == pytest.approx(1, abs=0.02)


def test_the_same_seed_draws_the_same() -> None:
    bank = collect(slices(5))
    assert torch.equal(bank.draw(4, (10, 10), generator(3)), bank.draw(4, (10, 10), generator(3)))
    assert not torch.equal(bank.draw(4, (10, 10), generator(3)), bank.draw(4, (10, 10), generator(4)))


def test_residuals_are_turned_by_quarters() -> None:
    ramp = np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
    bank = collect([(ramp, np.zeros_like(ramp))])
    images = bank.draw(60, (8, 8), generator())[:, 0]
    corners = {tuple(np.round(i.numpy()[[0, 0, -1, -1], [0, -1, 0, -1]], 1)) for i in images}
    assert len(corners) == 4


def test_cuts_come_from_every_place_of_every_turn() -> None:
    numbered = np.arange(36, dtype=np.float16).reshape(6, 6)
    images = ResidualBank([numbered]).draw(2000, (4, 5), generator()).numpy()[:, 0]
    seen = {tuple(image.ravel()) for image in images}
    turned = [np.rot90(numbered, turns) for turns in range(4)]
    assert seen == {tuple(t[y : y + 4, x : x + 5].ravel()) for t in turned for y in range(3) for x in range(2)}


@pytest.mark.parametrize("shape", [(5, 7), (40, 9), (50, 50)])
def test_images_of_any_size_can_be_drawn(shape: tuple[int, int]) -> None:
    images = collect(slices(3)).draw(2, shape, generator())
    assert images.shape == (2, 1, *shape)
    assert float(images.std()) == pytest.approx(1, abs=0.35)


def test_a_slice_s_own_residual_can_be_left_out() -> None:
    flat = [np.full((4, 4), 1, np.float16), np.full((4, 4), 2, np.float16)]
    images = ResidualBank(flat).draw(50, (4, 4), generator(), apart_from=1)
    assert set(np.unique(images)) == {1.0}


def test_the_same_residual_is_kept_once() -> None:
    twice = [*slices(4), *slices(4)]
    assert len(collect(twice)) == 4


def test_the_budget_holds_and_the_choice_is_fair() -> None:
    size = 20 * 16 * 2
    counts = np.zeros(12)
    everything = [standardised(*pair) for pair in slices(12)]
    for seed in range(200):
        bank = collect(slices(12), memory_budget=3 * size, seed=seed)
        assert len(bank) == 3
        counts += [any(np.array_equal(r, k) for k in bank._residuals) for r in everything]
    np.testing.assert_allclose(counts / 200, 0.25, atol=0.12)


def test_the_digest_tells_banks_apart_and_not_their_order() -> None:
    pairs = list(slices(3))
    assert collect(pairs).digest == collect(pairs[::-1]).digest
    assert collect(pairs).digest != collect(pairs[:2]).digest


def test_equal_or_broken_slices_give_no_residual() -> None:
    good = np.ones((4, 4), np.float32)
    assert standardised(good, good) is None
    assert standardised(np.full_like(good, np.nan), good) is None
    with pytest.raises(ModelError, match="at least one slice"):
        collect([(good, good)])


def test_slices_of_two_sizes_are_refused() -> None:
    with pytest.raises(ModelError, match="one size"):
        standardised(np.ones((4, 4), np.float32), np.ones((8, 8), np.float32))


def test_noise_is_drawn_from_the_bank_where_there_is_one() -> None:
    bank = ResidualBank([np.where(np.indices((8, 8)).sum(0) % 2, 1, -1).astype(np.float16)])
    streams = [(0, 0, draw) for draw in range(3)]
    assert set(np.unique(NoiseSource(streams, (8, 8), bank).draw())) == {-1.0, 1.0}
    assert len(np.unique(NoiseSource(streams, (8, 8)).draw())) == 3 * 64
