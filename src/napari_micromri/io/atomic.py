"""Write to a temporary sibling, sync, then rename: a crash or a full disk leaves nothing under the final name.

Who writes holds a lock on the final name, so that nobody else on this machine does meanwhile, and so that the
temporary files of writers that were killed are told apart from those of running writers: the next writer removes them.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import OutputExistsError, WriteError, describe_os_error
from napari_micromri.io.folders import exchange_names, make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 1.0
"""Seconds to wait for another writer of the same name; a table takes it a few milliseconds, a scan takes it minutes."""

FOREIGN_DAYS = 2.0
"""Leftovers of other machines, whose writers can't be asked, are removed after so many days without a change."""

REMOVAL_SECONDS = 5.0
QUIET_SECONDS = 0.1
NAME_BYTES = 255
SYNCED_AT_ONCE = 8
"""400 slices are on the disk in a tenth of the time that it takes one after the other."""

_OWN = hashlib.sha1(platform.node().encode(), usedforsecurity=False).hexdigest()[:4]
_LEFTOVER = re.compile(r"\.(?P<host>[0-9a-f]{4})[0-9a-f]{4,8}\.(?P<kind>partial|old)-(?P<name>.+)", re.DOTALL)
_at_work: set[Path] = set()
"""Temporary paths of this process, which aren't leftovers."""


