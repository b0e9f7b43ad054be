"""Follow an Optuna journal that others write, without ever touching it.

Optuna's own file backend creates the file when it is missing and can write; this one only reads, waits for the end of a
line that is half written, and says in which line a journal is damaged.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from optuna.storages.journal import BaseJournalBackend

from napari_micromri.errors import TrainingError, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class JournalTail(BaseJournalBackend):
    """Reads the lines that were added since; made for one reader, which asks for each line once.

    Raises
    ------
    TrainingError
        From reading: the file is gone, can't be read, or a line of it makes no sense.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.offset = 0
        """Bytes of whole lines that were read."""
        self.lines = 0
        """How many lines were given."""

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Give what was added; a last line that is half written waits for the next time."""
        if log_number_from != self.lines:
            raise TrainingError(f"{self._path} was changed while it was read. Open the tuning again.")
        for line in self._whole_lines():
            log = self._parse(line)
            self.offset += len(line)
            self.lines += 1
            yield log

    def append_logs(self, logs: list[dict[str, Any]]) -> NoReturn:
        """Refuse: whoever looks on changes nothing."""
        raise TrainingError(f"{self._path} is open for reading only.")

    def _whole_lines(self) -> list[bytes]:
        try:
            with self._path.open("rb") as file:
                file.seek(self.offset)
                content = file.read()
        except OSError as error:
            raise TrainingError(describe_os_error(error, self._path)) from error
        return content[: content.rfind(b"\n") + 1].splitlines(keepends=True)

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            log = json.loads(line)
        except ValueError:
            log = None
        if not isinstance(log, dict) or not isinstance(log.get("op_code"), int):
            raise TrainingError(damaged(self._path, self.lines + 1))
        return log


def damaged(path: Path, line: int) -> str:
    """Say that a journal can't be understood from a line on."""
    return (
        f"The journal {path} is damaged in line {line}, so the tuning can't be read. The runs of its trials are whole; "
        "restore the journal from a copy, or begin a new tuning."
    )
