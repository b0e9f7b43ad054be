"""What tests of every part share: the folder of real scans, and a small scan to work on."""

from __future__ import annotations

import gc
import os
import threading
import traceback
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QSettings

import leftovers
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.widgets.shared.garbage import look_away_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A busy machine must not fail a property: how long an example takes says nothing about it.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

os.environ[leftovers.MARK] = str(os.getpid())

MUCH_GARBAGE = 20_000
"""Objects made and not freed since the last collection."""


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """End what a test has started, also when it failed or took too long, and fail it when something was left."""
    watch = leftovers.Watch()
    yield
    if left := watch.end():
        pytest.fail(f"The test left {len(left)} processes alive: {'; '.join(left)}")


@pytest.fixture(scope="session", autouse=True)
def only_this_thread_collects_garbage() -> Iterator[None]:
    """Leave to no other thread what cycles hold of windows: freed by another thread than their own, they crash Qt."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(0)  # which stays, while dask undoes gc.disable
    gc.callbacks.append(look_away_elsewhere)  # a tuning's worker asks for collections, and here it is a thread
    yield
    gc.callbacks.remove(look_away_elsewhere)
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.fixture(autouse=True)
def garbage_is_collected() -> Iterator[None]:
    """Collect it between tests, once there is much."""
    yield
    if gc.get_count()[0] > MUCH_GARBAGE:
        gc.collect()


@pytest.fixture(autouse=True)
def napari_s_cache_serves_the_window_alone() -> Iterator[None]:
    """Fail a test that reads a lazy array in another thread through dask's callbacks, as napari's cache is one."""
    from dask.callbacks import Callback

    others = []

    def start(_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            others.append("".join(traceback.format_stack()))

    with Callback(start=start):
        yield
    assert not others, f"Read with Scan.read instead, which leaves napari's cache out:\n{others[0]}"


@pytest.fixture(scope="session", autouse=True)
def patient_waits() -> Iterator[None]:
    """Let every wait for something in a window last a minute, since a busy machine may be slow; what comes ends it."""
    real = QtBot.waitUntil

    def wait(self: QtBot, callback: Callable[[], object], *, timeout: int = 0) -> None:
        real(self, callback, timeout=max(timeout, 60_000))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(QtBot, "waitUntil", wait)
        yield


@pytest.fixture(autouse=True)
def settings_of_its_own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what is remembered between sessions out of the person's own settings, and of other tests."""
    folder = tmp_path_factory.getbasetemp() / f"settings-{zlib.crc32(request.node.nodeid.encode())}"
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real scans: the environment variable MICROMRI_DATA, else ``../shared/data`` beside the repository."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MICROMRI_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"The real scans are not at {folder}; set MICROMRI_DATA to the folder that holds them.")
    return folder


@pytest.fixture
def make_scan() -> Callable[..., Scan]:
    """Build a scan of smooth blobs on a dark background, float32, values 0 to about 1000."""

    def make(shape: tuple[int, ...] = (3, 24, 20), axes: str = "zyx", *, seed: int = 0, **info: object) -> Scan:
        rng = np.random.default_rng(seed)
        grids = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape[-2:]), indexing="ij")
        body = 1000 * np.clip(1.2 - 1.5 * (grids[0] ** 2 + grids[1] ** 2), 0, 1)
        data = (body + rng.normal(0, 20, shape)).clip(0).astype(np.float32)
        spatial = [a for a in axes if a in "zyx"]
        described: dict[str, object] = {
            "name": "test scan",
            "axes": axes,
            "voxel_size": tuple({"z": 0.6, "y": 0.1, "x": 0.1}[a] for a in spatial),
        }
        return Scan(data, ScanInfo(**(described | info)))

    return make
