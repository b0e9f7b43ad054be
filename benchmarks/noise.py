"""How well the noise of a slice is measured, with a background and without, white or filtered.

Fast slices are made of good ones without noise of their own (made phantoms, and human scans of SNR above 250), with
noise of a known sigma: white, or filtered as a scanner does it (a Gaussian filter, zero filling, half a pixel of
interpolation), after which sigma is the standard deviation that is left. Each cell is the median of measured over true
sigma, and what 16 to 84 % of the slices lie within. ``masked``: all air is set to zero, so that only the object tells.

    python benchmarks/noise.py --update docs/measuring.md
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from quality import put_between
from scipy import ndimage
from sources import load_source

from napari_micromri.measure.image_quality import foreground
from napari_micromri.measure.noise import estimate_noise
from napari_micromri.simulation.acquisition import foreground_mean, truncate_k_space

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Image = NDArray[Any]

SOURCES = ("digital_mouse", "random_phantoms", "human_t2tse", "human_t1")
LEVELS = (5, 10, 20, 50, 100)
SLICES = 12
LIMIT = 0.1


def gaussian(image: Image) -> Image:
    """Filter k-space with a Gaussian that falls to 1/e at half of its edge."""
    rows, columns = (np.fft.fftfreq(count) for count in image.shape)
    filtered: Image = np.fft.ifft2(
        np.fft.fft2(image) * np.exp(-((np.hypot(rows[:, None], columns[None, :]) / 0.5) ** 2))
    )
    return filtered


def zero_filled(image: Image) -> Image:
    """Keep the inner 80 % of k-space along both axes, as if it had been filled with zeros."""
    rows, columns = (np.abs(np.fft.fftfreq(count)) <= 0.4 for count in image.shape)
    filtered: Image = np.fft.ifft2(np.fft.fft2(image) * (rows[:, None] & columns[None, :]))
    return filtered


def interpolated(image: Image) -> Image:
    """Shift by half a pixel along the rows, linearly."""
    return 0.5 * (image + np.roll(image, 1, axis=0))


FILTERS: dict[str, Callable[[Image], Image]] = {
    "white": lambda image: image,
    "Gaussian filter": gaussian,
    "zero-filled": zero_filled,
    "interpolated": interpolated,
}


def main() -> None:
    """Measure, print, and update the table in the documents that were named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", type=Path, nargs="*", default=[], help="documents to put the table into")
    options = parser.parse_args()
    slices = [image for name in SOURCES for image in evenly(load_source(name), SLICES // len(SOURCES))]
    lines = ["| noise | air | " + " | ".join(f"SNR {level}" for level in LEVELS) + " |"]
    lines.append("| --- | --- |" + " ---: |" * len(LEVELS))
    worst = 0.0
    for name, change in FILTERS.items():
        for masked in (False, True):
            ratios = [[ratio(image, snr, change, masked, k) for k, image in enumerate(slices)] for snr in LEVELS]
            lines.append(f"| {name} | {'masked' if masked else 'seen'} | " + " | ".join(map(cell, ratios)) + " |")
            if not masked:
                worst = max(worst, *(abs(float(np.median(one)) - 1) for one in ratios))
    print("\n".join(lines))
    for document in options.update:
        put_between(document, "noise table", "\n".join(lines))
    print(f"\nWith air the median is at most {worst:.0%} off (limit {LIMIT:.0%}).")
    if worst > LIMIT:
        raise SystemExit(1)


def evenly(slices: list[NDArray[np.float32]], count: int) -> list[NDArray[np.float32]]:
    """Take some slices, as far apart as possible but none at the ends."""
    return [slices[round((k + 0.5) * len(slices) / count)] for k in range(count)]


def ratio(good: NDArray[np.float32], snr: float, change: Callable[[Image], Image], masked: bool, seed: int) -> float:
    """Measured over true sigma of one fast slice."""
    coarse = good.shape[0] // 2, good.shape[1] // 2
    good = good[: 2 * coarse[0], : 2 * coarse[1]]
    rng = np.random.default_rng((seed, int(snr)))
    real, imaginary = rng.standard_normal((2, *coarse)) * foreground_mean(good) / snr
    noise = change(real + 1j * imaginary)
    sigma = float(np.sqrt(np.mean(np.abs(noise) ** 2) / 2))
    image = np.abs(change(truncate_k_space(good, coarse) + 0j) + noise)
    if masked:
        image = image * ndimage.binary_erosion(foreground(truncate_k_space(good, coarse)), iterations=1)
    return estimate_noise(image).sigma / sigma


def cell(ratios: list[float]) -> str:
    """Format the median and the spread."""
    low, middle, high = np.quantile(ratios, [0.16, 0.5, 0.84])
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


if __name__ == "__main__":
    main()
