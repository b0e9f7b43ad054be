"""The LEGO phantom: dark bricks of the toy's dimensions in bright water."""

from __future__ import annotations

import numpy as np
import pytest

from napari_micromri.simulation.lego import lego_volume


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    return lego_volume(0)


def test_it_is_two_valued_but_for_partial_volume(volume: np.ndarray) -> None:
    assert volume.shape == (30, 300, 300)
    assert volume.dtype == np.float32
    assert volume.min() == 0
    assert volume.max() == pytest.approx(1, abs=0.01)
    assert ((volume < 0.03) | (volume > 0.8)).mean() > 0.93


def plastic_area(volume: np.ndarray, k: int) -> float:
    """Area in mm^2 that is dark within the middle 28 mm of the tube."""
    y, x = np.mgrid[:300, :300] - 149.5
    inside = y**2 + x**2 < 140**2
    return float(((volume[k] < 0.5) & inside).sum() * 0.01)


def test_a_hollow_brick_has_walls_and_tubes(volume: np.ndarray) -> None:
    outer, inner = 15.8 * 23.8, 12.8 * 20.8
    tubes = 2 * np.pi * (3.255**2 - 2.4**2)
    # The corners of the brick lie outside the circle that is looked at.
    assert plastic_area(volume, 5) == pytest.approx(outer - inner + tubes, rel=0.05)


def test_studs_stand_on_the_lower_brick(volume: np.ndarray) -> None:
    upper_only = plastic_area(volume, 25)
    studs = plastic_area(volume, 18) - upper_only
    assert upper_only == pytest.approx(15.8**2 - 12.8**2 + np.pi * (3.255**2 - 2.4**2), rel=0.05)
    # Six studs, some of which touch the wall or the tube of the brick above.
    assert 0.85 < studs / (6 * np.pi * 2.4**2) < 1.02


def test_the_seed_turns_the_bricks_and_is_repeatable(volume: np.ndarray) -> None:
    np.testing.assert_array_equal(lego_volume(0), volume)
    assert np.abs(lego_volume(1)[5] - volume[5]).mean() > 0.02


def test_edges_are_sharp(volume: np.ndarray) -> None:
    """Between water and plastic lies one pixel at most."""
    partial = (volume[5] > 0.1) & (volume[5] < 0.7)
    assert 0 < partial.mean() < 0.02
