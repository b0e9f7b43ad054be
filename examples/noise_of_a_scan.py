"""Estimate the noise of a magnitude scan, and see what averaging would bring."""

from napari_micromri.measure.noise import estimate_noise
from napari_micromri.simulation.acquisition import simulate_fast_scan
from napari_micromri.simulation.samples import digital_mouse

_fast, reference = digital_mouse()

for averages in (1, 4, 16):
    scan = simulate_fast_scan(reference, factor=2, snr=10, averages=averages)
    noise = estimate_noise(scan.data[12:18].compute())
    print(f"{averages:2} averages: sigma {noise.sigma:.1f}, SNR {noise.snr:.1f} (from the {noise.method})")
