"""Which study was open last, remembered between sessions."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSettings

KEY = "study/recent"


def remember(path: Path) -> None:
    """Note the study that was opened."""
    QSettings("napari-micromri", "napari-micromri").setValue(KEY, str(path))


def recent() -> Path | None:
    """Give the study that was open last, if it is still there."""
    value = QSettings("napari-micromri", "napari-micromri").value(KEY)
    path = Path(value) if isinstance(value, str) and value else None
    return path if path is not None and path.is_dir() else None
