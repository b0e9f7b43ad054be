"""What can go wrong, in words a person at the scanner understands.

Every exception that the package raises on purpose derives from `MicroMRIError`; its message is one sentence or two
that say what is wrong, where, and what to do about it. Widgets show it as a notification, the command line prints
it as one line and exits with 2.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class MicroMRIError(Exception):
    """Base of every error that the package raises on purpose."""


class ReadError(MicroMRIError):
    """A file or folder can't be read as a scan."""


class WriteError(MicroMRIError):
    """A result can't be written; nothing stands under the final name."""


class OutputExistsError(WriteError):
    """The output already exists and overwriting was not asked for."""

    def __init__(self, path: Path | str, way_out: str = "overwrite it") -> None:
        self.path = path
        super().__init__(f"{path} already exists. Choose another name, or {way_out}.")


class ModelError(MicroMRIError):
    """A model can't be found, read or used."""


class InputError(MicroMRIError):
    """What was asked for doesn't fit the scan: wrong axes, dtype, slice numbers, size."""


class StudyError(MicroMRIError):
    """A study can't be opened, built or changed."""


class JobError(MicroMRIError):
    """A background job can't be started, read or resumed."""


class TrainingError(JobError):
    """A training run can't be started, read or resumed."""


class CancelledError(MicroMRIError):
    """The person stopped the work."""


def describe_os_error(error: OSError, path: Path | str) -> str:
    """Say in one sentence what the operating system refused to do with a path."""
    reasons = {
        errno.ENOSPC: f"The disk that holds {path} is full. Free some space and try again.",
        errno.EDQUOT: f"Your disk quota for {path} is used up. Free some space and try again.",
        errno.EACCES: f"You may not access {path}. Ask for permission or choose another place.",
        errno.EPERM: f"You may not access {path}. Ask for permission or choose another place.",
        errno.EROFS: f"{path} is on a read-only disk. Choose another place.",
        errno.ENOENT: f"{path} does not exist.",
        errno.EISDIR: f"{path} is a folder. Name a file.",
        errno.ENAMETOOLONG: f"The name {path} is too long for this disk. Choose a shorter one.",
    }
    # NumPy has no number for a file that was cut short: "2304 requested and 992 written".
    cut = error.errno is None and " written" in str(error)
    return reasons.get(errno.ENOSPC if cut else error.errno or 0, f"{path} can't be used: {error.strerror or error}.")


def describe_parse_error(error: Exception) -> str:
    """Say why a text can't be understood, without a full stop; where in it, if the parser knows."""
    return "it isn't text" if isinstance(error, UnicodeDecodeError) else str(error).rstrip(".")
