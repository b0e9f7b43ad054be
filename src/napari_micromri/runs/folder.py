"""The folder of a job: which files it holds, and writing them so that a kill at any moment leaves a job to resume.

| file | content |
| --- | --- |
| ``config.json`` | what the job was asked for, written once |
| ``events.jsonl`` | what happened, a line each |
| ``process.json`` | the process that is running, its last sign of life and its progress |
| ``log.txt`` | what a person would read |
| ``stop`` | asks the process to stop |
| ``process.lock`` | held by the process that is running |

What a kind of job makes lies beside them.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from napari_micromri import __version__
from napari_micromri.errors import JobError, WriteError, describe_os_error
from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.folders import make_folder
from napari_micromri.io.small_files import read_small
from napari_micromri.runs.events import by_name, to_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_micromri.runs.events import Event

FORMAT = 1
RESERVE_BYTES = 64 * 1024
"""Kept back, so that the end of a job can still be written when the disk is full."""


class JobFolder:
    """The files of a job. Making the object touches nothing.

    A kind of job is a subclass that says how it is called and what it leaves besides.
    """

    kind: ClassVar[str]
    """Stands in ``config.json``, as ``micromri-KIND``."""
    label: ClassVar[str]
    """What such a job is called in a sentence: "training run"."""
    error: ClassVar[type[JobError]] = JobError
    events_read: ClassVar[Mapping[str, type[Event]]] = by_name()
    needed: ClassVar[frozenset[str]] = frozenset({"config", "created"})
    """What ``config.json`` holds at least."""
    results: ClassVar[tuple[str, ...]] = ()
    """Names of files and folders that such jobs make, which are removed when one is overwritten."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.events = self.path / "events.jsonl"
        self.presence = self.path / "process.json"
        self.log = self.path / "log.txt"
        self.stop = self.path / "stop"
        self.lock = self.path / "process.lock"
        self._reserve = self.path / ".reserve"

    @property
    def exists(self) -> bool:
        """Whether it holds a job."""
        return self.config.is_file()

    def create(self, settings: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Make the folder and its ``config.json``; one that is replaced is removed only once its lock is ours.

        Raises
        ------
        JobError
            It holds a job already and ``overwrite`` is False, or another process is working on it; it holds something
            else, or can't be made.
        """
        if self._is_other_kind():
            raise self.error(f"{self.path} holds something else than a {self.label}. Choose a new folder.")
        if self.exists and not overwrite:
            raise self.error(
                f"{self.path} holds a {self.label} already. Resume it, choose another folder, or ask for it to be "
                "overwritten."
            )
        try:
            self.make()
            with self.hold():
                self._empty()
                self._reserve.write_bytes(bytes(RESERVE_BYTES))
                self.write_new(settings)
        except WriteError as error:
            self._free_reserve()
            raise self.error(str(error)) from error
        except OSError as error:
            self._free_reserve()
            raise self.error(describe_os_error(error, self.path)) from error

    def _free_reserve(self) -> None:
        with suppress(OSError):  # where a file has the folder's name, there is no reserve
            self._reserve.unlink(missing_ok=True)

    def make(self) -> None:
        """Make the folder, unless it is there.

        Raises
        ------
        JobError
            It holds something else.
        WriteError, OSError
            See `make_folder`.
        """
        if self.path.is_dir() and not self.exists and any(map(self._is_foreign, self.path.iterdir())):
            raise self.error(f"{self.path} holds other files. Choose a new folder for the {self.label}.")
        make_folder(self.path)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock of the job, which the system frees when the process dies.

        Raises
        ------
        JobError
            Another process holds it.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.lock, mode=0o666)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise self.error(f"Another process is working on the {self.label} {self.path}. Stop it first.") from error
        except NotImplementedError as error:
            raise self.error(f"The disk of {self.path} can't lock files. Choose another one.") from error
        except OSError as error:
            raise self.error(describe_os_error(error, self.path)) from error
        try:
            yield
        finally:
            lock.release()

    def read_settings(self) -> dict[str, Any]:
        """Read ``config.json``.

        Raises
        ------
        JobError
            The folder holds no such job, or the file is damaged.
        """
        try:
            content = json.loads(read_small(self.config))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self.error(f"{self.path} holds no {self.label} (there is no {self.config.name} in it).") from error
        except OSError as error:
            raise self.error(describe_os_error(error, self.config)) from error
        except (ValueError, RecursionError) as error:
            raise self.error(f"{self.config} is damaged. Start the {self.label} again in a new folder.") from error
        mark = f"micromri-{self.kind}"
        if not isinstance(content, dict) or not {mark, *self.needed} <= content.keys():
            raise self.error(f"{self.config} is not the configuration of a {self.label}.")
        if content[mark] != FORMAT:
            raise self.error(f"{self.path} was made by a later version of napari-micromri. Update napari-micromri.")
        return content

    def write_new(self, settings: Mapping[str, Any]) -> None:
        """Write ``config.json`` with the kind of job, the time and our version."""
        marked = {f"micromri-{self.kind}": FORMAT, **settings, "created": time.time(), "version": __version__}
        self._write_settings(marked)

    def change_settings(self, **changes: Any) -> None:
        """Write other settings, for example that the data lie elsewhere now."""
        self._write_settings(self.read_settings() | changes)

    def clean(self) -> None:
        """Remove what a killed process left half-written, and set the reserve for `append_last` aside again."""
        if not self._reserve.exists():
            self._reserve.write_bytes(bytes(RESERVE_BYTES))
        for leftover in (*self.path.glob(".*.partial-*"), *self.path.glob("*/.*.partial-*")):
            with suppress(OSError):
                leftover.unlink()

    def append(self, event: Event) -> None:
        """Add an event to ``events.jsonl``, as a line of its own even after a half-written one."""
        with self.events.open("ab+") as file:
            line = f"{to_line(event)}\n".encode()
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)

    def append_last(self, event: Event) -> None:
        """Add the event that ends the job, on a full disk too."""
        self._reserve.unlink(missing_ok=True)
        self.append(event)

    def write_log(self, text: str) -> None:
        """Add a line to the log; a log that can't be written stops nothing."""
        with suppress(OSError), self.log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")

    def log_tail(self, lines: int) -> str:
        """Return the end of the log; an empty text when there is none."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 64 * 1024))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.rstrip().splitlines()[-lines:])

    def _write_settings(self, settings: Mapping[str, Any]) -> None:
        with atomic_output(self.config, overwrite=True, lock=False) as temporary:
            temporary.write_text(json.dumps(settings, indent=1, ensure_ascii=False), encoding="utf-8")

    def _is_other_kind(self) -> bool:
        """Tell whether ``config.json`` can be read and is that of another kind of job, or of another program."""
        try:
            content = json.loads(read_small(self.config))
        except (OSError, ValueError, RecursionError):
            return False
        return not isinstance(content, dict) or f"micromri-{self.kind}" not in content

    def _is_foreign(self, file: Path) -> bool:
        """Tell whether a file isn't what the making of a job may have left that was killed or met a full disk."""
        return file not in (self.lock, self._reserve) and ".partial-" not in file.name

    def _empty(self) -> None:
        """Remove the job that was there, and nothing else; its configuration first, so that no half of it is a job."""
        for file in (self.config, self.events, self.presence, self.log, self.stop, self._reserve):
            file.unlink(missing_ok=True)
        for name in self.results:
            result = self.path / name
            if result.is_dir() and not result.is_symlink():
                shutil.rmtree(result, ignore_errors=True)
            else:
                result.unlink(missing_ok=True)
