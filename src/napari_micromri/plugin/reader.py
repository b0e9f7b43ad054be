"""Opens scans in napari (File > Open)."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import ref

from napari_micromri.errors import ReadError
from napari_micromri.io.telling import warnings_of
from napari_micromri.plugin.layers import LayerData, scan_to_layer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from napari_micromri.scan import Scan

    Paths: TypeAlias = str | os.PathLike[str] | list[str]

_SHOWN = 5
_MOST_FOLDERS = 100
NOTHING_YET: list[Any] = [(None,)]
"""How a reader tells napari that it read the path and there is no layer to add."""


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Give the function that opens ``path``, or None when it holds no scan of ours."""
    from napari_micromri.io import can_read

    return read_layers if all(can_read(one) or _holds_scans(one) for one in _listed(path)) else None


def read_layers(path: Paths) -> list[LayerData]:
    """Open scans as layers: one of a folder of several, all of files.

    In napari's window a folder is looked through in the background: the layer of its most telling scan comes when it
    was found, and the dock *Scans* lists the others.
    """
    from napari_micromri.io import open_scan

    viewer = _window()
    paths = _listed(path)
    if len(paths) == 1 and _may_hold_several(Path(paths[0])):
        folder = os.fspath(paths[0])
        if viewer is None:
            return [scan_to_layer(_most_telling(folder))]
        _open_when_loaded(viewer, folder)
        return NOTHING_YET
    if viewer is not None:
        from napari_micromri.plugin.letters import show_letters
        from napari_micromri.widgets.measuring.shift_drag import measure_by_dragging

        show_letters(viewer)
        measure_by_dragging(viewer)
    scans = [scan for one in paths for scan in open_scan(one)]
    show_warnings(scans)
    return [scan_to_layer(scan) for scan in scans]


def show_warnings(scans: list[Scan], *more: str) -> None:
    """Show as one notification what was left out, guessed or repaired; a log alone nobody sees."""
    from napari.utils.notifications import show_warning

    texts = [*warnings_of(scans), *more]
    if texts:
        rest = f"\nAnd {len(texts) - _SHOWN} more; 'micromri info' lists them." if len(texts) > _SHOWN else ""
        show_warning("\n".join(texts[:_SHOWN]) + rest)


def _most_telling(folder: str) -> Scan:
    from napari_micromri.study.choosing import most_anatomical
    from napari_micromri.study.discovery import find_scans

    found, left_out = find_scans([folder])
    best = most_anatomical(found)
    reasons = [entry.reason for entry in left_out]
    if best is None:
        raise ReadError(reasons[0] if reasons else f"{folder} contains no readable scan.")
    show_warnings([best.scan], *reasons)
    return best.scan


def _open_when_loaded(viewer: Any, folder: str) -> None:
    """Import what looks through folders in a thread: it takes longer than the window may be held."""
    from napari_micromri.widgets.shared.looking import Looking

    known = ref(viewer)
    loading = Looking(_load_dock, viewer.window.main_menu)
    loading.seen.connect(lambda opening: opening.open_folder(known(), folder))
    loading.seen.connect(loading.deleteLater)
    loading.look()


def _load_dock() -> ModuleType:
    import_module("napari_micromri.widgets.scans.dock")
    return import_module("napari_micromri.widgets.scans.opening")


def _may_hold_several(path: Path) -> bool:
    """Tell whether a folder may hold several scans that don't belong together; arrays of a Zarr store do."""
    from napari_micromri.io.formats import is_zarr
    from napari_micromri.io.paravision import looks_like_paravision, reconstructions

    if not path.is_dir() or is_zarr(path):
        return False
    return not looks_like_paravision(path) or len(reconstructions(path)) > 1


def _holds_scans(path: str | os.PathLike[str]) -> bool:
    """Tell by names alone, since napari asks for every folder, if ParaVision, Zarr or NIfTI scans lie below one."""
    from napari_micromri.io.formats import STUDY_ENDING

    for number, (current, folders, files) in enumerate(os.walk(path)):
        here = Path(current)
        if any(name.endswith(".zarr") and not name.endswith(STUDY_ENDING) for name in folders):
            return True
        if {"acqp", "method"} <= set(files) or any(name.lower().endswith((".nii", ".nii.gz")) for name in files):
            return True
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".zarr"))
        if number >= _MOST_FOLDERS or len(here.relative_to(path).parts) > 3:
            return False
    return False


def _window() -> Any:
    """Give the viewer in whose window a person opens something; None in a script without one."""
    if "napari.viewer" not in sys.modules:
        return None
    from napari import current_viewer

    return current_viewer()


def _listed(path: Paths) -> list[str | os.PathLike[str]]:
    return list(path) if isinstance(path, list) else [path]
