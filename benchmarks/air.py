"""Ask what a network makes of the air: how bright it is in the good, the fast and the denoised scan, and what it costs.

Good scans differ in how dark their air is. Where a noisy fast scan hides that, a network can only guess.

    python benchmarks/air.py --update docs/training.md
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from quality import HERE, LEFT_OUT, REAL, denoised, fast_slices, load, put_between
from scipy import ndimage

from napari_micromri.measure.noise import estimate_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = (8, 30)
BRIGHT, AROUND = 0.15, 4
"""What is brighter than this part of the peak, and so many pixels around it, isn't air."""


def main() -> None:
    """Measure, print, update."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=12, help="take every n-th slice (default %(default)s)")
    parser.add_argument("--update", type=Path, nargs="*", default=[], help="documents to put the table into")
    options = parser.parse_args()
    heads = ("source", "SNR", "good", "fast, in units of its noise", "denoised", "part of the squared error")
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " ---: |" * (len(heads) - 1)]
    for source in REAL:
        good = load(source)[:: options.every]
        for snr in LEVELS:
            fast = fast_slices(good, snr)
            found = denoised(fast, HERE / "models" / f"{LEFT_OUT[source]}.safetensors")
            figures = [_look(*images) for images in zip(good, fast, found, strict=True)]
            dark, noise, left, part = np.mean(figures, axis=0)
            cells = [f"{100 * dark:.1f} %", f"{noise:.2f}", f"{100 * left:.1f} %", f"{100 * part:.0f} %"]
            lines.append(f"| {source.replace('_', ' ')} | {snr} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    for document in options.update:
        put_between(document, "air", "\n".join(lines))


def _look(good: NDArray[Any], fast: NDArray[Any], found: NDArray[Any]) -> tuple[float, float, float, float]:
    """Give the mean of the air in three images, and the part that it has of the squared error."""
    peak = float(good.max())
    air = ~ndimage.binary_dilation(good > BRIGHT * np.percentile(good, 99), iterations=AROUND)
    coarse = air[::2, ::2][: fast.shape[0], : fast.shape[1]]
    error = (good - found) ** 2
    relative = fast[coarse].mean() / estimate_noise(fast).sigma
    return good[air].mean() / peak, relative, found[air].mean() / peak, error[air].sum() / error.sum()


if __name__ == "__main__":
    main()
