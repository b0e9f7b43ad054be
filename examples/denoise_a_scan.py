"""Denoise a scan and save the result with its geometry and history."""

from napari_micromri.inference import DenoiseOptions, denoise
from napari_micromri.io import save_scan
from napari_micromri.simulation.samples import digital_mouse

# Your own scan instead: fast = napari_micromri.io.open_scan("fast.nii.gz")[0]
fast, _reference = digital_mouse()

# Three slices, to be quick; without options all slices are denoised.
options = DenoiseOptions(select={"z": range(14, 17)})
denoised = denoise(fast, "unet-default", options)

path = save_scan(denoised, "denoised.ome.zarr", overwrite=True)
print(f"{fast.shape} at {fast.info.voxel_size} mm -> {denoised.shape} at {denoised.info.voxel_size} mm: {path}")
