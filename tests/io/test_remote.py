"""Stores on a web server of the test's own."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from numpy.testing import assert_array_equal

from napari_micromri.errors import ReadError
from napari_micromri.io import open_scan, save_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_micromri.scan import Scan

pytest.importorskip("aiohttp", reason="remote stores need the extra 'remote' (fsspec[http])")


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    served = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(tmp_path)))
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


def test_ome_zarr(server: str, tmp_path: Path, make_scan: Callable[..., Scan]) -> None:
    save_scan(make_scan(), tmp_path / "a.ome.zarr")
    (scan,) = open_scan(f"{server}/a.ome.zarr")
    assert scan.info == make_scan().info
    assert_array_equal(scan.read(), make_scan().read())


def test_nothing_there(server: str) -> None:
    with pytest.raises(ReadError, match="reached"):
        open_scan(f"{server}/a.ome.zarr")
