"""Measure how fast the shipped model denoises on a graphics processor, and whether it gives what the CPU gives.

Slices per second of the model alone, from slices in the device's memory to results there, for each precision and batch;
and the part that this is of the *conv ceiling*: the rate of floating point operations that one wide 3 x 3 convolution
of the network reaches on the same device, precision and batch.

    python benchmarks/gpu.py                                             # on CUDA
    python benchmarks/gpu.py --device cpu --size 32 --batches 1 2        # to try the script itself
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_micromri.inference import DenoiseOptions, denoise
from napari_micromri.nn.registry import load_model
from napari_micromri.nn.restorer import Noise
from napari_micromri.simulation.samples import digital_mouse

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERANCE = {"float32": 1e-3, "bfloat16": 0.02, "float16": 5e-3}
"""Largest RMS difference to the CPU's float32, relative to the result's standard deviation."""


def main() -> int:
    """Measure and print; 1 when results differ by more than the tolerance."""
    options = parse()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("There is no CUDA device here, so nothing is measured.")
        return 0
    print("| precision | batch | slices/s | TFLOP/s | of the conv ceiling |\n| --- | ---: | ---: | ---: | ---: |")
    for precision in options.precisions:
        for batch in options.batches:
            print(measure(options.model, options.device, precision, batch, options.size), flush=True)
    return max(differs(options.model, options.device, precision) for precision in options.precisions)


def measure(name: str, device: str, precision: str, batch: int, size: int) -> str:
    """Time the model on slices of size x size; a row of the table."""
    model: Any = load_model(name)
    model.prepare(torch.device(device), getattr(torch, precision))
    slices = torch.rand(batch, 1, size, size, device=device)
    told = Noise(0.05)  # measured on the CPU otherwise
    with FlopCounterMode(display=False) as counter:
        model.restore(slices, noise=told)
    each = seconds(lambda: model.restore(slices, noise=told), device)
    rate = counter.get_total_flops() / each
    width = model.network.config.features_main[0]
    ceiling = conv_rate(device, getattr(torch, precision), batch, width, size)
    return f"| {precision} | {batch} | {batch / each:.1f} | {rate / 1e12:.3f} | {rate / ceiling:.0%} |"


def conv_rate(device: str, dtype: torch.dtype, batch: int, width: int, side: int) -> float:
    """Operations per second of one 3 x 3 convolution of the network's width, on its grid of (side, side)."""
    layer: Any = torch.nn.Conv2d(width, width, 3, padding=1, device=device, dtype=dtype)
    layer.to(memory_format=torch.channels_last)
    images = torch.rand(batch, width, side, side, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        return 2 * 9 * width**2 * batch * side**2 / seconds(lambda: layer(images), device)


def seconds(work: Callable[[], Any], device: str, rounds: int = 10) -> float:
    """Time a call: the median after warming up, each waited for."""
    found = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
    return float(np.median(found[2:]))


def differs(name: str, device: str, precision: Any) -> int:
    """Compare three slices of a digital mouse with the CPU's float32; 1 when they differ too much."""
    scan, some = digital_mouse()[0], {"z": range(14, 17)}
    exact = denoise(scan, name, DenoiseOptions(select=some, device="cpu", precision="float32")).read()
    found = denoise(scan, name, DenoiseOptions(select=some, device=device, precision=precision)).read()
    error = float(np.sqrt(np.mean((found - exact) ** 2)) / exact.std())
    print(f"{device} in {precision} differs from the CPU in float32 by {error:.2g} (at most {TOLERANCE[precision]:g})")
    return int(error > TOLERANCE[precision])


def parse() -> argparse.Namespace:
    """Describe the knobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="unet-default", help="name or file (default %(default)s)")
    parser.add_argument("--device", default="cuda", help="default %(default)s")
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"], choices=TOLERANCE)
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 16, 64])
    parser.add_argument("--size", type=int, default=128, help="coarse pixels of a side (default %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
