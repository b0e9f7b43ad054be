"""What can go wrong when a scan is saved: nothing half-written stays, nothing is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

from napari_micromri.errors import CancelledError, ReadError, WriteError, describe_os_error
from napari_micromri.io import open_scan, save_scan
from napari_micromri.io.atomic import atomic_output
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Callable

ENDINGS = [".ome.zarr", ".nii", ".nii.gz"]


@pytest.mark.parametrize("name", ["a", "a.txt", "a.mri.zarr", "a.tif", ".nii.bak"])
def test_unknown_ending(tmp_path: Path, make_scan: Callable[..., Scan], name: str) -> None:
    with pytest.raises(WriteError, match="file extension"):
        save_scan(make_scan(), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ENDINGS)
def test_complex_values(tmp_path: Path, make_scan: Callable[..., Scan], ending: str) -> None:
    scan = Scan(make_scan().read().astype(np.complex64), make_scan().info)
    with pytest.raises(WriteError, match="complex"):
        save_scan(scan, tmp_path / f"a{ending}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_full_disk_and_read_only_folder(
    tmp_path: Path, make_scan: Callable[..., Scan], monkeypatch: pytest.MonkeyPatch, ending: str, code: int
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("nibabel.Nifti1Image.to_filename", refuse)
    monkeypatch.setattr("zarr.Array.__setitem__", refuse)
    words = {errno.ENOSPC: "full", errno.EROFS: "read-only", errno.EACCES: "may not"}
    with pytest.raises(WriteError, match=words[code]):
        save_scan(make_scan(), tmp_path / f"a{ending}")
    assert not list(tmp_path.iterdir())


def test_an_array_that_a_full_disk_cut_short_is_told_as_such() -> None:
    """NumPy raises an error without a number then."""
    assert "full" in describe_os_error(OSError("2304 requested and 992 written"), "a.npy")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_device_that_is_full(tmp_path: Path, make_scan: Callable[..., Scan], monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.open

    def to_full(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return original(Path("/dev/full") if "w" in mode else self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", to_full)
    with pytest.raises(WriteError, match="full"), atomic_output(tmp_path / "a") as temporary:
        temporary.write_text("hello")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ENDINGS)
def test_old_result_stays_when_the_new_one_fails(tmp_path: Path, make_scan: Callable[..., Scan], ending: str) -> None:
    path = save_scan(make_scan(), tmp_path / f"a{ending}")

    def stop(done: int, total: int) -> None:
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        save_scan(make_scan(seed=1), path, overwrite=True, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert_array_equal(open_scan(path)[0].read(), make_scan().read())


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_source_that_breaks_half_way(tmp_path: Path, ending: str) -> None:
    source = zarr.create_array(tmp_path / "in.zarr", data=np.ones((3, 4, 4), "f4"), chunks=(1, 4, 4))
    (scan,) = open_scan(tmp_path / "in.zarr")
    (tmp_path / "in.zarr/c/2/0/0").write_bytes(b"nonsense")
    assert source.shape == (3, 4, 4)
    with pytest.raises(ReadError, match="damaged"):
        save_scan(scan, tmp_path / f"out{ending}")
    assert [p.name for p in tmp_path.iterdir()] == ["in.zarr"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_scan_can_be_saved_over_its_own_source(tmp_path: Path, make_scan: Callable[..., Scan], ending: str) -> None:
    path = save_scan(make_scan(), tmp_path / f"a{ending}")
    (scan,) = open_scan(path)
    save_scan(Scan(scan.data * 2, scan.info), path, overwrite=True)
    assert_array_equal(open_scan(path)[0].read(), make_scan().read() * 2)


def test_missing_folders_are_made(tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
    assert save_scan(make_scan(), str(tmp_path / "new/folder/a.nii.gz")).is_file()


def test_lazy_scans_are_saved_in_blocks(tmp_path: Path) -> None:
    info = ScanInfo(name="a", axes="tzyx", voxel_size=(1, 1, 1))
    data = da.random.default_rng(0).random((2, 7, 8, 8), chunks=(1, 3, 8, 4)).astype("f4").persist()
    for ending in ENDINGS:
        path = save_scan(Scan(data, info), tmp_path / f"a{ending}")
        assert_array_equal(open_scan(path)[0].read(), data.compute())
