"""Fit IVIM maps of a series in a file, slice by slice into a folder, and measure them in labelled regions."""

import numpy as np

from napari_micromri.io import open_scan, save_scan
from napari_micromri.ivim import make_model
from napari_micromri.ivim.maps import read_maps
from napari_micromri.ivim.mouse import mouse
from napari_micromri.ivim.regions import label_regions, measure_regions, save_regions
from napari_micromri.ivim.run import fit_to_folder
from napari_micromri.ivim.series import Series
from napari_micromri.scan import Scan, ScanInfo

# A simulated mouse. Your own scan needs no more than its file, and its b-values where the file doesn't know them.
made = mouse(2, snr=30, size=48)
save_scan(
    Scan(1000 * made.signals, ScanInfo(name="dwi", axes="bzyx", voxel_size=(1, 0.4, 0.4))),
    "dwi.nii.gz",
)

series = Series.of(open_scan("dwi.nii.gz")[0], made.b_values)
summary = fit_to_folder(series, make_model("bayes"), "maps")
print(f"{summary.voxels} voxels fitted, noise {summary.sigma:.1f}, flags {summary.flags}")

fit, scan = read_maps("maps")
tumour = np.abs(made.truth["D"] - 0.7e-3) < 0.05e-3  # or a Labels layer, saved from napari
rows = measure_regions({fit.method: fit}, label_regions(tumour.astype(int), scan.shape))
save_regions(rows, "tumour.csv", {"scan": "dwi.nii.gz"})
for row in rows:
    print(f"{row.map:7} mean {row.stats.mean:.3g}, SD over {row.stats.n:.0f} voxels {row.stats.sd:.2g} {row.unit}")
