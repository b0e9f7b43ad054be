"""Reading lazy arrays beside napari, whose cache dask calls for every computation."""

from __future__ import annotations

import errno
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback
from numpy.testing import assert_array_equal

from napari_micromri.errors import ReadError
from napari_micromri.io import save_scan
from napari_micromri.io.lazy import lazy_slices
from napari_micromri.plugin.layers import quick_contrast_limits
from napari_micromri.scan import Scan, ScanInfo, computed
from napari_micromri.widgets.scans.finding import picture_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.scan import ArrayLike

VALUES = np.arange(3 * 8 * 6, dtype=np.float32).reshape(3, 8, 6)
INFO = ScanInfo(name="lazy", axes="zyx", voxel_size=(1, 1, 1))


@pytest.mark.parametrize(
    "read",
    [lambda data: Scan(data, INFO).read(), quick_contrast_limits, lambda data: picture_of(Scan(data, INFO), 0)],
    ids=["all of it", "limits", "thumbnail"],
)
def test_napari_s_cache_is_not_told(read: Callable[[da.Array], object]) -> None:
    told = []
    with Callback(pretask=lambda *args: told.append(args)):
        read(da.from_array(VALUES, chunks=(1, 8, 6)))
        assert told == []
        da.from_array(VALUES, chunks=(1, 8, 6)).compute()
    assert told


def test_it_is_read() -> None:
    assert_array_equal(computed(da.from_array(VALUES, chunks=(1, 8, 6))), VALUES)
    assert_array_equal(computed(VALUES), VALUES)


@pytest.mark.parametrize("data", [VALUES, da.from_array(VALUES, chunks=(1, 8, 6))], ids=["array", "lazy"])
def test_a_part_of_a_scan_is_read(data: ArrayLike) -> None:
    scan = Scan(data, INFO)
    assert_array_equal(scan.read(), VALUES)
    assert_array_equal(scan.read(1), VALUES[1])
    assert_array_equal(scan.read((slice(0, 2), 3), here=True), VALUES[:2, 3])


def test_here_is_the_calling_thread() -> None:
    threads = set()

    def read_slice(index: tuple[int, ...]) -> NDArray[np.float32]:
        threads.add(threading.current_thread())
        return VALUES[index]

    Scan(lazy_slices(read_slice, VALUES.shape, VALUES.dtype), INFO).read(here=True)
    assert threads == {threading.current_thread()}


def test_a_source_that_fails_is_not_the_output_s_fault(tmp_path: Path) -> None:
    def read_slice(_: tuple[int, ...]) -> NDArray[np.float32]:
        raise OSError(errno.EIO, "Input/output error")

    data = lazy_slices(read_slice, VALUES.shape, VALUES.dtype)
    scan = Scan(data, replace(INFO, source="/gone/2dseq"))
    for name in ("saved.nii.gz", "saved.ome.zarr"):
        with pytest.raises(ReadError, match=r"^/gone/2dseq can't be used: Input/output error\.$"):
            save_scan(scan, tmp_path / name)
    assert not list(tmp_path.iterdir())
