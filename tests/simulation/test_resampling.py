"""Upsampling keeps the field of view, whatever the mode; sinc is zero-filling."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_micromri.errors import InputError
from napari_micromri.simulation import resampling
from napari_micromri.simulation.acquisition import truncate_k_space
from napari_micromri.simulation.resampling import UPSAMPLINGS, Upsampling, upsample, upsampling_matrix

modes = st.sampled_from(UPSAMPLINGS)
counts = st.integers(1, 40)


def centres(count: int, extent: float = 1.0) -> np.ndarray:
    """Positions of pixels that fill an extent edge to edge."""
    return (np.arange(count) + 0.5) * extent / count


@settings(deadline=None)
@given(count=counts, more=st.integers(0, 40), mode=modes)
def test_a_constant_stays_constant(count: int, more: int, mode: Upsampling) -> None:
    matrix = upsampling_matrix(count, count + more, mode)
    assert matrix.shape == (count + more, count)
    assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("mode", UPSAMPLINGS)
@pytest.mark.parametrize(("count", "fine"), [(1, 3), (8, 8), (8, 9), (8, 16), (7, 14), (9, 25), (40, 121)])
def test_long_axes_need_no_matrix(monkeypatch: pytest.MonkeyPatch, mode: Upsampling, count: int, fine: int) -> None:
    image = np.random.default_rng(0).normal(size=(2, count, 5)).astype(np.float32)
    expected = upsample(image, (fine, 10), mode)
    monkeypatch.setattr(resampling, "LARGEST_MATRIX", 0)
    assert_allclose(upsample(image, (fine, 10), mode), expected, atol=1e-6)


def test_a_slice_of_60000_pixels_takes_little_memory() -> None:
    tracemalloc.start()
    fine = upsample(np.ones((60_000, 3), np.float32), (120_000, 6))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6
    assert_allclose(fine, 1, atol=1e-5)


@settings(deadline=None)
@given(count=counts, mode=modes)
def test_the_same_grid_changes_nothing(count: int, mode: Upsampling) -> None:
    assert_allclose(upsampling_matrix(count, count, mode), np.eye(count), atol=1e-6)


@settings(deadline=None)
@given(count=st.integers(2, 40), factor=st.integers(1, 4), mode=modes)
def test_turning_the_input_turns_the_output(count: int, factor: int, mode: Upsampling) -> None:
    matrix = upsampling_matrix(count, count * factor, mode)
    assert_allclose(matrix[::-1, ::-1], matrix, atol=1e-6)


@settings(deadline=None)
@given(count=counts, more=st.integers(0, 41), data=st.data())
def test_sinc_is_zero_filling_with_a_shift_of_the_edges(count: int, more: int, data: st.DataObject) -> None:
    """The centre of the first pixel moves by half the difference of the pixel sizes: a linear phase."""
    fine = count + more
    signal = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=count)
    frequency = np.fft.fftfreq(count, 1 / count)
    shift = 0.5 * count / fine - 0.5  # of the first fine centre, in coarse pixels
    spectrum = np.fft.fft(signal, norm="forward") * np.exp(2j * np.pi * frequency * shift / count)
    filled = np.zeros(fine, complex)
    for k, value in zip(frequency.astype(int), spectrum, strict=True):
        if count % 2 == 0 and k == -count // 2:  # the Nyquist frequency belongs to both signs
            filled[k % fine] += value / 2
            filled[-k % fine] += np.conj(value) / 2
        else:
            filled[k % fine] += value
    expected = np.fft.ifft(filled, norm="forward").real
    assert_allclose(upsampling_matrix(count, fine, "sinc") @ signal, expected, atol=1e-5)


@pytest.mark.parametrize("mode", UPSAMPLINGS)
@pytest.mark.parametrize(("coarse", "fine"), [((40, 50), (80, 100)), ((41, 33), (123, 99)), ((40, 31), (95, 77))])
def test_a_blob_stays_where_it_is(mode: Upsampling, coarse: tuple[int, int], fine: tuple[int, int]) -> None:
    image = np.exp(-((centres(coarse[0])[:, None] - 0.43) ** 2 + (centres(coarse[1]) - 0.56) ** 2) / (2 * 0.06**2))
    result = upsample(image, fine, mode)
    assert result.shape == fine
    tolerance = 0.1 / min(coarse) if mode == "nearest" else 1e-4
    assert (result.sum(1) @ centres(fine[0])) / result.sum() == pytest.approx(0.43, abs=tolerance)
    assert (result.sum(0) @ centres(fine[1])) / result.sum() == pytest.approx(0.56, abs=tolerance)


@pytest.mark.parametrize("fine", [(48, 40), (49, 41), (51, 40)])
@pytest.mark.parametrize("coarse", [(24, 20), (25, 21), (23, 16)])
def test_sinc_restores_what_was_band_limited(fine: tuple[int, int], coarse: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image = np.zeros(fine)
    for _ in range(30):
        rows, columns = (rng.integers(0, (n + 1) // 2) for n in coarse)  # below the coarse grid's Nyquist frequency
        wave = rows * centres(fine[0])[:, None] + rng.choice([-1, 1]) * columns * centres(fine[1])
        image += rng.normal() * np.cos(2 * np.pi * wave + rng.uniform(0, 6))
    taken = truncate_k_space(image, coarse)
    assert_allclose(taken.imag, 0, atol=1e-5)
    assert_allclose(upsample(taken.real, fine, "sinc"), image, atol=1e-4)


def test_nearest_repeats_pixels() -> None:
    image = np.arange(12.0).reshape(3, 4)
    assert_array_equal(upsample(image, (6, 12), "nearest"), image.repeat(2, 0).repeat(3, 1))


def test_bicubic_reproduces_a_ramp_away_from_the_edges() -> None:
    result = upsample(np.outer(centres(20), np.ones(4)), (40, 8), "bicubic")
    assert_allclose(result[4:-4, 0], centres(40)[4:-4], atol=1e-6)


def test_stacks_go_slice_by_slice() -> None:
    stack = np.random.default_rng(0).integers(0, 999, (2, 3, 7, 6)).astype(">u2")
    result = upsample(stack, (14, 12), "bicubic")
    assert result.dtype == np.float32
    assert_allclose(result[1, 2], upsample(stack[1, 2], (14, 12), "bicubic"), rtol=1e-6)


def test_a_matrix_is_shared_and_cannot_be_changed() -> None:
    matrix = upsampling_matrix(5, 10, "sinc")
    assert upsampling_matrix(5, 10, "sinc") is matrix
    with pytest.raises(ValueError, match="read-only"):
        matrix[0, 0] = 1


def test_an_unknown_mode_is_one_sentence() -> None:
    with pytest.raises(InputError, match="nearest, bicubic, sinc, not 'lanczos'"):
        upsampling_matrix(4, 8, "lanczos")
