"""What describes something is read whole, and nothing that only looks like it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

from napari_micromri.errors import ReadError
from napari_micromri.io import atomic, open_scan, save_scan
from napari_micromri.io.small_files import read_small

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_micromri.scan import Scan

unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def test_an_ordinary_file_is_read_and_a_large_one_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_small(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="too large"):
        read_small(tmp_path / "a", 4)


@unix
@pytest.mark.parametrize("what", ["device", "pipe", "folder"])
def test_what_never_ends_is_not_begun(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a"
    {"device": lambda: path.symlink_to("/dev/zero"), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[what]()
    with pytest.raises(OSError, match=r"ordinary file|directory"):
        read_small(path)


@unix
@pytest.mark.parametrize("node", [".", "0"])
def test_a_store_that_is_described_by_a_device_is_refused(tmp_path: Path, make_scan, node: str) -> None:
    store = save_scan(make_scan(), tmp_path / "a.ome.zarr")
    (store / node / "zarr.json").unlink()
    (store / node / "zarr.json").symlink_to("/dev/zero")
    with pytest.raises(ReadError):
        open_scan(store)


@unix
@pytest.mark.parametrize("what", ["device", "pipe", "huge"])
def test_a_piece_that_no_writer_made_is_not_read(tmp_path: Path, what: str) -> None:
    """Zarr would read a device until memory ends, and wait for a pipe; a link to an ordinary file is fine."""
    values = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    zarr.create_array(tmp_path / "a.zarr", data=values, chunks=(1, 3, 4))
    first, second = (tmp_path / "a.zarr/c" / str(k) / "0/0" for k in (0, 1))
    first.rename(tmp_path / "elsewhere")
    first.symlink_to(tmp_path / "elsewhere")
    second.unlink()
    if what == "device":
        second.symlink_to("/dev/zero")
    elif what == "pipe":
        os.mkfifo(second)
    else:
        with second.open("wb") as stream:
            stream.truncate(2**30)
    [scan] = open_scan(tmp_path / "a.zarr")
    assert_array_equal(np.asarray(scan.data[0]), values[0])
    with pytest.raises(ReadError, match="piece 1/0/0"):
        np.asarray(scan.data[1])


def test_what_a_killed_writer_had_put_aside_is_opened(tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
    path = save_scan(make_scan(), tmp_path / "a.ome.zarr")
    path.rename(atomic._sibling(path, "old"))
    another = atomic._sibling(tmp_path / "b", "partial")  # reading removes nothing
    another.touch()
    [scan] = open_scan(path)
    assert_array_equal(scan.read(), make_scan().read())
    assert another.exists()
