"""How much faster the shipped model is than BM3D with sinc interpolation, on 30 slices of 150 x 150, on the CPU.

Both run in this process, in turn, after a warm-up; the ratio of the medians counts, since machines differ and drift.
The model's time holds everything from array to array, but loading the model, which is given apart.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.inference import DenoiseOptions, denoise
from napari_micromri.measure.noise import estimate_noise
from napari_micromri.nn.registry import load_model
from napari_micromri.simulation.resampling import upsample
from napari_micromri.simulation.samples import digital_mouse

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST_RATIO = 20


def main() -> int:
    """Measure and print; 1 when the ratio is too small or a preview takes more than a second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    options = parser.parse_args()
    fast = digital_mouse()[0]
    sigma = estimate_noise(fast.read()).sigma
    load_seconds = seconds(lambda: load_model("unet-default"))
    model = load_model("unet-default")
    whole, one = DenoiseOptions(device="cpu"), DenoiseOptions(device="cpu", select={"z": range(15, 16)})
    denoise(fast, model, one)
    times: dict[str, list[float]] = {"unet": [], "preview": [], "bm3d": []}
    for _ in range(options.rounds):
        times["unet"].append(seconds(lambda: denoise(fast, model, whole)))
        times["preview"].append(seconds(lambda: denoise(fast, "unet-default", one)))
        times["bm3d"].append(seconds(lambda: bm3d_and_sinc(fast.read(), sigma)))
    median = {name: statistics.median(values) for name, values in times.items()}
    ratio = median["bm3d"] / median["unet"]
    print(f"loading the model (with its first imports)   {load_seconds:7.2f} s")
    print(f"one slice, as in a preview                   {median['preview']:7.2f} s")
    print(f"30 slices with unet-default                  {median['unet']:7.2f} s")
    print(f"30 slices with BM3D + sinc                   {median['bm3d']:7.2f} s")
    print(f"BM3D + sinc takes {ratio:.1f} times as long (at least {LEAST_RATIO} wanted)")
    return int(ratio < LEAST_RATIO or median["preview"] > 1)


def bm3d_and_sinc(volume: np.ndarray[tuple[int, ...], np.dtype[np.float32]], sigma: float) -> None:
    """Filter each slice and bring it to the fine grid."""
    from bm3d import bm3d

    for image in volume.astype(np.float64):
        top = image.max()
        upsample(bm3d(image / top, sigma / top), (2 * image.shape[0], 2 * image.shape[1]), "sinc")


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
