"""What damaged files do: every format must open, or refuse in one sentence, soon and in little memory.

Tiny files of every format are damaged at random (seeded) and opened and read in a process of its own. Exits with 1
after anything but an opened scan or a refusal in one sentence that names the file: another exception, a crash, more
than 5 s, or more than 500 MB. Scans that opened with other values, without a word, are counted and listed by kind: a
changed slope, size or voxel means other values, a changed name doesn't.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

SECONDS, MEGABYTES = 5.0, 500.0


def main() -> int:
    """Damage, open, print a table."""
    tiny_scans = import_module("tiny_scans")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=150, help="damaged files of each kind (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    parser.add_argument("--kind", action="append", choices=tiny_scans.KINDS, help="only these; may be repeated")
    parser.add_argument("--list", action="store_true", help="print every scan that opened with other values")
    options = parser.parse_args()
    kinds = options.kind or tiny_scans.KINDS
    print(f"{options.files} files of each kind, seed {options.seed}")
    print(f"{'':14} refused  as before  told  other values    slowest   memory")
    failed = [text for kind in kinds for text in run(kind, options)]
    for text in failed:
        print(text)
    print(f"{len(kinds) * options.files} damaged files, {len(failed)} failures")
    return int(bool(failed))


def run(kind: str, options: argparse.Namespace) -> list[str]:
    """Open all damaged files of a kind, print a line, and give what failed."""
    counts: Counter[str] = Counter()
    failed, slowest, most, number = [], 0.0, 0.0, 0
    while number < options.files:
        here, there = multiprocessing.Pipe()
        child = multiprocessing.get_context("spawn").Process(
            target=open_from, args=(kind, options.seed, number, options.files, there)
        )
        child.start()
        there.close()
        wait = 120.0  # for the imports
        while number < options.files:
            try:
                answer = here.recv() if here.poll(wait) else None
            except EOFError:
                answer = None
            if answer is None or answer == "ready":
                wait = 2 * SECONDS
            if answer == "ready":
                continue
            if answer is None:
                failed.append(f"{kind} {number}: the process hung or died")
                number += 1
                child.kill()
                break
            outcome, text, seconds, megabytes = answer
            counts[outcome] += 1
            slowest, most = max(slowest, seconds), max(most, megabytes)
            if outcome == "failed" or seconds > SECONDS or megabytes > MEGABYTES:
                failed.append(f"{kind} {number}: {text} ({seconds:.1f} s, {megabytes:.0f} MB)")
            elif outcome == "other values" and options.list:
                print(f"  {kind} {number}: {text}")
            number += 1
        child.join()
    row = "".join(f"{counts[key]:>{width}}" for key, width in (("refused", 8), ("as before", 11), ("told", 6)))
    print(f"{kind:14}{row}{counts['other values']:14}{slowest:9.2f} s{most:6.0f} MB", flush=True)
    return failed


def open_from(kind: str, seed: int, start: int, stop: int, answers: Connection) -> None:
    """Open damaged files one after the other in this process, and tell of each."""
    tiny_scans = import_module("tiny_scans")
    logging.getLogger("napari_micromri").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        expected, _ = contents(tiny_scans.write(tiny_scans.healthy(kind), Path(folder)))
        answers.send("ready")
        for number in range(start, stop):
            shutil.rmtree(folder)
            Path(folder).mkdir()
            tiny = tiny_scans.damage(kind, np.random.default_rng([seed, number, *kind.encode()]))
            path = tiny_scans.write(tiny, Path(folder))
            before, began = _megabytes(), time.perf_counter()
            outcome, text = _outcome(path, expected)
            answers.send((outcome, text, time.perf_counter() - began, _megabytes() - before))


def _outcome(path: Path, expected: list[Any]) -> tuple[str, str]:
    from napari_micromri.errors import ReadError

    try:
        found, warned = contents(path)
    except ReadError as error:
        text = str(error)
        good = "\n" not in text and path.stem in text and len(text) < 600
        return ("refused", text) if good else ("failed", f"no sentence: {text!r}")
    except BaseException as error:
        return "failed", f"{type(error).__name__}: {error}"
    if found == expected:
        return "as before", ""
    return ("told", warned) if warned else ("other values", str([one[:3] for one in found]))


def contents(path: Path) -> tuple[list[Any], str]:
    """Shape, type, voxel size and a hash of the values of each scan, and the warnings."""
    from napari_micromri.io import can_read, open_scan

    can_read(path)
    found = []
    for scan in open_scan(path):
        small = np.prod(scan.shape) < 100_000
        data: Any = scan.data if small else scan.data[(0,) * (scan.data.ndim - 2)]
        values = np.ascontiguousarray(data.compute(scheduler="synchronous"))
        sizes = tuple(round(size, 6) for size in scan.info.voxel_size)
        found.append((scan.shape, str(scan.dtype), sizes, hashlib.sha256(values.tobytes()).hexdigest()))
    return found, " ".join(text for scan in open_scan(path) for text in scan.info.warnings)


def _megabytes() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    sys.exit(main())
