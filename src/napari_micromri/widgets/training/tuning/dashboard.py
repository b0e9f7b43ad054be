"""Optuna's own dashboard on a tuning's storage, where it is installed; it ends with the dock. Without Qt.

Run as a module it is the process of the dashboard. It opens the storage itself: no password stands in its command.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from napari_micromri.errors import MicroMRIError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOST = "127.0.0.1"
PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.1


def is_installed() -> bool:
    """Tell whether the dashboard is there."""
    return find_spec("optuna_dashboard") is not None


class Dashboard:
    """The process of a dashboard on one tuning."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    def open(self) -> str:
        """Start it unless it is there, and wait until it answers; gives its address. For a thread.

        Raises
        ------
        TrainingError
            It ended, or doesn't answer.
        """
        if self._process is None or self._process.poll() is not None:
            port = _free_port()
            command = [sys.executable, "-m", __name__, str(self._path), str(port)]
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(self._path),
            )
            self._url = f"http://{HOST}:{port}/"
            self._wait(self._process, port)
        return self._url

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            # Waited for elsewhere: a window waits for nothing.
            threading.Thread(target=self._process.communicate, name="dashboard", daemon=True).start()
            self._process = None

    def _wait(self, process: subprocess.Popen[bytes], port: int) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if process.poll() is not None:
                process.communicate()
                raise TrainingError("optuna-dashboard couldn't be started on this tuning.")
            try:
                socket.create_connection((HOST, port), timeout=1).close()
            except OSError:
                time.sleep(POLL_SECONDS)
            else:
                return
        self.close()
        raise TrainingError("optuna-dashboard doesn't answer.")


def _environment(path: Path) -> dict[str, str]:
    from napari_micromri.tuning.address import VARIABLE, full_url
    from napari_micromri.tuning.folder import TuneFolder

    storage = TuneFolder(path).read().storage
    return {**os.environ, VARIABLE: full_url(storage)} if storage is not None else dict(os.environ)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the dashboard of a tuning until it is ended."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("tuning")
    parser.add_argument("port", type=int)
    options = parser.parse_args(arguments)
    from optuna_dashboard import run_server  # type: ignore[import-not-found,unused-ignore]

    from napari_micromri.tuning.folder import TuneFolder
    from napari_micromri.tuning.storage import open_storage

    threading.Thread(target=_end_with_starter, daemon=True).start()
    try:
        run_server(open_storage(TuneFolder(options.tuning)), host=HOST, port=options.port)
    except MicroMRIError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _end_with_starter() -> None:
    """Wait for the end of the process that holds the other end of our input, however it comes."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
