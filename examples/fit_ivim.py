"""Fit IVIM maps with standard deviations, and compare them with the truth of a phantom."""

import numpy as np

from napari_micromri.ivim import PARAMETERS, FitOptions, make_model
from napari_micromri.ivim.simulation import phantoms

# Your own scan instead: series = Series.of(open_scan("dwi.nii.gz")[0]), signals = series.read(slice number)
made = phantoms(2, snr=20, size=32, noise="rician")
model = make_model("spatial", FitOptions(sigma=made.sigma))
fit = model.fit(made.signals, made.b_values)

for name in ("D", "f", "Dp"):
    shown = PARAMETERS[name]
    error = shown.factor * np.sqrt(np.mean((fit.maps[name] - made.truth[name]) ** 2))
    spread = shown.factor * fit.sd[name].mean()
    print(f"{shown.label}: root mean square error {error:.2f}, mean SD {spread:.2f} {shown.unit}")
print(f"signal of one voxel at b = 0, 50, 800: {fit.curve([0, 50, 800], where=(0, 16, 16)).round(2)}")
