"""Check that what models say of their errors holds on scans that they never saw.

Fast slices are simulated from each left-out source (factor 2, Rician noise) and denoised by the model that was trained
and calibrated without it. The table tells which part of the true errors lies within the stated width (right: 90 %), in
the foreground, on its edges (a quarter of it with the largest gradient) and in the air, and the mean width relative to
the mean signal. The good scans have noise of their own, which counts as an error here although no model could know it;
``noise of its own`` is that noise, as `napari_micromri.measure.noise.estimate_noise` finds it in the good scan,
relative to the same mean, and ``noise allowed for`` what lies within the foreground's widths when they are widened by
that noise.

    python benchmarks/uncertainty.py --results benchmarks/uncertainty.json --update docs/uncertainty.md
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from quality import HERE, LEFT_OUT, fast_slice, load, put_between
from scipy import ndimage

from napari_micromri.inference import DenoiseOptions
from napari_micromri.inference.slices import SliceDenoiser
from napari_micromri.measure.image_quality import foreground
from napari_micromri.measure.noise import estimate_noise
from napari_micromri.nn.registry import load_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCES = ("mouse_trunk", "rat_head", "human_t2tse", "mouse_head")
KINDS = ("unet", "apddm")
LEAST, MOST = 0.85, 0.95
NORMAL_90 = 1.645
"""Standard deviations within which 90 % of normal errors lie."""

WHERE = ("foreground", "edges", "air")


@dataclass(frozen=True)
class Row:
    """One source at one SNR, denoised by one kind of model; coverage as a part, widths relative to the mean signal."""

    source: str
    kind: str
    snr: float
    foreground: float
    edges: float
    air: float
    width: float
    edge_width: float
    own_noise: float
    allowed: float


def main() -> None:
    """Measure, print, and update the table in the documents that were named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", nargs="+", default=list(SOURCES), choices=SOURCES)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--snr", nargs="+", type=float, default=[8, 15, 30, 100])
    parser.add_argument("--every", type=int, default=4, help="take every n-th slice (default %(default)s)")
    parser.add_argument("--results", type=Path, help="JSON file to write the figures into")
    parser.add_argument("--update", type=Path, nargs="*", default=[], help="documents to put the table into")
    options = parser.parse_args()
    rows = [
        measure(source, kind, snr, load(source)[:: options.every])
        for source in options.sources
        for kind in options.kinds
        for snr in options.snr
    ]
    print(table(rows))
    if options.results:
        options.results.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    for document in options.update:
        put_between(document, "uncertainty table", table(rows))
    if missed := [row for row in rows for part in (row.foreground, row.edges) if not LEAST <= part <= MOST]:
        raise SystemExit(f"FAILED {len(missed)} of {2 * len(rows)}: outside of {LEAST:.0%} to {MOST:.0%}")


def measure(source: str, kind: str, snr: float, good: NDArray[np.float32]) -> Row:
    """Compare widths with true errors on all slices of a source."""
    model = load_model(HERE / "models" / f"{LEFT_OUT[source].replace('unet', kind)}.safetensors")
    found: dict[str, list[float]] = {name: [] for name in (*WHERE, "width", "edge_width", "own_noise", "allowed")}
    with SliceDenoiser(model, DenoiseOptions(device="cpu"), uncertainty=True) as denoiser:
        for number, image in enumerate(good):
            images = denoiser.denoise(fast_slice(image, snr, number)[None])
            assert images is not None
            result, width = (one[0] for one in images)
            within, parts, signal = np.abs(result - image) <= width, split(image), float(image[split(image)[0]].mean())
            for name, part in zip(WHERE, parts, strict=True):
                found[name].append(float(within[part].mean()) if part.any() else np.nan)
            found["width"].append(float(width[parts[0]].mean()) / signal)
            found["edge_width"].append(float(width[parts[1]].mean()) / signal)
            own = estimate_noise(image).sigma
            found["own_noise"].append(own / signal)
            allowed = np.abs(result - image) <= np.hypot(width, NORMAL_90 * own)
            found["allowed"].append(float(allowed[parts[0]].mean()))
    return Row(source, kind, snr, **{name: float(np.nanmean(values)) for name, values in found.items()})


def split(image: NDArray[np.float32]) -> tuple[NDArray[np.bool_], ...]:
    """Tell the foreground of a good slice, its edges, and the air."""
    inside = foreground(image)
    gradient = ndimage.gaussian_gradient_magnitude(image, 1.0)
    return inside, inside & (gradient > np.quantile(gradient[inside], 0.75)), ~inside


def table(rows: list[Row]) -> str:
    """Format as Markdown."""
    heads = ["source", "model", "SNR", *WHERE, "mean width", "on edges", "noise of its own", "noise allowed for"]
    lines = ["| " + " | ".join(heads) + " |", "| --- | --- |" + " ---: |" * (len(heads) - 2)]
    for row in rows:
        covered = [f"{100 * getattr(row, name):.0f} %" for name in WHERE]
        widths = [f"{100 * value:.1f} %" for value in (row.width, row.edge_width, row.own_noise)]
        widths.append(f"{100 * row.allowed:.0f} %")
        cells = [row.source.replace("_", " "), row.kind, f"{row.snr:g}", *covered, *widths]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
