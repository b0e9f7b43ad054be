"""How large errors are is measured so that what is said of them holds for other slices."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_micromri.training.calibration import tabulate

NORMAL_90 = 1.6449
"""A normal error is below so many standard deviations in 90 % of the cases."""


def draw(rng: np.random.Generator, count: int) -> np.ndarray:
    """Noise, edge, signal, and normal errors whose standard deviation is noise * (1 + 4 edge) * signal^0.5."""
    noise = np.exp(rng.uniform(np.log(0.01), np.log(0.3), count))
    edge, signal = np.exp(rng.uniform(np.log(0.01), np.log(1), (2, count)))
    return np.stack([noise, edge, signal, np.abs(rng.normal(0, noise * (1 + 4 * edge) * np.sqrt(signal)))], axis=1)


def test_nine_of_ten_errors_of_other_pixels_lie_within() -> None:
    rng = np.random.default_rng(0)
    table = tabulate(draw(rng, 200_000), ["pair"] * 200_000)
    other = draw(rng, 100_000)
    width = table.relative_width(*other[:, :3].T)
    within = other[:, 3] <= width
    assert within.mean() == pytest.approx(0.9, abs=0.01)
    for column in range(3):
        for part in np.array_split(np.argsort(other[:, column]), 4):
            assert 0.85 < within[part].mean() < 0.95
    expected = NORMAL_90 * other[:, 0] * (1 + 4 * other[:, 1]) * np.sqrt(other[:, 2])
    assert np.median(np.abs(np.log(width / expected))) < 0.15


def test_where_there_are_few_pixels_neighbours_say_it() -> None:
    pixels = draw(np.random.default_rng(1), 2000)
    table = tabulate(pixels, ["pair"] * 2000)
    assert (pixels[:, 3] <= table.relative_width(*pixels[:, :3].T)).mean() == pytest.approx(0.9, abs=0.02)


def test_one_noise_level_gives_one_place() -> None:
    pixels = draw(np.random.default_rng(2), 5000)
    pixels[:, 0] = 0.1
    table = tabulate(pixels, ["pair"] * 5000)
    assert_allclose(table.noise, 0.1)


def test_widths_hold_in_nine_of_ten_pairs_that_differ() -> None:
    pixels = draw(np.random.default_rng(3), 220_000)
    spreads = np.array([1.0] * 9 + [1.5, 2.0])
    keys = np.repeat(list("abcdefghijk"), 20_000)
    pixels[:, 3] *= np.repeat(spreads, 20_000)
    within = pixels[:, 3] <= tabulate(pixels, keys.tolist()).relative_width(*pixels[:, :3].T)
    covered = [within[keys == key].mean() for key in "abcdefghijk"]
    assert min(covered[:9]) > 0.97
    assert covered[9] == pytest.approx(0.9, abs=0.015)
    assert covered[10] < 0.85
