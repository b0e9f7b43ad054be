"""What is opened by which reader, and what a person hears when nothing can be done."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bruker_files import Reconstruction
from napari_micromri.errors import InputError, ReadError
from napari_micromri.io import can_read, open_scan, save_scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.scan import Scan


def refused(path: Path | str, match: str) -> str:
    with pytest.raises(ReadError, match=match) as raised:
        open_scan(path)
    message = str(raised.value)
    assert str(path) in message
    assert message.endswith(".") and "Traceback" not in message and "\n" not in message
    return message


def test_missing(tmp_path: Path) -> None:
    assert not can_read(tmp_path / "nowhere.nii.gz")
    refused(tmp_path / "nowhere.nii.gz", "does not exist")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "2dseq", "a.tif", "a.dcm", "a.bin"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert can_read(tmp_path / name) in (True, False)
    refused(tmp_path / name, "empty")


def test_empty_folder(tmp_path: Path) -> None:
    assert not can_read(tmp_path)
    refused(tmp_path, "empty folder")


def test_folder_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "1").mkdir()
    assert not can_read(tmp_path)
    refused(tmp_path, "scan that can be read")


@pytest.mark.parametrize("name", ["notes.txt", "a.png", "model.safetensors", "a.npy"])
def test_other_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04hello, this is something else" * 10)
    assert not can_read(tmp_path / name)
    refused(tmp_path / name, "scan that can be read")


@pytest.mark.parametrize("path", ["", "\0", "a\0b", 5])
def test_can_read_never_raises(path: object) -> None:
    assert can_read(path) is False


def test_content_decides_where_the_name_says_nothing(tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
    save_scan(make_scan(), tmp_path / "a.ome.zarr").rename(tmp_path / "renamed")
    assert can_read(tmp_path / "renamed")
    assert open_scan(tmp_path / "renamed")[0].info == make_scan().info


def test_upper_case_endings(tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
    save_scan(make_scan(), tmp_path / "a.nii").rename(tmp_path / "B.NII")
    assert open_scan(tmp_path / "B.NII")[0].shape == make_scan().shape


class TestVoxelSize:
    def test_it_replaces_what_the_file_says(self, tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
        path = save_scan(make_scan(), tmp_path / "a.nii")
        assert open_scan(path, voxel_size=(3, 2, 1))[0].info.voxel_size == (3, 2, 1)

    @pytest.mark.parametrize("size", [(1, 1), (1, 0, 1), (1, float("nan"), 1)])
    def test_nonsense_is_refused(self, tmp_path: Path, make_scan: Callable[..., Scan], size: tuple[float, ...]) -> None:
        path = save_scan(make_scan(), tmp_path / "a.nii")
        with pytest.raises(ReadError, match="voxel size"):
            open_scan(path, voxel_size=size)


def test_low_and_high_resolution_of_one_field_of_view_overlay(tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
    low = make_scan((3, 12, 10), voxel_size=(0.6, 0.2, 0.2), origin=(0, 1, 2))
    high = make_scan((3, 24, 20), voxel_size=(0.6, 0.1, 0.1), origin=(0, 0.95, 1.95))
    for ending in (".nii.gz", ".ome.zarr"):
        (a,) = open_scan(save_scan(low, tmp_path / f"low{ending}"))
        (b,) = open_scan(save_scan(high, tmp_path / f"high{ending}"))
        np.testing.assert_allclose(a.extent, b.extent, atol=1e-12)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, make_scan: Callable[..., Scan]) -> None:
    # Permissions don't stop root, so the refusal is put on.
    path = save_scan(make_scan(), tmp_path / "a.nii")

    def refuse(self: Path, *args: object) -> None:
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr("pathlib.Path.open", refuse)
    refused(path, "may not access" if code == errno.EACCES else "can't be used")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions don't stop root, nor Windows")
def test_unreadable_folder(tmp_path: Path) -> None:
    folder = Reconstruction(np.zeros((1, 3, 3), "i2")).write(tmp_path)
    folder.chmod(0)
    try:
        refused(tmp_path, "may not access|no images")
    finally:
        folder.chmod(0o755)


def test_info_that_contradicts_the_voxels(tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
    import zarr

    path = save_scan(make_scan((2, 3, 6, 6), "bzyx", b_values=(0, 100)), tmp_path / "a.ome.zarr")
    group = zarr.open_group(path, mode="r+")
    group.attrs["micromri"] = dict(group.attrs["micromri"]) | {"b_values": [0, 1, 2]}
    refused(path, "b-values")


def test_heavy_libraries_are_loaded_only_when_used() -> None:
    code = "import sys, napari_micromri.io; print([m for m in sys.modules if '.' not in m])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in ("torch", "dask", "zarr", "nibabel", "pydicom", "tifffile", "brukerapi", "qtpy", "napari"):
        assert f"'{name}'" not in loaded


def test_errors_of_the_input_are_read_errors(tmp_path: Path) -> None:
    assert not issubclass(InputError, ReadError)
    refused(tmp_path / ("x" * 300), "does not exist|too long")
