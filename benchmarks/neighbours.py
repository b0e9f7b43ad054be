"""Measure how much the slices beside a slice could add to its result: what a network that sees them could gain.

Slices from the middle of each left-out source are denoised one by one by a model that never saw it. To each result the
mean of its two neighbours' results is added with the weight that is best on these very slices: for the whole
foreground, and for each of `BINS` parts of it that differ in how unlike the neighbours are. No network could know
these weights so well, though one could use neighbours in other ways than as a mean.

    python benchmarks/neighbours.py --update docs/training.md
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from quality import HERE, LEFT_OUT, denoised, fast_slices, load, put_between

from napari_micromri.measure.image_quality import foreground

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCES = ("mouse_trunk", "rat_head", "human_t2tse", "mouse_head")
LEVELS = (8, 15)
SLICES, BINS = 9, 16


def main() -> None:
    """Measure, print, update."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", type=Path, nargs="*", default=[], help="documents to put the table into")
    options = parser.parse_args()
    lines = ["| source | SNR | correlation of neighbours | gain, one weight | gain, 16 weights |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    for source in SOURCES:
        for snr in LEVELS:
            alike, *gains = measure(source, snr)
            cells = [source.replace("_", " "), f"{snr}", f"{alike:.2f}", *(f"{gain:.2f} dB" for gain in gains)]
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    for document in options.update:
        put_between(document, "neighbours", "\n".join(lines))


def measure(source: str, snr: float) -> tuple[float, float, float]:
    """Give the neighbours' correlation, and what they gain with one weight and with many."""
    good = load(source)
    middle = len(good) // 2
    good = good[max(0, middle - SLICES // 2) :][:SLICES]
    fast = fast_slices(good, snr)
    found = denoised(fast, HERE / "models" / f"{LEFT_OUT[source]}.safetensors")
    own, added, wanted, alike = [], [], [], []
    for k in range(1, len(good) - 1):
        inside = foreground(good[k])
        own.append(found[k][inside])
        added.append((found[k - 1] + found[k + 1])[inside] / 2 - own[-1])
        wanted.append(good[k][inside])
        alike.append(np.corrcoef(good[k - 1][inside], wanted[-1])[0, 1])
    columns = np.stack([np.concatenate(own), np.concatenate(added)], axis=1).astype(np.float64)
    target = np.concatenate(wanted).astype(np.float64)
    unlike = np.abs(columns[:, 1]) / np.maximum(np.abs(columns[:, 0]), 1e-9)
    bins = np.digitize(unlike, np.quantile(unlike, np.arange(1, BINS) / BINS))
    parts = [bins == k for k in range(BINS)]
    whole = [np.ones_like(parts[0])]
    return float(np.mean(alike)), gain(columns, target, whole), gain(columns, target, parts)


def gain(columns: NDArray[np.float64], wanted: NDArray[np.float64], parts: list[NDArray[np.bool_]]) -> float:
    """Compare the best sum of both columns with the best multiple of the first, in dB."""

    def error(count: int) -> float:
        rest = 0.0
        for part in parts:
            given = columns[part][:, :count]
            rest += float(np.sum((given @ np.linalg.lstsq(given, wanted[part], rcond=None)[0] - wanted[part]) ** 2))
        return rest

    return float(10 * np.log10(error(1) / error(2)))


if __name__ == "__main__":
    main()
