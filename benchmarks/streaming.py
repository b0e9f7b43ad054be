"""How much memory denoising a 20 GB Zarr straight into another takes.

Memory must not grow with the number of slices, so the peak is measured for a short run and for a longer one on the same
20 GB store, each in a process of its own. ``--slices all`` denoises the whole store (hours, and 160 GB of disk).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from _sparse_store import make_sparse_store

LIMIT_GB = 1.5

MEASURE = """
import json, resource, sys, time
from napari_micromri.inference import DenoiseOptions, denoise_to_file
from napari_micromri.io import open_scan
source, target, slices = sys.argv[1], sys.argv[2], int(sys.argv[3])
[scan] = open_scan(source)
start = time.perf_counter()
denoise_to_file(scan, "unet-default", target, DenoiseOptions(select={"z": range(slices)}, device="cpu"))
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
print(json.dumps({"peak": peak, "seconds": time.perf_counter() - start}))
"""


def main() -> int:
    """Make the store, denoise two parts of it, print a table; 1 when the limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=20.0, help="size of the pixels (default %(default)s)")
    parser.add_argument("--slices", default="240", help="slices of the longer run, or 'all' (default %(default)s)")
    parser.add_argument("--folder", help="where there is room for the store and the result (default: a temporary one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        source = Path(folder) / "large.zarr"
        total = make_sparse_store(source, options.gigabytes)
        longer = total if options.slices == "all" else int(options.slices)
        counts = sorted({max(1, longer // 4), longer})
        print(f"{options.gigabytes:g} GB of pixels in {total} slices of 256 x 256; denoised to 512 x 512, float32")
        print(f"{'slices run':>10} {'seconds':>8} {'peak resident memory (GB)':>26}")
        peaks = [_run(source, Path(folder) / f"{count}.ome.zarr", count) for count in counts]
    print(
        f"peak {max(peaks):.2f} GB, limit {LIMIT_GB} GB; from {counts[0]} to {counts[-1]} slices it "
        f"changed by {peaks[-1] - peaks[0]:+.3f} GB"
    )
    return int(max(peaks) > LIMIT_GB)


def _run(source: Path, target: Path, count: int) -> float:
    command = [sys.executable, "-c", MEASURE, str(source), str(target), str(count)]
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    print(f"{count:10} {result['seconds']:8.1f} {result['peak']:26.2f}", flush=True)
    return float(result["peak"])


if __name__ == "__main__":
    sys.exit(main())