@contextmanager
def atomic_output(
    path: Path | str, *, overwrite: bool = False, lock: bool = True, synced: bool = True
) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` when the block ends well, remove it otherwise.

    The block may create a file or a folder there. The temporary name keeps the extension of ``path``: many writers
    choose their format by it.

    Parameters
    ----------
    lock
        Claim the name; not needed where the folder around it is locked already.
    synced
        Wait for the disk; not needed for what is written again every moment.

    Raises
    ------
    OutputExistsError
        ``path`` exists and ``overwrite`` is False; also when it appeared while the block ran.
    WriteError
        The operating system refused; a full disk and a read-only folder are named as such. Or another program is
        writing there, or a file would replace a folder.
    """
    path = Path(path)
    temporary = _sibling(path, "partial")
    _at_work.add(temporary)
    try:
        if _exists(path) and not overwrite:
            raise OutputExistsError(path)
        make_folder(path.parent)
        with claimed(path, clean=True) if lock else nullcontext():
            try:
                yield temporary
                if synced:
                    sync(temporary)
                if _exists(path) and not overwrite:
                    raise OutputExistsError(path)
                if path.is_dir() and not temporary.is_dir():
                    raise WriteError(f"{path} is a folder, which a file doesn't replace. Choose another name.")
                _replace(temporary, path)
                if synced:
                    _sync_one(path.parent)
            except BaseException:
                (_remove_for_good if temporary.is_dir() else _remove)(temporary)
                raise
            _remove(temporary)  # what stood there before, where names were exchanged
    except OSError as error:
        raise WriteError(describe_os_error(error, path)) from error
    finally:
        _at_work.discard(temporary)


@contextmanager
def claimed(path: Path, *, clean: bool = False) -> Iterator[None]:
    """Keep other programs on this machine from writing to ``path`` while the block runs.

    Claims of the same thread may be nested. Where the system has no place for locks nothing is kept from anyone: the
    rename is in one step all the same.

    Parameters
    ----------
    clean
        Remove what killed writers left in the folder of ``path``.

    Raises
    ------
    WriteError
        Another program is writing there.
    """
    from filelock import FileLock, Timeout

    lock = None
    with suppress(OSError, NotImplementedError):
        lock = FileLock(_lock_file(path.parent, _fitting(path.name)), is_singleton=True)
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout as error:
            raise WriteError(
                f"Another program is writing {path}. Wait until it is done, or choose another name."
            ) from error
    try:
        if clean and lock is not None:
            _clean(path.parent)
        yield
    finally:
        if lock is not None:
            lock.release()


def sync(path: Path) -> None:
    """Wait until a file, or all that a folder holds, is on the disk and not only on its way there.

    Raises
    ------
    OSError
        The disk refused.
    """
    if not path.is_dir() or path.is_symlink():
        _sync_one(path)
        return
    waiting = (Path(folder, name) for folder, _, names in os.walk(path) for name in (".", *names))
    taking = threading.Lock()

    def work() -> None:
        while True:
            with taking:
                if (one := next(waiting, None)) is None:
                    return
            _sync_one(one)

    with ThreadPoolExecutor(SYNCED_AT_ONCE) as pool:
        for worker in [pool.submit(work) for _ in range(SYNCED_AT_ONCE)]:
            worker.result()


def _sync_one(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # where a folder can't be opened
    number = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if not path.is_dir():  # some network disks sync no folders
            raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(number)


def _sibling(path: Path, kind: str) -> Path:
    return path.with_name(f".{_OWN}{uuid.uuid4().hex[:8]}.{kind}-{_fitting(path.name)}")


def _fitting(name: str) -> str:
    """Cut the beginning of a name that would be too long behind what `_sibling` puts before it."""
    room = NAME_BYTES - len(f".{_OWN}01234567.partial-")
    return name if len(os.fsencode(name)) <= room else os.fsencode(name)[-room:].decode("utf-8", "ignore")


def _lock_file(folder: Path, name: str) -> Path:
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    locks = Path(tempfile.gettempdir(), f"micromri-{user}")
    locks.mkdir(mode=0o700, exist_ok=True)
    place = os.fsencode(folder.resolve() / name)
    return locks / f"{hashlib.sha1(place, usedforsecurity=False).hexdigest()}.lock"


def _clean(folder: Path) -> None:
    """Remove what writers left in a folder that are no longer there, and bring back what they had put aside."""
    with suppress(OSError):
        for match, leftover in _leftovers(folder):
            own = match["host"] == _OWN
            if own or time.time() - _newest(leftover) > FOREIGN_DAYS * 86_400:
                _settle(leftover, folder / match["name"], match["kind"], own=own)


def _leftovers(folder: Path) -> list[tuple[re.Match[str], Path]]:
    with os.scandir(folder) as entries:
        return [(match, Path(entry.path)) for entry in entries if (match := _LEFTOVER.fullmatch(entry.name))]


def _settle(leftover: Path, final: Path, kind: str, *, own: bool) -> None:
    from filelock import FileLock, Timeout

    if leftover in _at_work:
        return
    lock = FileLock(_lock_file(final.parent, final.name), is_singleton=True)  # may be held by this very writer
    with suppress(OSError, Timeout), lock.acquire(timeout=0):
        if kind == "old" and own and not _exists(final):
            leftover.rename(final)
        else:
            _remove(leftover)


def recover(path: Path) -> None:
    """Bring back what a writer had put aside that was killed before it had put the new in its place."""
    if path.exists():
        return
    with suppress(OSError):
        for match, leftover in _leftovers(path.parent):
            if (match["host"], match["kind"], match["name"]) == (_OWN, "old", _fitting(path.name)):
                _settle(leftover, path, "old", own=True)


def _newest(path: Path) -> float:
    newest = path.lstat().st_mtime
    for folder, _, names in os.walk(path):
        newest = max(newest, *(Path(folder, name).lstat().st_mtime for name in (".", *names)))
    return newest


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _replace(temporary: Path, path: Path) -> None:
    if not (temporary.is_dir() or path.is_dir()):
        temporary.replace(path)
    elif not _exists(path):
        temporary.rename(path)
    elif not exchange_names(temporary, path):
        # A folder can't be renamed onto another one: move the old one aside first, and bring it back on failure.
        aside = _sibling(path, "old")
        path.rename(aside)
        try:
            temporary.rename(path)
        except OSError:
            aside.rename(path)
            raise
        _remove(aside)


def _remove(path: Path) -> None:
    """Remove a file or folder; never raises, since another error may be on its way, which must not be hidden."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _remove_for_good(path: Path) -> None:
    """Remove a folder that threads may still be writing into: they make it again, until they have heard of the end."""
    _remove(path)
    until = time.monotonic() + REMOVAL_SECONDS
    quiet = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < min(quiet, until):
        if _exists(path):
            _remove(path)
            quiet = time.monotonic() + QUIET_SECONDS
        time.sleep(0.01)
