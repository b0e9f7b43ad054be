"""Studies and folders that were open last, remembered between sessions."""

from __future__ import annotations

from pathlib import Path

from napari_micromri.widgets.shared.stored import stored

STUDY, FOLDERS = "study/recent", "scans/recent"
MOST_FOLDERS = 10


def remember(path: Path) -> None:
    """Note the study that was opened."""
    stored().setValue(STUDY, str(path))


def recent() -> Path | None:
    """Give the study that was open last, if it is still there."""
    return next((path for path in _kept(STUDY) if path.is_dir()), None)


def remember_folder(path: Path) -> None:
    """Note a folder whose scans were listed."""
    kept = [path, *(other for other in _kept(FOLDERS) if other != path)]
    stored().setValue(FOLDERS, [str(one) for one in kept[:MOST_FOLDERS]])


def recent_folders() -> list[Path]:
    """Give the folders whose scans were listed, the latest first; no disk is asked whether they are still there."""
    return _kept(FOLDERS)


def _kept(key: str) -> list[Path]:
    value = stored().value(key)  # a list of one comes back as a text
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return [Path(text) for text in texts if isinstance(text, str) and text]
