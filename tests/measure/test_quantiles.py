from __future__ import annotations

import numpy as np
import pytest

from napari_micromri.measure.noise import estimate_noise, noise_of_each, noise_of_several
from napari_micromri.measure.quantiles import quantile


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
@pytest.mark.parametrize("part", [0, 0.005, 0.2, 0.5, 0.98, 1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_quantile_is_that_of_numpy(count: int, part: float, dtype: type) -> None:
    values = np.random.default_rng(count).normal(size=count).astype(dtype)
    before = values.copy()
    assert quantile(values, part) == pytest.approx(float(np.quantile(values, part)), rel=1e-6)
    assert np.array_equal(values, before)


def test_the_noise_of_slices_measured_at_once_is_that_of_the_stack() -> None:
    noise = np.random.default_rng(0).normal(0, np.arange(1, 6)[:, None, None], (2, 5, 64, 64))
    stack = np.hypot(noise[0] + 20 * np.eye(64).repeat(5, 0).reshape(5, 64, 64), noise[1])
    each = noise_of_each(stack)
    assert [detail for _, detail in each] == sorted(detail for _, detail in each)
    assert noise_of_several(each) == estimate_noise(stack)
