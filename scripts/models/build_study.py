"""Put the good slices of all sources, but for those left out, into a study that ``micromri train`` learns from.

Usage: ``python scripts/models/build_study.py STUDY.mri.zarr [--without SOURCE ...]``.

Each source is a subject of the study, so that training draws all of them equally often. Slices of one size stand
together. Epochs are judged by two slices of each volume, which are subjects of their own, ``judge_SOURCE``, and by
two sources of the package's own making with other seeds: clean phantoms alone would favour models that take the noise
of a real good scan for structure.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sources import SOURCES, VOLUMES, load_source

from napari_micromri.io import save_scan
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.study import Study
from napari_micromri.study.build import build
from napari_micromri.study.model import Assign
from napari_micromri.study.plan import Plan, PlannedPair, Simulation, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

MADE_JUDGES = ("digital_mouse", "random_phantoms")
MADE_SLICES = 4


def main() -> None:
    """Build the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--without", nargs="*", default=[], choices=SOURCES)
    options = parser.parse_args()
    names = [name for name in SOURCES if name not in options.without]
    subjects = {name: load_source(name) for name in names}
    judges = {f"judge_{name}": load_source(name, MADE_SLICES, seed=1000) for name in MADE_JUDGES}
    judges |= {f"judge_{name}": _take_two(subjects[name]) for name in VOLUMES if name in subjects}
    with tempfile.TemporaryDirectory() as folder:
        pairs = [pair for name, slices in (subjects | judges).items() for pair in stored(name, slices, folder)]
        result = build(Plan(tuple(pairs)), options.study)
    if result.failed:
        raise SystemExit("\n".join(f"{failure.pair}: {failure.reason}" for failure in result.failed))
    study = Study.open(options.study)
    study.apply([Assign(judge, "validation") for judge in judges])
    print(f"{len(result.added)} pairs; {len(study.slices('train'))} slices to learn from")


def _take_two(slices: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Take the slices at a third and at two thirds out of a source."""
    second, first = (slices.pop(len(slices) * part // 3) for part in (2, 1))
    return [first, second]


def stored(subject: str, slices: Sequence[NDArray[np.float32]], folder: str) -> Iterator[PlannedPair]:
    """Write the slices of a source as scans, one for each size."""
    by_size = defaultdict(list)
    for image in slices:
        rows, columns = (count // 2 * 2 for count in image.shape)
        by_size[rows, columns].append(image[:rows, :columns])
    for (rows, columns), stack in by_size.items():
        region = f"{rows}x{columns}"
        info = ScanInfo(name=subject, axes="zyx", voxel_size=(1.0, 0.1, 0.1), subject=subject, region=region)
        path = save_scan(Scan(np.stack(stack), info), Path(folder) / f"{subject}-{region}.ome.zarr")
        yield PlannedPair(subject=subject, region=region, plane="any", lr=Simulation(), hr=Source(str(path)))


if __name__ == "__main__":
    main()
