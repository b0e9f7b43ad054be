"""Simulate a fast scan of a good one, denoise it, and compare both with the good one."""

import numpy as np

from napari_micromri.inference import DenoiseOptions, denoise
from napari_micromri.measure.image_quality import psnr, ssim
from napari_micromri.simulation.acquisition import simulate_fast_scan
from napari_micromri.simulation.resampling import upsample
from napari_micromri.simulation.samples import digital_mouse

_fast, reference = digital_mouse(seed=3)
fast = simulate_fast_scan(reference, factor=2, snr=10)

z = 15
good = np.asarray(reference.data[z])
interpolated = upsample(np.asarray(fast.data[z]), good.shape, "sinc")
denoised = denoise(fast, "unet-default", DenoiseOptions(select={"z": range(z, z + 1)})).read()[0]

for name, image in (("sinc", interpolated), ("unet-default", denoised)):
    print(f"{name:13} PSNR {psnr(image, good):.2f} dB, SSIM {ssim(image, good):.3f}")
