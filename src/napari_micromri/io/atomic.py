"""Write to a temporary sibling, then rename: a crash or a full disk leaves nothing under the final name."""

from __future__ import annotations

import shutil
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import OutputExistsError, WriteError, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def atomic_output(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` when the block ends well, remove it otherwise.

    The block may create a file or a folder there. The temporary name keeps the ending of ``path``, since many writers
    choose their format by it.

    Raises
    ------
    OutputExistsError
        ``path`` exists and ``overwrite`` is False; also when it appeared while the block ran.
    WriteError
        The operating system refused; a full disk and a read-only folder are named as such.
    """
    path = Path(path)
    if _exists(path) and not overwrite:
        raise OutputExistsError(path)
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}.partial-{path.name}")
    try:
        _make_folder(path.parent)
        yield temporary
        if _exists(path) and not overwrite:
            raise OutputExistsError(path)
        _replace(temporary, path)
    except OSError as error:
        raise WriteError(describe_os_error(error, path)) from error
    finally:
        _remove(temporary)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise WriteError(f"{folder} can't be made, since a file stands in its place. Choose another folder.") from error


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _replace(temporary: Path, path: Path) -> None:
    if temporary.is_dir() or path.is_dir():
        # A folder can't be renamed onto another one: move the old one aside first, and bring it back on failure.
        aside = path.with_name(f".{uuid.uuid4().hex[:8]}.old-{path.name}")
        had_old = _exists(path)
        if had_old:
            path.rename(aside)
        try:
            temporary.rename(path)
        except OSError:
            if had_old:
                aside.rename(path)
            raise
        _remove(aside)
    else:
        temporary.replace(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        # It is called while another error may be on its way, which must not be hidden.
        with suppress(OSError):
            path.unlink(missing_ok=True)
