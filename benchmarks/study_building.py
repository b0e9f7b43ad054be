"""Time and peak memory of building a study.

The study is as large as that of the report: 144 pairs of 30 slices, 150 × 150 and 300 × 300 pixels. All pairs come from
one digital mouse, written as NIfTI; each is read, compared, measured and written by itself. Run it with

    python benchmarks/study_building.py [--pairs 144]
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.io import save_scan
from napari_micromri.scan import Scan
from napari_micromri.simulation.samples import digital_mouse
from napari_micromri.study.build import build
from napari_micromri.study.check import check
from napari_micromri.study.plan import Plan, PlannedPair, Source
from napari_micromri.study.store import Study

if TYPE_CHECKING:
    from collections.abc import Callable

REGIONS = ("head-thorax", "thorax-abdomen")
PLANES = ("coronal", "sagittal", "transaxial")


def main() -> None:
    """Build in a temporary folder and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=144)
    count = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        plan = _plan(Path(folder), count)
        path = Path(folder, "mice.mri.zarr")
        before = _peak_megabytes()
        building = _seconds(lambda: build(plan, path))
        again = _seconds(lambda: build(plan, path))
        figures = {
            "pairs": count,
            "seconds_per_pair": round(building / count, 2),
            "seconds_to_build_again": round(again, 2),
            "seconds_to_check": round(_seconds(lambda: check(Study.open(path))), 2),
            "seconds_to_check_pixels": round(_seconds(lambda: check(Study.open(path), pixels=True)), 2),
            "peak_memory_mb_before": round(before),
            "peak_memory_mb": round(_peak_megabytes()),
        }
    print(json.dumps(figures, indent=2))


def _plan(folder: Path, count: int) -> Plan:
    lr, hr = (_as_integers(scan) for scan in digital_mouse(0))
    sources = [Source(str(save_scan(scan, folder / name))) for scan, name in ((lr, "lr.nii"), (hr, "hr.nii"))]
    names = itertools.islice(itertools.product(range(1, count + 1), REGIONS, PLANES), count)
    return Plan(
        tuple(
            PlannedPair(subject=f"mouse {n:02}", region=r, plane=p, lr=sources[0], hr=sources[1], slice_count=30)
            for n, r, p in names
        )
    )


def _as_integers(scan: Scan) -> Scan:
    """Store the scan as a scanner does, in 16 bits."""
    data = np.asarray(scan.data)
    return Scan((data * (30000 / data.max())).astype(np.int16), scan.info)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
