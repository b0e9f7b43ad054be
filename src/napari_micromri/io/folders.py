"""Making folders, and exchanging two names in one step."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import WriteError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEDIA = (Path("/media"), Path("/run/media"))
_MOUNTS = (Path("/mnt"), Path("/Volumes"), *_MEDIA)
FSTAB = Path("/etc/fstab")
_HERE = -100  # AT_FDCWD: relative paths are meant from the working folder
_SWAP = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, but none in the place of a disk that isn't connected.

    Raises
    ------
    WriteError
        A file stands in its place, or the disk isn't there.
    OSError
        The system refused.
    """
    if folder.is_dir():
        return
    missing = next(_missing_disks(folder.absolute()), None)
    if missing is not None:
        raise WriteError(f"The disk {missing} isn't connected. Connect it, or choose another place.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise WriteError(f"{folder} can't be created: a file has that name. Choose another folder.") from error


def _missing_disks(folder: Path) -> Iterator[Path]:
    planned = _planned_mounts()
    for place in (folder, *folder.parents):
        above = place.parent
        # /mnt/nas, and /media/anna/usb where /media/anna isn't a disk itself
        of_disks = above in _MOUNTS or (above.parent in _MEDIA and not above.is_mount())
        if (of_disks and above.exists() and not place.exists()) or (place in planned and not place.is_mount()):
            yield place


def _planned_mounts() -> set[Path]:
    """Places where the system is told to connect disks."""
    try:
        lines = FSTAB.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    parts = [line.split() for line in lines if not line.lstrip().startswith("#")]
    return {Path(part[1].replace("\\040", " ")) for part in parts if len(part) > 1 and part[1].startswith("/")}


def exchange_names(one: Path, other: Path) -> bool:
    """Let two files or folders of a disk exchange their names in one step; False where the system can't."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            code = libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _SWAP)
        elif sys.platform == "darwin":
            code = libc.renamex_np(os.fsencode(one), os.fsencode(other), _SWAP)
        else:
            return False
    except (AttributeError, OSError, TypeError):  # a C library without it
        return False
    return bool(code == 0)
