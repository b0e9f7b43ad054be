"""The noise is found on images whose noise is known, and not where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import ndimage

from napari_micromri.errors import InputError
from napari_micromri.measure.noise import _near_the_median, _rician_spread, debias, estimate_noise, noise_of_slice
from napari_micromri.measure.quantiles import ordered

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SNRS = (3, 5, 8, 15, 30, 50)


def rician(signal: NDArray[np.float64], sigma: float, seed: int = 0) -> NDArray[np.float64]:
    noise = np.random.default_rng(seed).normal(0, sigma, (2, *signal.shape))
    return np.hypot(signal + noise[0], noise[1])


def uniform() -> NDArray[np.float64]:
    return np.ones((160, 160))


def disc(radius: float = 50) -> NDArray[np.float64]:
    y, x = np.mgrid[:160, :160]
    return ((y - 80) ** 2 + (x - 80) ** 2 < radius**2).astype(float)


def textured() -> NDArray[np.float64]:
    field = ndimage.gaussian_filter(np.random.default_rng(7).normal(size=(160, 160)), 4)
    return np.clip(1 + 0.3 * field / field.std(), 0.2, 3)


def phantom() -> NDArray[np.float64]:
    """Build a textured body with dark holes and bright spots in it."""
    image = textured() * disc(60)
    image[60:80, 50:70] = 0.05
    image[90:100, 90:100] = 2.5
    return image


@pytest.mark.parametrize("snr", SNRS)
@pytest.mark.parametrize(
    ("image", "method"),
    [(uniform, "detail"), (textured, "detail"), (disc, "background"), (phantom, "background")],
    ids=["uniform", "textured", "disc", "phantom"],
)
def test_sigma_and_snr_are_found(image, method: str, snr: int) -> None:
    found = [estimate_noise(rician(image(), 1 / snr, seed)) for seed in range(3)]
    assert {e.method for e in found} == {method}
    assert np.mean([e.sigma for e in found]) == pytest.approx(1 / snr, rel=0.03)
    assert all(e.sigma == pytest.approx(1 / snr, rel=0.08) for e in found)
    assert np.mean([e.snr for e in found]) == pytest.approx(snr, rel=0.12)


def test_zero_filled_borders_and_nan_do_not_count() -> None:
    image = rician(disc(), 0.1)
    image[:20], image[-20:], image[:, :20] = 0, 0, 0
    image[70:72, 70:90] = np.nan
    found = estimate_noise(image)
    assert found.method == "background"
    assert found.sigma == pytest.approx(0.1, rel=0.05)
    assert found.snr == pytest.approx(10, rel=0.1)


def test_a_masked_background_leaves_the_detail() -> None:
    mask = disc() > 0
    found = estimate_noise(np.where(mask, rician(textured(), 0.05), 0))
    assert found.method == "detail"
    assert found.sigma == pytest.approx(0.05, rel=0.1)


def test_a_background_that_is_not_rayleigh_is_not_believed() -> None:
    """Several coils add up to a background with another distribution; its level says nothing simple of sigma."""
    coils = np.stack([rician(textured() * disc() / 2, 0.1, seed) for seed in range(4)])
    assert estimate_noise(np.sqrt((coils**2).sum(axis=0))).method == "detail"


def test_integers_give_the_same_as_floats() -> None:
    image = rician(disc(), 0.05) * 2000
    as_integers = estimate_noise(image.round().astype(np.uint16))
    assert as_integers.sigma == pytest.approx(estimate_noise(image).sigma, rel=0.01)


def test_the_estimate_scales_with_the_image() -> None:
    image = rician(phantom(), 0.05)
    one, many = estimate_noise(image), estimate_noise(image * 1e6)
    assert many.sigma == pytest.approx(1e6 * one.sigma, rel=1e-6)
    assert many.snr == pytest.approx(one.snr, rel=1e-6)


def test_a_stack_gives_the_median_and_survives_an_odd_slice() -> None:
    stack = np.stack([rician(disc(), 0.1, seed) for seed in range(5)])
    stack[2] = rician(disc(), 3.0)
    stack[4] = 0
    assert estimate_noise(stack).sigma == pytest.approx(0.1, rel=0.05)
    assert estimate_noise(stack.reshape(5, 1, 160, 160)) == estimate_noise(stack)


def test_empty_and_noise_free_images() -> None:
    empty = estimate_noise(np.zeros((40, 40)))
    assert (empty.sigma, empty.method) == (0.0, "none")
    assert np.isnan(empty.snr)
    constant = estimate_noise(np.full((40, 40), 7))
    assert (constant.sigma, constant.snr) == (0.0, np.inf)
    assert estimate_noise(np.full((40, 40), np.nan)).method == "none"


@pytest.mark.parametrize(
    "image", [np.ones(5), np.ones((0, 4)), np.ones((8, 8), dtype=complex)], ids=["1d", "none", "complex"]
)
def test_what_is_no_magnitude_slice_is_refused(image: NDArray[np.generic]) -> None:
    with pytest.raises(InputError, match="noise"):
        estimate_noise(image)


def test_debiasing_brings_the_mean_square_back() -> None:
    clean = np.full((200, 200), 2.0)
    noisy = rician(clean, 1.0)
    assert noisy.mean() > 2.2
    assert np.mean(debias(noisy, 1.0) ** 2) == pytest.approx(4, rel=0.06)
    assert debias(np.array([0.5]), 1.0) == 0
    np.testing.assert_array_equal(debias(clean, 0), clean)


def test_the_real_mouse_has_the_noise_of_its_corners(data_dir: Path) -> None:
    import nibabel as nib

    scan = np.asarray(nib.load(data_dir / "t2w_mouse_trunk" / "mouse_trunk_T2w.nii.gz").dataobj)
    stack = np.moveaxis(scan.squeeze(), 2, 0)[::3]
    corners = np.concatenate(
        [
            stack[:, rows, columns].ravel()
            for rows in (slice(5, 30), slice(-30, -5))
            for columns in (slice(5, 30), slice(-30, -5))
        ]
    )
    found = estimate_noise(stack)
    assert found.method == "background"
    # The scan has ghosts beside the animal, so the corners are a little quieter than the background as a whole.
    assert found.sigma == pytest.approx(np.sqrt(np.mean(corners.astype(float) ** 2) / 2), rel=0.12)
    assert 10 < found.snr < 35


def test_the_real_rat_head_has_no_rician_background(data_dir: Path) -> None:
    import nibabel as nib

    scan = np.asarray(nib.load(data_dir / "t2w_rat_head" / "rat_head_T2w.nii.gz").dataobj)
    found = estimate_noise(np.moveaxis(scan.squeeze(), 1, 0)[::3])
    assert found.method == "detail"
    assert 30 < found.snr < 45


def test_detail_noise_is_the_sigma_of_rician_slices_with_and_without_background() -> None:
    rng = np.random.default_rng(0)
    for level in (0.0, 20.0, 400.0):
        noise = rng.normal(0, 10, (2, 128, 128))
        assert noise_of_slice(np.hypot(level + noise[0], noise[1]))[1] == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (3, 5), (4, 4)])
def test_noise_of_a_few_pixels_is_a_number(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random(shape)
    assert np.isfinite(noise_of_slice(image)[1]) and np.isfinite(estimate_noise(image).sigma)


def test_detail_noise_refuses_what_is_not_one_slice() -> None:
    for wrong in (np.ones((2, 8, 8)), np.ones((8, 8), complex), np.ones((0, 3))):
        with pytest.raises(InputError, match="magnitude"):
            noise_of_slice(wrong)


@pytest.mark.parametrize("count", [1, 2, 5, 1000, 1001])
@pytest.mark.parametrize("sigma", [0.3, 2.0, 50.0])
def test_pixels_far_from_the_median_are_left_out_and_change_nothing(count: int, sigma: float) -> None:
    rng = np.random.default_rng(count)
    detail, local = np.abs(rng.normal(size=count)), rng.uniform(0, 30, count)
    near, at, place = _near_the_median(detail, local)
    found = ordered(near / _rician_spread(at / sigma), place)
    assert found == pytest.approx(np.median(detail / _rician_spread(local / sigma)), rel=1e-12)
    assert len(near) < 0.6 * count or count < 6
