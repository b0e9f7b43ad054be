"""Show a fast scan and its denoised version in napari, one over the other."""

import napari
from napari.layers import Layer

from napari_micromri.inference import DenoiseOptions, denoise
from napari_micromri.plugin.layers import scan_to_layer
from napari_micromri.simulation.samples import digital_mouse

fast, _reference = digital_mouse()
denoised = denoise(fast, "unet-default", DenoiseOptions(select={"z": range(14, 17)}))

viewer = napari.Viewer()
for scan in (denoised, fast):
    viewer.add_layer(Layer.create(*scan_to_layer(scan)))

if __name__ == "__main__":
    napari.run()
