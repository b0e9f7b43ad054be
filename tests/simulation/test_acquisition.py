"""The acquisition model: geometry of the truncation, statistics of the noise, laziness of the simulated scan."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_micromri.errors import InputError
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.simulation.acquisition import (
    add_noise,
    foreground_mean,
    simulate_fast_scan,
    truncate_k_space,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeScan = Callable[..., Scan]


def centres(count: int) -> np.ndarray:
    """Positions of pixels that fill the field of view edge to edge."""
    return (np.arange(count) + 0.5) / count


def blob(shape: tuple[int, int], row: float = 0.43, column: float = 0.56, width: float = 0.06) -> np.ndarray:
    return np.exp(-((centres(shape[0])[:, None] - row) ** 2 + (centres(shape[1]) - column) ** 2) / (2 * width**2))


@settings(deadline=None)
@given(
    shape=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    seed=st.integers(0, 99),
)
def test_truncation_keeps_the_mean(shape: tuple[int, int], cut: tuple[float, float], seed: int) -> None:
    image = np.random.default_rng(seed).normal(5, 1, shape)
    coarse = tuple(max(1, round(n * part)) for n, part in zip(shape, cut, strict=True))
    result = truncate_k_space(image, coarse)
    assert result.shape == coarse
    assert result.mean() == pytest.approx(image.mean(), abs=1e-4)


@pytest.mark.parametrize(("fine", "coarse"), [((80, 100), (40, 50)), ((81, 99), (41, 50)), ((90, 96), (30, 32))])
def test_a_blob_stays_where_it_is(fine: tuple[int, int], coarse: tuple[int, int]) -> None:
    """Plain truncation would move it by half the difference of the pixel sizes."""
    result = truncate_k_space(blob(fine), coarse)
    assert_allclose(result, blob(coarse), atol=1e-3)
    magnitude = np.abs(result)
    assert (magnitude.sum(1) @ centres(coarse[0])) / magnitude.sum() == pytest.approx(0.43, abs=1e-4)
    assert (magnitude.sum(0) @ centres(coarse[1])) / magnitude.sum() == pytest.approx(0.56, abs=1e-4)


def test_all_of_k_space_is_the_image() -> None:
    image = np.random.default_rng(0).normal(size=(3, 7, 6))
    assert_allclose(truncate_k_space(image, (7, 6)), image, atol=1e-5)


@pytest.mark.parametrize("shape", [(0, 3), (9, 3), (3, 7)])
def test_no_more_of_k_space_than_there_is(shape: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="between 1 and"):
        truncate_k_space(np.ones((8, 6)), shape)


def test_noise_without_signal_is_rayleigh() -> None:
    noisy = add_noise(np.zeros((600, 600), np.complex64), 10.0, np.random.default_rng(0))
    assert noisy.dtype == np.float32
    assert noisy.mean() == pytest.approx(10 * np.sqrt(np.pi / 2), rel=5e-3)
    assert noisy.std() == pytest.approx(10 * np.sqrt(2 - np.pi / 2), rel=5e-3)


def test_noise_on_a_strong_signal_is_gaussian_with_a_small_bias() -> None:
    phase = np.exp(1j * np.linspace(0, 6, 600))
    noisy = add_noise((100 * phase * np.ones((600, 1))).astype(np.complex64), 10.0, np.random.default_rng(0))
    assert noisy.mean() == pytest.approx(100 + 10**2 / (2 * 100), rel=1e-3)  # Rician, to first order
    assert noisy.std() == pytest.approx(10, rel=1e-2)


@pytest.mark.parametrize("averages", [1, 4, 9])
def test_averages_lower_the_noise_by_their_root(averages: int) -> None:
    signal = np.full((500, 500), 1000, np.complex64)
    noisy = add_noise(signal, 12.0, np.random.default_rng(1), averages)
    assert noisy.std() == pytest.approx(12 / np.sqrt(averages), rel=1e-2)


@pytest.mark.parametrize(
    ("image", "mean"),
    [([0.0, 0.0, 1.0, 10.0, 12.0], 11.0), ([5.0, 5.0], 5.0), ([np.nan, 3.0, np.inf], 3.0), ([np.nan], 0.0)],
)
def test_the_foreground_is_what_is_bright(image: list[float], mean: float) -> None:
    assert foreground_mean(np.array(image, np.float32)) == pytest.approx(mean)


class TestSimulateFastScan:
    @pytest.mark.parametrize(
        ("axes", "shape", "factor", "expected"),
        [
            ("zyx", (3, 24, 20), 2, (3, 12, 10)),
            ("yx", (25, 21), 2, (12, 10)),
            ("zyx", (2, 31, 30), 3, (2, 10, 10)),
            ("zyx", (2, 31, 30), 1, (2, 31, 30)),
            ("bzyx", (2, 3, 8, 8), 1.5, (2, 3, 5, 5)),
            ("tyx", (2, 4, 4), 100, (2, 1, 1)),
        ],
    )
    def test_it_covers_the_same_field_of_view(
        self, make_scan: MakeScan, axes: str, shape: tuple[int, ...], factor: float, expected: tuple[int, ...]
    ) -> None:
        origin = tuple(range(5, 5 + sum(a in "zyx" for a in axes)))
        scan = make_scan(shape, axes, origin=origin)
        fast = simulate_fast_scan(scan, factor=factor)
        assert fast.shape == fast.read().shape == expected
        assert fast.dtype == fast.read().dtype == np.float32
        assert_allclose(fast.extent, scan.extent, rtol=1e-12)

    def test_it_reads_a_slice_when_it_is_looked_at(self) -> None:
        read: list[int] = []

        def load(block_id: tuple[int, ...]) -> np.ndarray:
            read.append(block_id[0])
            return blob((16, 16))[None].astype(np.float32)

        data = da.map_blocks(load, chunks=((1,) * 50, (16,), (16,)), dtype="f4", meta=np.zeros((0, 0, 0), "f4"))
        fast = simulate_fast_scan(Scan(data, ScanInfo(name="lazy", axes="zyx", voxel_size=(1, 1, 1))))
        assert len(read) == len(set(read)) == 9
        read.clear()
        np.asarray(fast.data[30])
        assert read == [30]

    def test_the_noise_depends_on_the_seed_and_not_on_the_order_of_reading(self, make_scan: MakeScan) -> None:
        scan = make_scan((2, 4, 12, 10), "tzyx")
        whole = simulate_fast_scan(scan, seed=3).read()
        again = simulate_fast_scan(scan, seed=3)
        for t, z in [(1, 2), (0, 3), (1, 0)]:
            assert_array_equal(np.asarray(again.data[t, z]), whole[t, z])
        chunked = Scan(da.from_array(scan.read(), chunks=(2, 3, 5, 4)), scan.info)
        assert_array_equal(simulate_fast_scan(chunked, seed=3).read(), whole)
        assert not np.array_equal(simulate_fast_scan(scan, seed=4).read(), whole)

    def test_no_two_slices_share_their_noise(self) -> None:
        info = ScanInfo(name="flat", axes="tzyx", voxel_size=(1, 1, 1))
        fast = simulate_fast_scan(Scan(np.full((3, 4, 32, 32), 50.0), info), snr=10).read().reshape(12, -1)
        likeness = np.corrcoef(fast) - np.eye(12)
        assert np.abs(likeness).max() < 0.25

    @pytest.mark.parametrize(("snr", "averages"), [(8.0, 1), (30.0, 1), (15.0, 4)])
    def test_the_snr_is_what_was_asked_for(self, snr: float, averages: int) -> None:
        image = np.zeros((4, 128, 128), np.float32)
        image[:, 32:96, 32:96] = 700
        scan = Scan(image, ScanInfo(name="box", axes="zyx", voxel_size=(1, 1, 1)))
        one, two = (simulate_fast_scan(scan, snr=snr, averages=averages, seed=seed).read() for seed in (0, 1))
        inside = (slice(None), slice(20, 44), slice(20, 44))
        sigma = (one - two)[inside].std() / np.sqrt(2)
        assert 700 / sigma == pytest.approx(snr * np.sqrt(averages), rel=0.05)

    def test_provenance_says_how_it_was_made(self, make_scan: MakeScan) -> None:
        info = simulate_fast_scan(make_scan(averages=5), factor=2, snr=12.0, averages=2, seed=7).info
        assert json.loads(json.dumps(info.provenance)) == [
            {"step": "simulate_fast_scan", "factor": 2, "snr": 12.0, "averages": 2, "seed": 7}
        ]
        assert (info.averages, info.name) == (2, "test scan (fast, simulated)")

    @pytest.mark.parametrize("dtype", ["?", "u1", ">i2", "f8"])
    def test_any_type_of_number(self, dtype: str) -> None:
        values = (blob((16, 16)) * 100).astype(dtype)
        info = ScanInfo(name="s", axes="yx", voxel_size=(1, 1))
        assert_array_equal(
            simulate_fast_scan(Scan(values, info)).read(),
            simulate_fast_scan(Scan(values.astype(np.float32), info)).read(),
        )

    def test_what_is_not_finite_is_dark(self, make_scan: MakeScan) -> None:
        values = make_scan().read()
        values[0, :3] = np.nan
        assert np.isfinite(simulate_fast_scan(Scan(values, make_scan().info)).read()).all()

    @pytest.mark.parametrize(
        ("wrong", "sentence"),
        [
            ({"factor": 0.5}, "factor is at least 1, not 0.5"),
            ({"factor": float("nan")}, "factor is at least 1"),
            ({"snr": 0}, "SNR is a positive number, not 0"),
            ({"snr": float("inf")}, "SNR is a positive number"),
            ({"averages": 0}, "at least one average, not 0"),
            ({"seed": -1}, "seed is 0 or more, not -1"),
        ],
    )
    def test_wishes_that_make_no_sense(self, make_scan: MakeScan, wrong: dict[str, Any], sentence: str) -> None:
        with pytest.raises(InputError, match=sentence):
            simulate_fast_scan(make_scan(), **wrong)

    @pytest.mark.parametrize(
        ("axes", "shape", "dtype", "sentence"),
        [
            ("zyx", (2, 4, 4), "c8", "holds complex64 pixels"),
            ("zx", (4, 4), "f4", "slices \\(y, x\\)"),
            ("yxt", (4, 4, 2), "f4", "has axes yxt"),
            ("zyx", (0, 4, 4), "f4", "is empty"),
        ],
    )
    def test_scans_that_are_no_slices(self, axes: str, shape: tuple[int, ...], dtype: str, sentence: str) -> None:
        info = ScanInfo(name="bad", axes=axes, voxel_size=(1.0,) * sum(a in "zyx" for a in axes))
        with pytest.raises(InputError, match=sentence):
            simulate_fast_scan(Scan(np.zeros(shape, dtype), info))
