"""Each fault does to a slice what its name says, and nothing to a slice at strength zero."""

from __future__ import annotations

import numpy as np
import pytest

from napari_micromri.simulation import faults


@pytest.fixture
def image() -> np.ndarray:
    rows, columns = np.ogrid[:64, :48]
    return np.where((rows - 30) ** 2 + (columns - 24) ** 2 < 100, 100.0, 0.0).astype(np.float32)


def test_a_burst_of_noise_is_rician(image: np.ndarray) -> None:
    spoilt = faults.noise_burst(image, 10, np.random.default_rng(0))
    assert spoilt[image == 0].std() == pytest.approx(6.55, rel=0.05)
    assert spoilt[image > 0].std() == pytest.approx(10, rel=0.1)
    np.testing.assert_array_equal(faults.noise_burst(image, 0, np.random.default_rng(0)), image)


def test_beyond_the_animal_there_is_rayleigh_noise() -> None:
    empty = faults.only_noise((200, 100), 4, np.random.default_rng(0))
    assert empty.mean() == pytest.approx(4 * np.sqrt(np.pi / 2), rel=0.02)


@pytest.mark.parametrize(("parts", "axis", "moved"), [(2, 0, 32), (3, 1, 16), (4, 1, 12)])
def test_a_ghost_is_a_weak_copy_at_a_part_of_the_field_of_view(
    image: np.ndarray, parts: int, axis: int, moved: int
) -> None:
    spoilt = faults.ghost(image, 0.3, parts=parts, axis=axis, phase=np.pi / 2)
    np.testing.assert_allclose(spoilt, np.hypot(image, 0.3 * np.roll(image, moved, axis=axis)), rtol=1e-5)


def test_dead_lines_are_zero_and_the_rest_is_as_it_was(image: np.ndarray) -> None:
    spoilt = faults.dead_lines(image, [30, 31], axis=1)
    assert not spoilt[:, 30:32].any()
    np.testing.assert_array_equal(np.delete(spoilt, [30, 31], axis=1), np.delete(image, [30, 31], axis=1))


def test_the_lost_central_line_takes_the_mean_along(image: np.ndarray) -> None:
    spectrum = np.fft.fft2(image)
    spectrum[0] = 0
    np.testing.assert_allclose(faults.lost_k_lines(image, [0]), np.abs(np.fft.ifft2(spectrum)), atol=1e-3)


def test_a_spike_lays_stripes_of_its_strength_over_the_background(image: np.ndarray) -> None:
    spoilt = faults.spike(image, 20, at=(7, -5))
    np.testing.assert_allclose(spoilt[image == 0], 20, rtol=1e-5)
    assert 79 < spoilt[image > 0].min() < 85 and 115 < spoilt[image > 0].max() < 121


def test_a_shift_by_whole_pixels_is_a_roll(image: np.ndarray) -> None:
    np.testing.assert_allclose(faults.shift(image, (3, -5)), np.roll(image, (3, -5), axis=(0, 1)), atol=1e-3)


def test_motion_of_all_lines_is_a_shift_and_of_none_is_nothing(image: np.ndarray) -> None:
    np.testing.assert_allclose(faults.motion(image, (2, 4), range(64)), faults.shift(image, (2, 4)), atol=1e-3)
    np.testing.assert_allclose(faults.motion(image, (2, 4), []), image, atol=1e-3)


def test_motion_during_every_other_line_makes_a_ghost_at_half_the_field_of_view(image: np.ndarray) -> None:
    spoilt = faults.motion(image, (3, 0), range(0, 64, 2), axis=0)
    # Where the disc and its displaced self differ (rows 21 to 23), half of the difference appears 32 rows away.
    np.testing.assert_allclose(spoilt[53:56, 24], 50, rtol=0.1)
    assert not image[53:56, 24].any()
