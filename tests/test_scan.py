"""A scan's description: what it accepts, and its geometry."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from napari_micromri.errors import InputError
from napari_micromri.scan import Scan, ScanInfo

sizes = st.floats(0.001, 100)
places = st.floats(-1000, 1000)


def info(**changes: Any) -> ScanInfo:
    return ScanInfo(**({"name": "a", "axes": "zyx", "voxel_size": (0.6, 0.1, 0.2)} | changes))


class TestInfo:
    def test_defaults(self) -> None:
        assert info().origin == (0, 0, 0)
        assert info(axes="tyx", voxel_size=(0.1, 0.2)).spatial == "yx"
        assert info().size_of("x") == 0.2

    @pytest.mark.parametrize(
        "changes",
        [
            {"axes": "xyz"},
            {"axes": "zzx"},
            {"axes": "zyc"},
            {"voxel_size": (1, 1)},
            {"voxel_size": (1, 1, 0)},
            {"voxel_size": (1, 1, -1)},
            {"voxel_size": (1, 1, np.inf)},
            {"origin": (0, 0)},
            {"origin": (0, 0, np.nan)},
            {"direction": ((1, 0, 0), (0, 1, 0))},
            {"direction": ((1, 0, 0), (1, 0, 0), (0, 0, 1))},
            {"direction": ((2, 0, 0), (0, 1, 0), (0, 0, 1))},
        ],
    )
    def test_nonsense_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(InputError):
            info(**changes)

    def test_steps_are_added_at_the_end(self) -> None:
        done = info().with_step({"step": 1}).with_step({"step": 2})
        assert [s["step"] for s in done.provenance] == [1, 2]
        assert info().provenance == ()


class TestResampled:
    @given(
        st.tuples(sizes, sizes, sizes),
        st.tuples(places, places, places),
        st.tuples(*[st.integers(1, 64)] * 3),
        st.dictionaries(st.sampled_from("zyx"), st.integers(1, 6), min_size=1),
    )
    def test_the_extent_stays(
        self,
        voxel_size: tuple[float, ...],
        origin: tuple[float, ...],
        shape: tuple[int, ...],
        factors: dict[str, int],
    ) -> None:
        low = Scan(da.zeros(shape), info(voxel_size=voxel_size, origin=origin))
        fine = [n * factors.get(a, 1) for n, a in zip(shape, "zyx", strict=True)]
        high = Scan(da.zeros(fine), low.info.resampled(factors))
        assert_allclose(high.extent, low.extent, rtol=1e-9, atol=1e-9)

    @given(st.floats(0.1, 10))
    def test_there_and_back(self, factor: float) -> None:
        start = info(origin=(1, 2, 3))
        back = start.resampled({"y": factor, "x": factor}).resampled({"y": 1 / factor, "x": 1 / factor})
        assert_allclose(back.voxel_size, start.voxel_size)
        assert_allclose(back.origin, start.origin, atol=1e-9)

    def test_centres_move_by_half_the_difference(self) -> None:
        high = info(voxel_size=(0.6, 0.2, 0.2)).resampled({"y": 2, "x": 2})
        assert high.voxel_size == (0.6, 0.1, 0.1)
        assert_allclose(high.origin, (0, -0.05, -0.05))


class TestScan:
    def test_dimensions_fit(self) -> None:
        with pytest.raises(InputError, match="2 dimensions"):
            Scan(np.zeros((3, 3)), info())

    @pytest.mark.parametrize(
        ("axes", "shape", "b_values", "fits"),
        [
            ("bzyx", (2, 3, 4, 5), (0, 100), True),
            ("bzyx", (2, 3, 4, 5), (0, 100, 200), False),
            ("zyx", (3, 4, 5), (100,), True),
            ("zyx", (3, 4, 5), (0, 100), False),
        ],
    )
    def test_b_values_fit(self, axes: str, shape: tuple[int, ...], b_values: tuple[float, ...], fits: bool) -> None:
        described = info(axes=axes, b_values=b_values)
        if fits:
            assert Scan(np.zeros(shape), described).shape == shape
        else:
            with pytest.raises(InputError, match="b-values"):
                Scan(np.zeros(shape), described)

    def test_reading(self) -> None:
        scan = Scan(da.ones((2, 3, 4), dtype="i2"), info())
        assert scan.dtype == np.int16
        assert isinstance(scan.read(), np.ndarray)
        assert_allclose(scan.extent, ((-0.3, 0.9), (-0.05, 0.25), (-0.1, 0.7)))


def test_a_slice_is_named_by_number_and_place():
    info = ScanInfo(name="scan", axes="zyx", voxel_size=(0.75, 0.1, 0.1), origin=(1.5, 0, 0))
    assert info.slice_words(4) == "4 · z 4.5 mm"
    assert info.slice_words(3, "y") == "3 · y 0.3 mm"
    assert ScanInfo(name="flat", axes="yx", voxel_size=(1, 1)).slice_words(0) == "0"
