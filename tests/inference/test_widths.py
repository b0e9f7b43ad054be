"""Widths of errors that are tested on the scan itself, one resolution lower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_micromri.inference import DenoiseOptions
from napari_micromri.inference.slices import SliceDenoiser
from napari_micromri.inference.widths import error_widths
from napari_micromri.nn.checkpoint import ModelCard, ModelSpec
from napari_micromri.nn.error_table import ErrorTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE, WIDTH = 32, 0.05


def table() -> ErrorTable:
    """Say that 90 % of the errors lie within a twentieth of a slice's mean."""
    content = {"coverage": 0.9, "noise": [1.0], "edge": [1.0], "signal": [1.0], "widths": [[[WIDTH]]]}
    return ErrorTable.model_validate(content)


def striped(contrast: float, columns: int) -> NDArray[np.float32]:
    """Rows in turn brighter and darker than about 100 in some columns: half as many rows show nothing of it."""
    image = np.tile(100 + 2 * np.cos(2 * np.pi * np.arange(SIZE) / SIZE), (SIZE, 1)).astype(np.float32)
    image[::2, :columns] *= 1 + contrast
    image[1::2, :columns] *= 1 - contrast
    return image


def repeated(slices: NDArray[np.float32]) -> NDArray[np.float32]:
    return slices.repeat(2, axis=1).repeat(2, axis=2)


def widths(image: NDArray[np.float32]) -> NDArray[np.float32]:
    slices = image[None]
    spec = ModelSpec(name="repeats pixels", kind="none", config={}, card=ModelCard(summary="For tests."))
    return error_widths(table(), spec, repeated, slices, repeated(slices))[0]


@pytest.mark.parametrize(
    ("contrast", "columns", "times"),
    [(0.3, 7, 6.0), (0.1, 7, 2.0), (0.04, 7, 1.0), (0.3, 2, 1.0)],
    ids=["6 times", "2 times", "within the widths", "in less than a tenth of the pixels"],
)
def test_detail_that_the_test_misses_stretches_the_widths(contrast: float, columns: int, times: float) -> None:
    assert_allclose(widths(striped(contrast, columns)), times * WIDTH * 100, rtol=0.05)


def test_the_noise_of_the_fast_scan_is_no_error() -> None:
    noisy = np.random.default_rng(0).normal(100, 10, (SIZE, SIZE)).astype(np.float32)
    lost = np.abs(noisy - repeated(noisy.reshape(1, SIZE // 2, 2, SIZE // 2, 2).mean((2, 4)))[0])
    assert np.quantile(lost, 0.9) > 2 * WIDTH * 100
    assert_allclose(widths(noisy), WIDTH * noisy.mean(), rtol=1e-5)


def test_a_slice_that_shows_nothing_when_it_is_coarser_keeps_them() -> None:
    image = np.tile(np.float32([[130], [70]]), (SIZE // 2, SIZE))
    assert_allclose(widths(image), WIDTH * 100, rtol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8), (3, 40), (2, 1)])
def test_a_slice_too_small_to_be_tested_on_keeps_them(shape: tuple[int, int]) -> None:
    image = np.resize(striped(0.3, SIZE), shape)
    assert_allclose(widths(image), WIDTH * image.mean(), rtol=1e-5)


def test_an_odd_slice_is_tested_without_its_last_row_and_column() -> None:
    image = np.pad(striped(0.3, 8), ((0, 1), (0, 1)), mode="edge")
    assert_allclose(widths(image), 6 * WIDTH * image.mean(), rtol=0.05)


def test_a_given_noise_counts_less_on_the_coarser_slice(nearest: type[Any]) -> None:
    model = nearest()
    model.takes_noise, model.spec = True, model.spec.model_copy(update={"errors": table()})
    with SliceDenoiser(model, DenoiseOptions(device="cpu", noise=8.0, strength=1.5), uncertainty=True) as denoiser:
        found = denoiser.denoise(striped(0.3, 7)[None])
    assert found is not None
    assert [(noise.sigma, noise.strength) for noise in model.noises] == [(8.0, 1.5), (4.0, 1.5)]
    assert_allclose(found[1], 6 * WIDTH * 100, rtol=0.05)
