"""Random phantoms: repeatable, in range, and of great variety."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_micromri.simulation.random_phantoms import random_phantom


@pytest.mark.parametrize("size", [32, 97, 128])
def test_a_phantom_is_a_finite_slice(size: int) -> None:
    image = random_phantom(np.random.default_rng(0), size)
    assert image.shape == (size, size)
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() >= 0


def test_the_same_seed_draws_the_same() -> None:
    first, second = (random_phantom(np.random.default_rng(5), 64) for _ in range(2))
    assert_array_equal(first, second)
    assert not np.array_equal(first, random_phantom(np.random.default_rng(6), 64))


def test_many_phantoms_have_a_body_before_a_dark_background() -> None:
    images = [random_phantom(np.random.default_rng(seed), 64) for seed in range(30)]
    assert all(0.05 < np.mean(image > 0.01) < 0.95 for image in images)
    assert all(image.max() < 10 for image in images)
    assert np.median([image.max() for image in images]) == pytest.approx(1, abs=0.7)
    corners = [image[at] for image in images for at in ((0, 0), (0, -1), (-1, 0), (-1, -1))]
    assert np.mean(np.array(corners) == 0) > 0.9


def test_there_is_texture_and_there_are_edges() -> None:
    image = np.mean([np.abs(np.diff(random_phantom(np.random.default_rng(s), 64))) > 0.1 for s in range(10)])
    assert 0.01 < image < 0.3
