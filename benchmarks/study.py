"""How long a study of 144 pairs takes to open, to give any slice, to keep a mark, and to see that nothing changed.

Slices are timed twice: with the system's cache of files as it is, and after asking the system to forget the file.
Writing a mark ends when the disk has it, so that time is the disk's more than the program's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from _large_study import make_large_study

from napari_micromri.study.model import Exclude
from napari_micromri.study.quality import rank
from napari_micromri.study.reading import forget_open_images
from napari_micromri.study.store import Study

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_micromri.study.model import Pair

LIMITS = {"open_ms": 100.0, "random_slice_ms": 10.0, "toggle_ms": 50.0}
"""On a desktop's local disk; medians."""

OPEN = """
import sys, time
start = time.perf_counter()
from napari_micromri.study.store import Study
imported = time.perf_counter()
study = Study.open(sys.argv[1])
print(imported - start, time.perf_counter() - imported)
"""


def main() -> int:
    """Make the study, measure, print and write; 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=24, help="six pairs each (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=50, help="default %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = make_large_study(Path(folder) / "large.mri.zarr", subjects=options.subjects)
        figures = measure(study, options.rounds)
        slices = sum(pair.slice_count for pair in study.pairs())
    print(f"{len(study.pairs())} pairs, {slices} slices; medians of {options.rounds}")
    for name, value in figures.items():
        limit = f"   (at most {LIMITS[name]:g})" if name in LIMITS else ""
        print(f"{name.replace('_', ' '):<34} {value:8.2f}{limit}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return int(any(figures[name] > limit for name, limit in LIMITS.items()))


def measure(study: Study, rounds: int) -> dict[str, float]:
    """Time everything, in ms."""
    rng = random.Random(0)  # noqa: S311 (no secret)
    pairs = study.pairs()
    opened = [_open_in_a_process(study.path) for _ in range(5)]
    study.read_slice(pairs[0].key, 0)  # the first one imports zarr

    def any_slice() -> None:
        pair = rng.choice(pairs)
        study.read_slice(pair.key, rng.randrange(pair.slice_count))

    def toggle() -> None:
        pair = rng.choice(pairs)
        study.apply(study.apply([Exclude(pair.key, rng.randrange(pair.slice_count), "noise")]))

    return {
        "imports_ms": statistics.median(imports for imports, _ in opened),
        "open_in_a_fresh_process_ms": statistics.median(seconds for _, seconds in opened),
        "open_ms": median_ms(lambda: Study.open(study.path), rounds),
        "random_slice_ms": median_ms(any_slice, rounds, before=forget_open_images),
        "random_slice_not_in_cache_ms": median_ms(any_slice, rounds, before=lambda: _forget(study, pairs)),
        "slice_of_an_open_pair_ms": median_ms(lambda: study.read_slice(pairs[0].key, rng.randrange(30)), rounds),
        "toggle_ms": median_ms(toggle, rounds) / 2,
        "reload_unchanged_ms": median_ms(study.reload, rounds),
        "rank_ms": median_ms(lambda: rank(pairs), 5),
    }


def _open_in_a_process(path: Path) -> tuple[float, float]:
    result = subprocess.run([sys.executable, "-c", OPEN, path], check=True, stdout=subprocess.PIPE, text=True)
    imports, seconds = (1000 * float(word) for word in result.stdout.split())
    return imports, seconds


def _forget(study: Study, pairs: list[Pair]) -> None:
    """Ask the system to drop all pixels from its cache; only written ones are."""
    forget_open_images()
    for pair in pairs:
        for file in (study.path / pair.key).rglob("c/*/*/*"):
            with file.open("rb") as stream:
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def median_ms(work: Callable[[], object], rounds: int, before: Callable[[], object] = lambda: None) -> float:
    """Time the work alone, each time after ``before``."""
    times = []
    for _ in range(rounds):
        before()
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
