"""The URL of a storage, and its password, which is kept in memory only.

`hide_password` gives what may be shown and stored; what is left out comes back from the environment variable
``MICROMRI_STORAGE``, or the database's client finds it itself (``~/.pgpass``, ``PGPASSFILE``).
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from napari_micromri.tuning.folder import TuneFolder

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "MICROMRI_STORAGE"

_remembered: dict[str, str] = {}


def hide_password(url: str) -> str:
    """Leave the password out of a URL."""
    # As SQLAlchemy divides a URL; of a password with signs that should have been encoded rather too much is left out.
    shown = re.sub(r"://([^:/@]*):.*@", r"://\1@", url)
    return re.sub(r"([?&])[^=&]*pass[^=&]*=[^&]*&?", r"\1", shown, flags=re.IGNORECASE).rstrip("?&")


def is_url(where: Path | str) -> bool:
    """Tell a storage's URL from a path."""
    return "://" in str(where)


def remember(url: str) -> str:
    """Keep a URL with its password in memory, for as long as this process lives; gives it without."""
    shown = hide_password(url)
    if url != shown:
        _remembered[shown] = url
    return shown


def full_url(url: str) -> str:
    """Bring a password back: what `remember` was given, or what the variable ``MICROMRI_STORAGE`` says."""
    if url != (shown := hide_password(url)):
        return url
    given = os.environ.get(VARIABLE, "")
    return _remembered.get(shown) or (given if given and hide_password(given) == shown else url)


def label(where: TuneFolder | Path | str) -> str:
    """Name a storage without its password."""
    if isinstance(where, TuneFolder):
        return str(where.path)
    return hide_password(where) if isinstance(where, str) and is_url(where) else str(where)
