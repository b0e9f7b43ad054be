"""The shipped network on scans with little noise, where there is only detail to lose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_micromri.inference import DenoiseOptions
from napari_micromri.inference.slices import SliceDenoiser
from napari_micromri.measure.metrics import assess
from napari_micromri.nn.registry import load_model
from napari_micromri.simulation.acquisition import foreground_mean, truncate_k_space
from napari_micromri.simulation.digital_mouse import digital_mouse_slice
from napari_micromri.simulation.random_phantoms import random_phantom
from napari_micromri.simulation.resampling import upsample

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@pytest.mark.parametrize("snr", [100, 300, np.inf])
@pytest.mark.parametrize("make", [lambda rng: digital_mouse_slice(rng, 192), random_phantom], ids=["mouse", "phantom"])
def test_it_is_never_worse_than_interpolation(
    make: Callable[[np.random.Generator], NDArray[np.float32]], snr: float
) -> None:
    rng = np.random.default_rng(2024)
    with SliceDenoiser(load_model("unet-default"), DenoiseOptions(device="cpu")) as denoiser:
        for number in range(2):
            good = make(rng)
            half = good.shape[0] // 2, good.shape[1] // 2
            real, imaginary = rng.standard_normal((2, *half)) * foreground_mean(good) / snr
            fast = np.abs(truncate_k_space(good, half) + real + 1j * imaginary).astype(np.float32)
            denoised, plain = denoiser.one(fast, number), upsample(fast, good.shape, "sinc")
            assert assess(denoised, good).psnr > assess(plain, good).psnr + 0.2
            assert assess(denoised, good).ssim > assess(plain, good).ssim
