"""Files whose content lies elsewhere: pointers of Git LFS, links of git-annex to what was not fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LFS = b"version https://git-lfs.github.com/spec/"
_ANNEX = b"/annex/objects/"
_LONGEST = 1024


def is_elsewhere(path: Path) -> bool:
    """Tell whether a file only says where its content is, or links to nothing."""
    if path.is_symlink() and not path.exists():
        return True
    if not path.is_file() or path.stat().st_size > _LONGEST:
        return False
    with path.open("rb") as stream:
        beginning = stream.read(_LONGEST)
    return beginning.startswith((_LFS, _ANNEX))


def elsewhere(path: Path) -> str:
    """Say in a sentence that the content was not downloaded, and how it is."""
    if path.is_symlink():
        return f"{path} is a link to a file that is not here. Download it, for example with 'git annex get'."
    return f"{path} was not downloaded: it only says where its content is. Download it with 'git lfs pull'."
