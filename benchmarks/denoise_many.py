"""How much faster two workers denoise many scans than one, start-up left out, on the CPU.

One worker computes on all cores, two on half of them each, so on two cores the gain is what one scan leaves unused:
reading, writing, and the parts of a network that don't divide. The runs take turns, and the fastest of each counts.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from napari_micromri.inference.many.job import prepare_many, run_many
from napari_micromri.inference.many.request import ManyRequest
from napari_micromri.io import save_scan
from napari_micromri.nn.registry import load_model
from napari_micromri.progress import never
from napari_micromri.runs.events import Done
from napari_micromri.simulation.samples import digital_mouse

WISHED = 1.7


def main() -> int:
    """Measure and print; 1 when the gain is smaller than wished for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=int, default=6, help="default %(default)s")
    parser.add_argument("--rounds", type=int, default=2, help="default %(default)s")
    options = parser.parse_args()
    load_model("unet-default")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.scans):
            save_scan(digital_mouse(seed=number)[0], Path(folder) / "scans" / f"mouse {number}.nii.gz")
        best = {1: float("inf"), 2: float("inf")}
        for turn in range(options.rounds):
            for workers in best:
                best[workers] = min(best[workers], seconds(Path(folder), workers, f"{turn}-{workers}"))
    ratio = best[1] / best[2]
    print(f"{options.scans} scans of 30 slices of 150 x 150, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"one worker   {best[1]:7.1f} s")
    print(f"two workers  {best[2]:7.1f} s: {ratio:.2f} times faster (wished for: {WISHED})")
    return int(ratio < WISHED)


def seconds(folder: Path, workers: int, name: str) -> float:
    """Denoise all scans into a folder of their own."""
    request = ManyRequest(
        inputs=(str(folder / "scans"),), model="unet-default", workers=workers, options={"device": "cpu"}
    )
    job = prepare_many(request, folder / name)
    began = time.perf_counter()
    *_, end = run_many(job, never)
    if not isinstance(end, Done):
        raise RuntimeError(f"The run did not end well: {end}")
    return time.perf_counter() - began


if __name__ == "__main__":
    raise SystemExit(main())
