"""Opens scans in napari (File > Open)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from napari_micromri.io.telling import warnings_of
from napari_micromri.plugin.layers import LayerData, scan_to_layer

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from napari_micromri.scan import Scan

    Paths: TypeAlias = str | os.PathLike[str] | list[str]

_SHOWN = 5


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Give the function that opens ``path``, or None when it holds no scan of ours."""
    from napari_micromri.io import can_read

    return read_layers if all(can_read(one) for one in _listed(path)) else None


def read_layers(path: Paths) -> list[LayerData]:
    """Open every scan of one path or of several as a layer each."""
    from napari_micromri.io import open_scan

    scans = [scan for one in _listed(path) for scan in open_scan(one)]
    show_warnings(scans)
    return [scan_to_layer(scan) for scan in scans]


def show_warnings(scans: list[Scan]) -> None:
    """Show as one notification what was left out, guessed or repaired; a log alone nobody sees."""
    from napari.utils.notifications import show_warning

    texts = warnings_of(scans)
    if texts:
        more = f"\nAnd {len(texts) - _SHOWN} more; 'micromri info' lists them." if len(texts) > _SHOWN else ""
        show_warning("\n".join(texts[:_SHOWN]) + more)


def _listed(path: Paths) -> list[str | os.PathLike[str]]:
    return list(path) if isinstance(path, list) else [path]
