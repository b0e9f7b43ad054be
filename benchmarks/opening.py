"""How long a 20 GB Zarr takes to open and to give its first slice.

Opening is measured in a process of its own, with the imports that it needs and without.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from _sparse_store import make_sparse_store

MEASURE = """
import json, sys, time
start = time.perf_counter()
from napari_micromri.io import open_scan
open_scan(sys.argv[2])
imported = time.perf_counter()
[scan] = open_scan(sys.argv[1])
opened = time.perf_counter()
first = scan.data[0].compute()
read = time.perf_counter()
print(json.dumps({"imports": imported - start, "open": opened - imported, "slice": read - opened,
                  "mean": float(first.mean())}))
"""


def main() -> None:
    """Make the store, open it, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=20.0, help="size of the pixels (default %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large.zarr", Path(folder) / "small.zarr"
        slices = make_sparse_store(large, options.gigabytes)
        make_sparse_store(small, 0.01)
        result = subprocess.run(
            [sys.executable, "-c", MEASURE, large, small], check=True, stdout=subprocess.PIPE, text=True
        )
    seconds = json.loads(result.stdout)
    assert seconds.pop("mean") > 0
    print(f"{options.gigabytes:g} GB of pixels, {slices} slices")
    print("first opening of anything, with all imports", f"{seconds['imports']:.2f} s")
    print("opening the large Zarr                     ", f"{seconds['open']:.3f} s")
    print("reading its first slice                    ", f"{seconds['slice']:.3f} s")
    print("all of it, from a cold start               ", f"{sum(seconds.values()):.2f} s")


if __name__ == "__main__":
    main()
