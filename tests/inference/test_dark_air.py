"""The brightness of the air is taken out in quadrature, and only where there is air to tell it from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_micromri.inference import DenoiseOptions, denoise, denoise_with_uncertainty
from napari_micromri.inference.dark_air import darken_air
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_micromri.nn.plain_restorer import PlainRestorer

OBJECT = slice(20, 60)
PLAIN = DenoiseOptions(device="cpu", precision="float32")
DARK = replace(PLAIN, dark_air=True)


def amplitude(factor: int = 1) -> NDArray[np.float64]:
    """Draw a square of signal 30 in air."""
    image = np.zeros((80, 80))
    image[OBJECT, OBJECT] = 30
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def magnitude(signal: NDArray[Any], seed: int = 0) -> NDArray[np.float32]:
    """Add complex noise of sigma 1, and take the magnitude."""
    real, imaginary = np.random.default_rng(seed).normal(size=(2, *signal.shape))
    return np.hypot(signal + real, imaginary).astype(np.float32)


def test_a_floor_that_was_added_in_quadrature_is_taken_out_again() -> None:
    true = amplitude(2)
    found = darken_air(np.sqrt(true**2 + 0.8**2).astype(np.float32), magnitude(amplitude()), 2)
    assert_allclose(found, true, atol=2e-3)  # a float32 root of nearly nothing


def test_without_air_nothing_changes() -> None:
    full = np.full((80, 80), 30.0)
    result = full.repeat(2, axis=0).repeat(2, axis=1).astype(np.float32)
    assert_array_equal(darken_air(result, magnitude(full), 2), result)


def test_each_slice_has_a_level_of_its_own(restorer: PlainRestorer) -> None:
    fast = np.stack([magnitude(amplitude(), seed=1), 3 * magnitude(amplitude(), seed=2)])
    scan = Scan(fast, ScanInfo(name="fast", axes="zyx", voxel_size=(1, 1, 1)))
    plain, dark = denoise(scan, restorer, PLAIN), denoise(scan, restorer, DARK)
    assert dark.info.name == f"fast [{restorer.spec.name}, dark air]"
    assert dark.info.provenance[-1]["dark_air"] is True
    assert "dark_air" not in plain.info.provenance[-1]
    inside = np.zeros((160, 160), dtype=bool)
    inside[44:116, 44:116] = True  # off the edges, whose rings lie in the air
    air = ~np.pad(np.ones((100, 100), dtype=bool), 30)
    for before, after in zip(plain.read(), dark.read(), strict=True):
        assert_allclose(after[inside].mean(), before[inside].mean(), rtol=0.005)
        # What is left of values about their root mean square is what lay above it.
        level = np.sqrt(np.mean(np.square(before[air])))
        assert_allclose(after[air], np.sqrt(np.maximum(before[air] ** 2 - level**2, 0)), atol=0.35 * level)
        assert after[air].mean() < 0.6 * before[air].mean()


def test_gaps_stay_gaps(restorer: PlainRestorer) -> None:
    fast = magnitude(amplitude())[None]
    fast[0, 5, 7] = np.nan
    found = denoise(Scan(fast, ScanInfo(name="fast", axes="zyx", voxel_size=(1, 1, 1))), restorer, DARK).read()
    assert_array_equal(np.argwhere(np.isnan(found[0])), [[10, 14], [10, 15], [11, 14], [11, 15]])


def test_errors_are_those_of_the_plain_result() -> None:
    scan = Scan(magnitude(amplitude())[None], ScanInfo(name="fast", axes="zyx", voxel_size=(1, 1, 1)))
    widths = [denoise_with_uncertainty(scan, "unet-default", options)[1].read() for options in (PLAIN, DARK)]
    assert_array_equal(*widths)


@pytest.mark.parametrize("words", [["--dark-air"], []])
def test_the_command_line_asks_for_it(words: list[str]) -> None:
    from napari_micromri.cli.denoise import _denoise_options
    from napari_micromri.cli.program import build_parser

    assert _denoise_options(build_parser().parse_args(["denoise", "a.nii", "b.nii", *words])).dark_air is bool(words)
