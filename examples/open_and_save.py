"""Write a scan as OME-Zarr and NIfTI, and open both again."""

from napari_micromri.io import open_scan, save_scan
from napari_micromri.simulation.samples import digital_mouse

scan, _reference = digital_mouse()

for name in ("mouse.ome.zarr", "mouse.nii.gz"):
    path = save_scan(scan, name, overwrite=True)
    again = open_scan(path)[0]
    print(f"{name}: axes {again.info.axes}, shape {again.shape}, voxel {again.info.voxel_size} mm")
