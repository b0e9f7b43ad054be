"""A PostgreSQL server of this machine's own for a test: on loopback, in a temporary folder, by an unprivileged user."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

from leftovers import KEPT, MARK

USER, PASSWORD, DATABASE = "tuner", "s3cret-Pass", "postgres"
FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
PATIENCE = 60.0


def find_program(name: str) -> str | None:
    """Find a program of PostgreSQL, which Debian keeps out of the PATH."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, FOLDERS)])
    return shutil.which(name, path=path)


class PostgresServer:
    """Started by ``with``; can be stopped and started again in between, with the same content and address."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._data = folder, folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        """With the password."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"

    def __enter__(self) -> Self:
        secret = self._folder / "secret"
        secret.write_text(PASSWORD)
        self._give_away(self._folder, secret)
        command = ["initdb", "-D", self._data, "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync"]
        self._call(command).wait(PATIENCE)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self._folder, "fsync": "off"}
        command: list[object] = ["postgres", "-D", self._data, "-p", self.port]
        for key, value in options.items():
            command += ["-c", f"{key}={value}"]
        self._process = self._call(command)
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < until, "PostgreSQL doesn't answer"
            time.sleep(0.05)

    def stop(self) -> None:
        """Cut all connections and stop it."""
        if self._process is not None:
            self._process.terminate()
            with self._process:
                subprocess.run(self._as_user(["kill", "-INT", str(self._process.pid)]), check=False)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _call(self, command: list[object]) -> subprocess.Popen[bytes]:
        name, *arguments = map(str, command)
        program = find_program(name)
        assert program is not None
        with (self._folder / "log").open("ab") as log:
            how: dict[str, Any] = {"stdout": log, "stderr": log, "cwd": self._folder, "env": os.environ | {MARK: KEPT}}
            return subprocess.Popen(self._as_user([program, *arguments]), **how)

    @staticmethod
    def _as_user(command: list[str]) -> list[str]:
        """PostgreSQL refuses to run as root, as which tests run in containers."""
        if os.getuid() != 0:
            return command
        return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]

    @staticmethod
    def _give_away(*paths: Path) -> None:
        if os.getuid() == 0:
            for path in paths:
                shutil.chown(path, "nobody", "nogroup")
