"""The sample scans are pairs of one field of view with the noise that their description says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_micromri.measure.image_quality import psnr
from napari_micromri.measure.noise import estimate_noise
from napari_micromri.simulation.resampling import upsample
from napari_micromri.simulation.samples import digital_mouse, lego_phantom

if TYPE_CHECKING:
    from napari_micromri.scan import Scan

Pair = tuple["Scan", "Scan"]


@pytest.fixture(scope="module", params=[digital_mouse, lego_phantom], ids=["mouse", "lego"])
def pair(request: pytest.FixtureRequest) -> Pair:
    return request.param()


def test_both_cover_the_same_extent(pair: Pair) -> None:
    fast, good = pair
    assert (fast.shape, good.shape) == ((30, 150, 150), (30, 300, 300))
    assert (fast.info.voxel_size, good.info.voxel_size) == ((0.6, 0.2, 0.2), (0.6, 0.1, 0.1))
    np.testing.assert_allclose(fast.extent, good.extent, atol=1e-9)


def test_they_say_what_they_are(pair: Pair) -> None:
    fast, good = pair
    assert fast.info.name.endswith(", fast (LR)")
    assert good.info.name.endswith(", default (HR)")
    assert fast.info.subject == good.info.subject
    assert (fast.info.averages, good.info.averages) == (1, 5)
    for scan in pair:
        assert scan.dtype == np.float32
        assert None not in (scan.info.region, scan.info.plane, scan.info.protocol)
        assert (scan.info.repetition_time, scan.info.echo_time) == (4000, 37.1)
    assert [s["step"] for s in fast.info.provenance] == ["draw", "simulate_fast_scan"]
    assert [s["step"] for s in good.info.provenance] == ["draw", "add_noise"]


def test_the_noise_is_what_was_asked_for(pair: Pair) -> None:
    fast, good = pair
    noisy, clean = estimate_noise(fast.read()), estimate_noise(good.read())
    assert noisy.snr == pytest.approx(15, rel=0.2)
    assert clean.snr == pytest.approx(35, rel=0.1)
    assert noisy.sigma / clean.sigma == pytest.approx(35 / 15, rel=0.06)


def test_the_two_lie_on_each_other(pair: Pair) -> None:
    """Moved by one fine pixel either way the fast scan fits less well."""
    fast, good = (s.read()[12] for s in pair)
    fine = upsample(fast, good.shape, "sinc")
    fits = {k: psnr(np.roll(fine, k, axis=(0, 1)), good) for k in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))}
    assert max(fits, key=fits.__getitem__) == (0, 0)


def test_a_seed_is_an_animal() -> None:
    info = digital_mouse(4)[1].info
    assert info.subject == "digital-mouse-4"
    assert (info.region, info.plane) == ("thorax-abdomen", "coronal")
