"""Profiles of scans whose edge is known in mm, whatever their grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from napari_micromri.errors import InputError
from napari_micromri.measure.profile import edge_width, line_profile
from napari_micromri.scan import Scan, ScanInfo


def make(n, blur, *, noise=0.0, origin=0.0):
    """An edge at x = 5 mm from 100 to 300 over 10 mm of ``n`` pixels, blurred by a normal distribution (mm)."""
    fine = 64
    size = 10 / n
    x = (np.arange(n * fine) + 0.5) * size / fine
    row = gaussian_filter1d(np.where(x < 5, 100.0, 300.0), blur * fine / size).reshape(n, fine).mean(1)
    data = np.broadcast_to(row, (2, n, n)) + np.random.default_rng(0).normal(0, noise, (2, n, n))
    info = ScanInfo(
        name=f"{n}", axes="zyx", voxel_size=(1.0, size, size), origin=(0.0, origin + size / 2, origin + size / 2)
    )
    return Scan(data.astype(np.float32), info)


@pytest.mark.parametrize("n", [50, 100, 200])
def test_the_edge_of_one_object_is_as_wide_on_each_grid(n):
    found = line_profile(make(n, 0.5), (5.0, 1.0), (5.0, 9.0), 0.0)
    assert found.distance[0] == 0
    assert found.distance[-1] == pytest.approx(8)
    assert found.values[0] == pytest.approx(100, abs=1)
    assert found.values[-1] == pytest.approx(300, abs=1)
    # A pixel averages over itself, and values between pixels are linear: variances add up.
    blur = math.sqrt(0.5**2 + (10 / n) ** 2 * (1 / 12 + 1 / 6))
    assert found.edge_width == pytest.approx(2 * 1.2815516 * blur, rel=0.02)


def test_a_sloping_line_gives_the_same_values_over_its_own_length():
    found = line_profile(make(100, 0.5), (2.0, 2.0), (8.0, 8.0), 0.0)
    assert found.distance[-1] == pytest.approx(6 * math.sqrt(2))
    straight = line_profile(make(100, 0.5), (5.0, 2.0), (5.0, 8.0), 0.0)
    assert found.edge_width == pytest.approx(math.sqrt(2) * straight.edge_width, rel=0.03)


def test_the_grid_s_origin_counts():
    here, shifted = make(100, 0.3), make(100, 0.3, origin=20.0)
    one = line_profile(here, (5.0, 3.0), (5.0, 7.0), 0.0)
    other = line_profile(shifted, (25.0, 23.0), (25.0, 27.0), 0.0)
    np.testing.assert_allclose(one.values, other.values, rtol=1e-6)


def test_noise_hardly_moves_the_width_and_no_edge_has_none():
    clean = line_profile(make(100, 0.5), (5.0, 1.0), (5.0, 9.0), 0.0)
    noisy = line_profile(make(100, 0.5, noise=10.0), (5.0, 1.0), (5.0, 9.0), 0.0)
    assert noisy.edge_width == pytest.approx(clean.edge_width, rel=0.2)
    flat = line_profile(make(100, 0.5, noise=10.0), (1.0, 1.0), (9.0, 1.0), 0.0)
    assert math.isnan(flat.edge_width)
    assert math.isnan(edge_width(np.arange(9.0), np.full(9, 3.0)))


def test_outside_the_scan_there_are_no_values():
    found = line_profile(make(50, 0.5), (5.0, -2.0), (5.0, 9.0), 0.0)
    assert np.isnan(found.values[found.distance < 2]).all()
    assert np.isfinite(found.values[found.distance > 2.05]).all()
    assert found.edge_width > 0


def test_what_makes_no_profile_is_refused():
    with pytest.raises(InputError, match="length"):
        line_profile(make(50, 0.5), (5.0, 5.0), (5.0, 5.0), 0.0)
    with pytest.raises(InputError, match="slice"):
        line_profile(make(50, 0.5), (5.0, 1.0), (5.0, 5.0), 7.0)
