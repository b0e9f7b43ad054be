"""Opens scans in napari (File > Open)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from napari_micromri.plugin.layers import LayerData, scan_to_layer

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    Paths: TypeAlias = str | os.PathLike[str] | list[str]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Give the function that opens ``path``, or None when it holds no scan of ours."""
    from napari_micromri.io import can_read

    return read_layers if all(can_read(one) for one in _listed(path)) else None


def read_layers(path: Paths) -> list[LayerData]:
    """Open every scan of one path or of several as a layer each."""
    from napari_micromri.io import open_scan

    return [scan_to_layer(scan) for one in _listed(path) for scan in open_scan(one)]


def _listed(path: Paths) -> list[str | os.PathLike[str]]:
    return list(path) if isinstance(path, list) else [path]
