"""What the measuring dock asks in dialogs, and what it saves and loads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QInputDialog, QWidget

from napari_micromri.errors import InputError
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_micromri.measure.comparison import Comparison
    from napari_micromri.measure.roi import Roi
    from napari_micromri.scan import Scan


def ask_table(parent: QWidget) -> Path | None:
    """Ask where to save the table."""
    return _ask_to_save(parent, "Save the table as", "cnr.csv", "Table (*.csv)")


def ask_rois_to_save(parent: QWidget) -> Path | None:
    """Ask where to save the ROIs."""
    return _ask_to_save(parent, "Save the ROIs as", "rois.json", "ROIs in mm (*.json);;ImageJ (*.zip *.roi)")


def ask_rois_to_load(parent: QWidget) -> Path | None:
    """Ask for a file of ROIs."""
    path, _ = QFileDialog.getOpenFileName(parent, "Load ROIs", "", "ROIs (*.json *.roi *.zip)")
    return Path(path) if path else None


def ask_slices(parent: QWidget, count: int) -> list[int] | None:
    """Ask for slices such as ``3-7, 12``; None when the person changed their mind."""
    shown = f"0-{count - 1}"
    while True:
        given, accepted = QInputDialog.getText(
            parent, "Copy to slices", f"Slices, counted from 0, such as 3-7, 12 (there are {shown}):", text=shown
        )
        if not accepted:
            return None
        slices = understand_slices(given, count)
        if slices:
            return slices


def understand_slices(text: str, count: int) -> list[int]:
    """Understand ``3-7, 12``; empty when it isn't that, or outside 0 to ``count`` - 1."""
    found: set[int] = set()
    for part in text.replace(";", ",").split(","):
        first, _, last = part.strip().partition("-")
        if not first.strip().isdecimal() or (last and not last.strip().isdecimal()):
            return []
        low, high = int(first), int(last or first)
        if low > high or high >= count:
            return []
        found.update(range(low, high + 1))
    return sorted(found)


def _ask_to_save(parent: QWidget, title: str, name: str, kinds: str) -> Path | None:
    """Ask for a name; the dialog adds the ending and asks before a file is replaced."""
    dialog = QFileDialog(parent, title, "", kinds)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(Path(name).suffix)
    dialog.selectFile(name)
    return Path(dialog.selectedFiles()[0]) if dialog.exec() else None


def save_figures(found: Comparison | None, path: Path) -> str:
    """Save the table, and say where; the dialog has asked before it replaces a file.

    Raises
    ------
    InputError, WriteError
        There is nothing to save, or it can't be written.
    """
    from napari_micromri.measure.table_file import save_table

    if found is None or not found.rows:
        raise InputError("There are no figures to save yet. Draw a ROI first.")
    table, beside = save_table(found, path, overwrite=path.exists())
    return f"Saved {table.name} and {beside.name} in {table.parent}"


def save_regions(rois: Sequence[Roi], path: Path, scan: Scan | None) -> str:
    """Save regions, and say where.

    Raises
    ------
    InputError, WriteError
        There is nothing to save, or it can't be written.
    """
    from napari_micromri.measure.roi_file import save_rois

    return f"Saved {counted(len(rois), 'ROI')} as {save_rois(rois, path, scan=scan, overwrite=path.exists())}"


def load_regions(path: Path, scan: Scan | None, add: Callable[[Sequence[Roi], Scan], int]) -> str:
    """Load regions for a scan, and say how many, or why they may not fit.

    Raises
    ------
    InputError, ReadError
        The file can't be read, or nothing in it lies on the scan.
    """
    from napari_micromri.measure.roi_file import load_rois

    if scan is None:
        raise InputError("Tick the layer that the ROIs belong to first.")
    loaded = load_rois(path, scan=scan)
    mismatch = loaded.drawn_on.mismatch(scan) if loaded.drawn_on else None
    count = add(loaded.rois, scan)
    if not count:
        raise InputError(f"None of the ROIs of {path.name} is on a slice of '{scan.info.name}'.")
    return mismatch or f"Loaded {counted(count, 'ROI')} from {path.name}"
