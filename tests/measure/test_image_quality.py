"""Image quality: the definitions, known answers, and agreement with scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_micromri.errors import InputError
from napari_micromri.measure.image_quality import (
    bias,
    foreground,
    foreground_psnr,
    fourier_ring_correlation,
    mse,
    power_ratio,
    power_ratio_curve,
    psnr,
    ssim,
)
from napari_micromri.measure.metrics import assess

FUNCTIONS = (mse, psnr, foreground_psnr, ssim, bias, power_ratio, power_ratio_curve, fourier_ring_correlation, assess)


@pytest.fixture
def reference() -> np.ndarray:
    """Build a textured disc of about 100 on a background of about 5."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :80]
    body = ((y - 48) / 36) ** 2 + ((x - 40) / 30) ** 2 < 1
    texture = ndimage.gaussian_filter(rng.normal(size=(96, 80)), 0.7) * 20
    return np.abs(np.where(body, 100, 5) + texture)


def noise(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_an_image_equals_itself(reference: np.ndarray) -> None:
    found = assess(reference, reference)
    assert (found.mse, found.psnr, found.bias) == (0, np.inf, 0)
    assert found.ssim == pytest.approx(1)
    assert found.power_ratio == pytest.approx(1)
    assert found.ring_correlation == pytest.approx(1)


def test_mse_and_psnr_of_a_known_error() -> None:
    reference = np.array([[0.0, 4.0], [2.0, 0.0]])
    image = reference + np.array([[1, -1], [1, -1]])
    assert mse(image, reference) == 1
    assert psnr(image, reference) == pytest.approx(10 * np.log10(16))
    assert psnr(image, reference, data_range=10) == pytest.approx(20)


def test_errors_in_the_air_do_not_count_in_the_foreground() -> None:
    reference = np.zeros((40, 40))
    reference[10:30, 10:30] = 100
    image = reference + np.where(reference > 0, 10, 50)
    assert foreground_psnr(image, reference) == pytest.approx(20)
    assert psnr(image, reference) < 10


def test_ssim_agrees_with_scikit_image(reference: np.ndarray) -> None:
    from skimage.metrics import structural_similarity

    image = reference + 10 * noise(reference.shape)
    expected = structural_similarity(
        image, reference, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=np.ptp(reference)
    )
    assert ssim(image, reference) == expected
    assert ssim(image.astype(np.float32), reference) == pytest.approx(expected, abs=1e-6)
    assert ssim(image, reference, data_range=1000) > expected


@given(
    arrays(np.float64, (12, 12), elements=st.floats(0, 1e3)),
    arrays(np.float64, (12, 12), elements=st.floats(0, 1e3)),
    st.floats(1e-2, 1e2),
)
def test_figures_without_units_do_not_depend_on_the_scale(a: np.ndarray, b: np.ndarray, scale: float) -> None:
    assert mse(a, b) == mse(b, a) >= 0
    if b.max() > 1 and mse(a, b) > 1e-3:
        assert psnr(scale * a, scale * b) == pytest.approx(psnr(a, b), abs=1e-6)


def test_foreground_is_the_body(reference: np.ndarray) -> None:
    for smoothing in (0, 2):
        assert foreground(reference, smoothing=smoothing).mean() == pytest.approx(np.pi * 36 * 30 / 96 / 80, rel=0.05)
    mask = foreground(reference, smoothing=0)
    assert reference[mask].min() > reference[~mask].max()


def test_foreground_is_not_chosen_by_its_own_noise() -> None:
    signal = np.where(np.add.outer(np.arange(192), np.zeros(160)) < 96, 40.0, 100.0)
    first, second = (signal + 25 * np.random.default_rng(seed).standard_normal(signal.shape) for seed in (1, 2))
    assert abs(bias(second, first)) < 0.01
    assert bias(second, first, mask=foreground(first, smoothing=0)) < -0.02


def test_without_a_background_everything_is_foreground() -> None:
    assert foreground(100 + noise((40, 40))).all()
    assert foreground(np.zeros((5, 5))).all()


def test_bias_is_that_of_the_foreground(reference: np.ndarray) -> None:
    assert bias(0.9 * reference, reference) == pytest.approx(-0.1)
    mask = foreground(reference)
    assert bias(np.where(mask, reference, 1e6), reference) == pytest.approx(0)
    assert bias(reference + ~mask, reference, mask=~mask) == pytest.approx(1 / reference[~mask].mean())


def test_smoothing_loses_power_and_keeps_what_is_left_true(reference: np.ndarray) -> None:
    smooth = ndimage.gaussian_filter(reference, 1)
    assert power_ratio(smooth, reference) < 0.3
    frequencies, ratios = power_ratio_curve(smooth, reference)
    # A Gaussian of sigma 1 pixel has the transfer function exp(-2 pi^2 q^2); power goes with its square.
    expected = np.exp(-4 * np.pi**2 * frequencies**2)
    np.testing.assert_allclose(ratios[4:20], expected[4:20], rtol=0.15)
    assert assess(smooth, reference).ring_correlation > 0.9


def test_noise_adds_power_that_is_not_true(reference: np.ndarray) -> None:
    image = reference + 40 * noise(reference.shape)
    found = assess(image, reference)
    assert found.power_ratio > 2
    assert found.ring_correlation < 0.5
    frequencies, correlation = fourier_ring_correlation(image, reference)
    assert correlation[0] > 0.99
    assert len(frequencies) == len(correlation) == 40
    assert frequencies[-1] < 0.5


def test_independent_noise_does_not_correlate() -> None:
    _, correlation = fourier_ring_correlation(noise((128, 128), 1), noise((128, 128), 2))
    assert abs(correlation[20:].mean()) < 0.03


def test_power_ratio_is_that_of_the_amplitudes_squared() -> None:
    wave = np.cos(2 * np.pi * 0.4 * np.arange(64))[:, None] * np.ones(64)
    assert power_ratio(3 * wave, wave) == pytest.approx(9)
    assert power_ratio(wave, wave, band=(0.3, 0.5)) == pytest.approx(1)


def test_an_empty_reference_leaves_ratios_undefined() -> None:
    found = assess(noise((16, 16)), np.zeros((16, 16)))
    assert found.mse > 0
    assert all(np.isnan(v) for v in (found.psnr, found.ssim, found.bias, found.power_ratio, found.ring_correlation))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_what_cannot_be_compared_is_refused(function) -> None:
    good, hole = np.ones((16, 16)), np.ones((16, 16))
    hole[3, 3] = np.nan
    with pytest.raises(InputError, match=r"16 x 16.*16 x 12"):
        function(good, np.ones((16, 12)))
    with pytest.raises(InputError, match=r"reference.*not numbers"):
        function(good, hole)
    with pytest.raises(InputError, match="two dimensions"):
        function(np.ones((2, 16, 16)), np.ones((2, 16, 16)))


def test_ssim_needs_room_for_its_window() -> None:
    with pytest.raises(InputError, match="at least 11 x 11"):
        ssim(np.ones((10, 30)), np.ones((10, 30)))


def test_frequencies_on_the_edge_of_two_rings_belong_to_the_outer_one() -> None:
    rows, columns, rings = 72, 96, 36
    image, reference = noise((rows, columns), 1), noise((rows, columns), 1) + noise((rows, columns), 2)
    window = np.outer(*(np.sin(np.pi * np.arange(1, n + 1) / (n + 1)) ** 2 for n in (rows, columns)))
    f, g = (np.fft.fft2((a - a.mean()) * window) for a in (image, reference))
    # Ring k begins at k / 72 cycles per pixel; in whole numbers nothing is rounded.
    y, x = (np.rint(np.fft.fftfreq(n) * n).astype(int) for n in (rows, columns))
    square = (columns * y[:, None]) ** 2 + (rows * x[None, :]) ** 2
    expected = []
    for k in range(rings):
        inside = (square >= (columns * k) ** 2) & (square < (columns * (k + 1)) ** 2)
        power = np.sum(np.abs(f[inside]) ** 2) * np.sum(np.abs(g[inside]) ** 2)
        expected.append(np.sum(f[inside] * g[inside].conj()).real / np.sqrt(power))
    np.testing.assert_allclose(fourier_ring_correlation(image, reference)[1], expected, rtol=1e-9)
