"""The order of slices and all chance follow from seed and epoch, whoever prepares the batches."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_micromri.simulation.resampling import upsample
from napari_micromri.training.engine.batches import (
    Batch,
    ahead,
    batch_count,
    collate,
    training_batches,
    validation_batches,
)
from napari_micromri.training.engine.samples import random_cut, whole_sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Slices
    from napari_micromri.training.config import TrainConfig


def same(a: Batch, b: Batch) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("given", "wanted", "sizes", "weights"))


@pytest.fixture
def pairs(make_pair: Callable[..., Slices]) -> list[Slices]:
    return [make_pair((24 + 4 * (k % 2), 20), seed=k) for k in range(10)]


RANDOM = {"crop": 16, "transpose": True, "scaling": 0.3, "batch_size": 4}


def test_an_epoch_shows_every_slice_once_and_the_next_one_in_another_order(
    pairs: list[Slices], make_config: Callable[..., TrainConfig]
) -> None:
    config = make_config(batch_size=1, flips=False)
    orders = []
    for epoch in (1, 2):
        peaks = [round(float((b.wanted * b.scales).max())) for b in training_batches(pairs, config, epoch)]
        orders.append(peaks)
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(round(float(pair.hr.max())) for pair in pairs)
    assert orders[0] != orders[1]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_threads_change_nothing(pairs: list[Slices], make_config: Callable[..., TrainConfig], workers: int) -> None:
    expected = list(training_batches(pairs, make_config(**RANDOM), 3))
    found = list(training_batches(pairs, make_config(**RANDOM, workers=workers), 3))
    assert len(found) == len(expected) == batch_count(10, make_config(**RANDOM)) == 3
    assert all(map(same, found, expected))


def test_another_seed_is_another_chance(pairs: list[Slices], make_config: Callable[..., TrainConfig]) -> None:
    first, other = (next(training_batches(pairs, make_config(**RANDOM, seed=seed), 1)) for seed in (0, 1))
    assert not torch.equal(first.given, other.given)


def test_an_epoch_goes_on_in_its_middle(pairs: list[Slices], make_config: Callable[..., TrainConfig]) -> None:
    config = make_config(**RANDOM)
    whole = list(training_batches(pairs, config, 2))
    rest = list(training_batches(pairs, config, 2, first=1))
    assert len(rest) == 2
    assert all(map(same, rest, whole[1:]))
    assert list(training_batches(pairs, config, 2, first=3)) == []


def test_processes_share_the_batches_of_one(pairs: list[Slices], make_config: Callable[..., TrainConfig]) -> None:
    config = make_config(batch_size=4, crop=16)
    alone = list(training_batches(pairs, config, 1))
    shared = [list(training_batches(pairs, config, 1, rank=rank, world=3)) for rank in range(3)]
    for number, batch in enumerate(alone):
        parts = [share[number] for share in shared]
        weights = torch.cat([part.weights for part in parts])
        assert weights.sum().item() == pytest.approx(1)
        useful = torch.cat([part.given for part in parts])[weights > 0]
        assert sorted(useful.sum((1, 2, 3)).tolist()) == pytest.approx(sorted(batch.given.sum((1, 2, 3)).tolist()))


def test_given_and_wanted_are_turned_and_cut_alike(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig]
) -> None:
    pair = make_pair((40, 32), noise=0)
    pair = replace(pair, hr=upsample(pair.lr, (40, 32), "bicubic"))
    config = make_config(**RANDOM | {"upsampling": "bicubic"})
    for epoch in range(1, 9):
        [batch] = training_batches([pair], config, epoch)
        assert batch.given.shape == (1, 1, 16, 16)
        torch.testing.assert_close(batch.given, batch.wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, 4), ({"flips": False}, 1), ({"transpose": True}, 8), ({"flips": False, "transpose": True}, 2)],
)
def test_slices_are_turned_in_the_ways_that_are_allowed_and_in_no_others(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig], settings: dict[str, bool], expected: int
) -> None:
    pair, config = make_pair((24, 24)), make_config(**settings)
    image = whole_sample(pair, config).wanted
    ways = [turned[::up, ::left] for turned in (image, image.T) for up in (1, -1) for left in (1, -1)]
    seen = set()
    for epoch in range(1, 60):
        [batch] = training_batches([pair], config, epoch)
        [way] = [k for k, one in enumerate(ways) if np.allclose(batch.wanted[0, 0].numpy(), one)]
        seen.add(way)
    allowed = {1: {0}, 4: {0, 1, 2, 3}, 2: {0, 4}, 8: set(range(8))}
    assert seen == allowed[expected]


def test_squares_begin_at_every_coarse_pixel_at_which_they_fit(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig]
) -> None:
    pair, config = make_pair((24, 20)), make_config(crop=16)
    rows, columns = np.mgrid[:24, :20]
    pair, starts = replace(pair, hr=(100 * rows + columns).astype(np.float32)), set()
    for seed in range(200):
        cut = random_cut(pair, config, np.random.default_rng(seed))
        places = np.round(cut.wanted * cut.scale + cut.offset).astype(int)
        assert places.shape == (16, 16)
        assert (places == places[0, 0] + 100 * rows[:16, :16] + columns[:16, :16]).all()
        starts.add(divmod(int(places[0, 0]), 100))
    assert starts == {(row, column) for row in (0, 2, 4, 6, 8) for column in (0, 2, 4)}


def test_scaling_goes_up_and_down_as_far_as_it_says(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig]
) -> None:
    pair, config = make_pair(), make_config(scaling=0.3, flips=False)
    plain = whole_sample(pair, config)
    factors = []
    for epoch in range(1, 60):
        [batch] = training_batches([pair], config, epoch)
        factors.append(np.log(plain.scale / batch.scales.item()))
    assert -0.3 <= min(factors) < -0.25
    assert 0.25 < max(factors) <= 0.3


def test_scaling_keeps_the_scanners_units(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig]
) -> None:
    pair = make_pair()
    [batch] = training_batches([pair], make_config(scaling=1.0, flips=False), 1)
    assert batch.wanted.max().item() != pytest.approx(whole_sample(pair, make_config()).wanted.max())
    restored = (batch.wanted * batch.scales + batch.offsets)[0, 0].numpy()
    np.testing.assert_allclose(restored, pair.hr, rtol=1e-4)


def test_constant_slices_do_not_count(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig]
) -> None:
    empty = replace(make_pair(), lr=np.zeros((16, 12), np.float32))
    [batch] = training_batches([empty], make_config(), 1)
    assert batch.weights.tolist() == [0]


def test_validation_batches_hold_slices_of_one_size_in_their_order(
    make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig]
) -> None:
    shapes = [(24, 20)] * 3 + [(28, 20)] * 2
    pairs = [make_pair(shape, seed=k) for k, shape in enumerate(shapes)]
    batches = list(validation_batches(pairs, make_config(batch_size=2)))
    assert [tuple(batch.given.shape) for batch in batches] == [(2, 1, 24, 20), (1, 1, 24, 20), (2, 1, 28, 20)]
    shares = [list(validation_batches(pairs, make_config(), rank=rank, world=2)) for rank in range(2)]
    assert sum(len(batch.weights) for share in shares for batch in share) == 5


def test_padding_repeats_the_edges(make_pair: Callable[..., Slices], make_config: Callable[..., TrainConfig]) -> None:
    batch = collate([whole_sample(make_pair(shape), make_config()) for shape in [(24, 20), (28, 26)]], 2)
    assert batch.sizes.tolist() == [[24, 20], [28, 26]]
    assert torch.equal(batch.given[0, 0, :24, 20:], batch.given[0, 0, :24, 19:20].expand(24, 6))


def test_work_ahead_keeps_order_passes_errors_on_and_ends_its_threads() -> None:
    assert list(ahead((lambda k=k: k for k in range(20)), 4)) == list(range(20))

    def fail() -> int:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(ahead([lambda: 1, fail], 2))
    several = ahead((lambda k=k: k for k in range(20)), 2)
    assert next(several) == 0
    several.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]
