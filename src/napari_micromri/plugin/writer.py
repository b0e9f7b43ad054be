"""Saves layers as scans (File > Save Selected Layers), as OME-Zarr or NIfTI by the ending of the name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import InputError, OutputExistsError
from napari_micromri.plugin.layers import LayerData, attributes_to_scan

if TYPE_CHECKING:
    from collections.abc import Mapping


def write_image(path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Save one image layer; the ending of ``path`` says the format."""
    from napari_micromri.io import save_scan

    return [str(save_scan(attributes_to_scan(data, attributes), path))]


def write_folder(path: str, layers: list[LayerData]) -> list[str]:
    """Save several image layers into a folder, each as OME-Zarr under its own name."""
    from napari_micromri.io import save_scan

    scans = [attributes_to_scan(data, attributes) for data, attributes, _ in layers]
    targets = [Path(path) / f"{_file_name(scan.info.name)}.ome.zarr" for scan in scans]
    if len({str(target).lower() for target in targets}) < len(targets):
        raise InputError("Two of these layers would be saved under the same name. Rename one of them first.")
    for target in targets:  # all of them before the first is written
        if target.exists():
            raise OutputExistsError(target)
    return [str(save_scan(scan, target)) for scan, target in zip(scans, targets, strict=True)]


def _file_name(name: str) -> str:
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]+', "_", name).strip(" .") or "layer"
