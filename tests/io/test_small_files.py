"""What describes something is read whole, and nothing that only looks like it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from napari_micromri.errors import ReadError
from napari_micromri.io import open_scan, save_scan
from napari_micromri.io.small_files import read_small

if TYPE_CHECKING:
    from pathlib import Path

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
    with pytest.raises(OSError, match=r"no ordinary file|directory"):
        read_small(path)


@unix
@pytest.mark.parametrize("node", [".", "0"])
def test_a_store_that_is_described_by_a_device_is_refused(tmp_path: Path, make_scan, node: str) -> None:  # type: ignore[no-untyped-def]
    store = save_scan(make_scan(), tmp_path / "a.ome.zarr")
    (store / node / "zarr.json").unlink()
    (store / node / "zarr.json").symlink_to("/dev/zero")
    with pytest.raises(ReadError):
        open_scan(store)
