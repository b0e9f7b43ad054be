"""Optuna's journal file, so that neither a killed process nor a full disk leaves it locked or damaged."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock

if TYPE_CHECKING:
    from pathlib import Path


class SystemLock(BaseJournalFileLock):
    """A lock that the system takes back when its holder dies; Optuna's own ones stay for half a minute then.

    Who has it may take it again.
    """

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path.with_name(f"{path.name}.lock"), thread_local=False)

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._lock.acquire()
        return True

    def release(self) -> None:
        """Let others in."""
        self._lock.release()


class MendingJournal(JournalFileBackend):
    """Optuna's journal file; a line that was cut off (a full disk, a power cut) is dropped before the next one."""

    def __init__(self, path: Path) -> None:
        self._path, self._system_lock = path, SystemLock(path)
        super().__init__(str(path), lock_obj=self._system_lock)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines, all of them or none."""
        self._system_lock.acquire()
        try:
            size = self._drop_half_a_line()
            try:
                super().append_logs(logs)
            except OSError:
                os.truncate(self._path, size)
                raise
        finally:
            self._system_lock.release()

    def _drop_half_a_line(self) -> int:
        """Give the size of what is whole."""
        with self._path.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            if end == 0:
                return 0
            file.seek(end - 1)
            if file.read(1) == b"\n":
                return end
            file.seek(0)
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)
            return whole
