"""Optuna's journal in a tuning's folder: whole lines only, one way to read it, and a heartbeat.

Neither a killed process nor a full disk leaves it locked or damaged. Whoever reads it takes no lock and makes no file.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from optuna.storages import JournalStorage
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import TrialState

from napari_micromri.errors import TrainingError, describe_os_error
from napari_micromri.tuning.trials import retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO
    from pathlib import Path

    from optuna.trial import FrozenTrial

LOCK_SECONDS = 10.0
BEAT_SECONDS, GRACE_SECONDS = 20, 120
"""How often a worker shows that it is there, and after which silence it is taken for dead."""


class Journal(BaseJournalBackend):
    """The lines of the file, for one `TrialJournal`, which asks for each line once.

    ``patiently`` makes the call that waits for the lock, and may make it again.
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        self._path = path
        # The system takes this lock back when its holder dies; Optuna's own locks then stay for half a minute.
        self._lock = FileLock(path.with_name(f"{path.name}.lock"), thread_local=False)
        self._identity = self._find()
        self.offset = 0
        """Bytes of the whole lines that were read."""
        self.lines = 0
        self.patiently: Callable[[Callable[[], None]], None] = lambda call: call()

    @property
    def replaced(self) -> bool:
        """Whether another file has taken its place, or it has become shorter: nothing that was read is valid then."""
        return self._find() != self._identity or self._path.stat().st_size < self.offset

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Give the lines that were added; a last line that is half written waits for the next time."""
        if log_number_from != self.lines:
            raise TrainingError(f"{self._path} was changed while it was read. Open the tuning again.")
        with self._path.open("rb") as file:
            file.seek(self.offset)
            content = file.read()
        for line in content[: content.rfind(b"\n") + 1].splitlines(keepends=True):
            log = self._parse(line)
            self.offset += len(line)
            self.lines += 1
            yield log

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines, all of them or none; what a power cut left of an earlier line is dropped before."""
        content = b"".join(json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs)
        try:
            with self._locked():
                self._append(content)
        except ConnectionError:
            raise
        except OSError as error:  # a full disk, a folder that can't be written
            raise TrainingError(describe_os_error(error, self._path)) from error

    def _append(self, content: bytes) -> None:
        with self._path.open("rb+", buffering=0) as file:
            size = _end_of_whole_lines(file)
            file.seek(size)
            try:
                if file.write(content) < len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import Timeout

        def acquire() -> None:
            try:
                self._lock.acquire(timeout=LOCK_SECONDS)
            except Timeout:
                raise ConnectionError(
                    f"another process has held {self._lock.lock_file} for more than {LOCK_SECONDS:g} seconds; perhaps "
                    "it is suspended: continue it or end it"
                ) from None

        self.patiently(acquire)
        try:
            yield
        finally:
            self._lock.release()

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            log = json.loads(line)
        except (ValueError, RecursionError):
            log = None
        if not isinstance(log, dict) or not isinstance(log.get("op_code"), int):
            raise self.damage(self.lines + 1)
        return log

    def damage(self, line: int) -> TrainingError:
        """Say that it can't be understood from a line on."""
        return TrainingError(
            f"The journal {self._path} is damaged in line {line}, so the tuning can't be read. The runs of its trials "
            "are intact: restore the journal from a copy, or begin a new tuning."
        )

    def _find(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except OSError as error:
            raise TrainingError(describe_os_error(error, self._path)) from error
        return status.st_dev, status.st_ino


class Retrying(BaseHeartbeat):
    """What storages share in which the trials of the dead are found and tried again."""

    def get_heartbeat_interval(self) -> int:
        """Give the seconds between two signs of life."""
        return BEAT_SECONDS

    def get_heartbeat_stale_trial_callback(self) -> Callable[..., None]:
        """Give what follows the death of a worker."""
        return retry


class TrialJournal(JournalStorage, Retrying):
    """Optuna's storage in a journal, in which `optuna.storages.fail_stale_trials` finds the trials of the dead.

    Optuna has that for databases only, by signs of life at intervals. Those who share a journal share its folder, where
    each worker says which process it is: that is exact, needs no waiting, and no clock.

    Parameters
    ----------
    has_died
        Says whether the worker that took a running trial is gone.
    """

    def __init__(self, journal: Journal, has_died: Callable[[FrozenTrial], bool]) -> None:
        self.journal, self.has_died = journal, has_died
        super().__init__(journal)

    def _sync_with_backend(self) -> None:
        try:
            super()._sync_with_backend()
        except OSError as error:
            raise TrainingError(describe_os_error(error, self.journal._path)) from error
        except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:  # valid JSON of another kind
            raise self.journal.damage(self.journal.lines) from error

    def record_heartbeat(self, trial_id: int) -> None:
        """Nothing to record: see above."""

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        running = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))
        return [trial._trial_id for trial in running if self.has_died(trial)]


def _end_of_whole_lines(file: FileIO) -> int:
    """Drop half a line at the end; gives the size of what is left."""
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(end - 1)
        if file.read(1) != b"\n":
            file.seek(0)
            end = file.read().rfind(b"\n") + 1
            file.truncate(end)
    return end
