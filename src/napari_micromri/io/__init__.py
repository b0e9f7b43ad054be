"""Open and save scans."""

from __future__ import annotations

from napari_micromri.io.opening import can_read, open_scan
from napari_micromri.io.saving import save_scan
from napari_micromri.io.zarr_writer import create_ome_zarr, slices_per_write

__all__ = ["can_read", "create_ome_zarr", "open_scan", "save_scan", "slices_per_write"]
