"""Measure whether small lesions are kept, and whether the trust check notices one that was invented or taken away.

Discs of 3, 5 and 8 fine pixels, 10, 20 and 40 % brighter or darker than what is there, are planted into good slices
of sources that the models never saw. Fast slices are simulated from both, with the same noise.

- *kept*: how much of a disc's contrast is in the result (with it, minus without it), relative to the good slice. What
  sinc interpolation keeps is the share that the fast scan's resolution leaves.
- *added*: the disc is put into the result alone, as if the network had invented it. *removed*: the fast scan has the
  disc, the result is that of the slice without it, as if the network had taken it away. The figure is the chance that
  the trust map is higher there than at the same place of an honest result (AUC; 0.5 is guessing).

    python benchmarks/lesions.py --update docs/uncertainty.md
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from quality import HERE, LEFT_OUT, denoised, fast_slice, load, put_between
from scipy import ndimage
from unlike import auc

from napari_micromri.inference.deviation import trust_map
from napari_micromri.measure.image_quality import foreground
from napari_micromri.simulation.resampling import upsample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Values = NDArray[Any]
    Found = dict[str, list[float]]

SOURCES = ("mouse_trunk", "rat_head", "human_t2tse")
SIZES, CONTRASTS = (3, 5, 8), (0.1, 0.2, 0.4)
KEEPERS = ("sinc", "unet", "apddm")
LIMIT = 0.9
APART = 24
"""Fine pixels between the middles of lesions."""


def main() -> None:
    """Plant, measure, print."""
    options = parse()
    found: dict[tuple[int, float], Found] = {(d, c): defaultdict(list) for d in SIZES for c in CONTRASTS}
    for source in options.sources:
        good = load(source)
        for k in np.linspace(0, len(good) - 1, options.slices + 2).astype(int)[1:-1]:
            for key, figures in measured(good[k], source, options.snr, int(k)):
                for name, values in figures.items():
                    found[key][name].extend(values)
    text = table(found)
    print(text)
    if options.results:
        Path(options.results).write_text(json.dumps({f"{d} px, {c:.0%}": f for (d, c), f in found.items()}) + "\n")
    for document in options.update:
        put_between(Path(document), "lesions", text)


def measured(good: Values, source: str, snr: float, seed: int) -> Iterator[tuple[tuple[int, float], Found]]:
    """Measure lesions of every size and contrast in one slice."""
    rng = np.random.default_rng(seed)
    places = spread(good, rng, 8)
    signs = rng.choice((-1, 1), len(places))
    without = fast_slice(good, snr, seed)
    before = {name: result(name, without, source) for name in KEEPERS}
    honest = at(trust_map(without, before["unet"]), places)
    for size in SIZES:
        discs = [disc(good.shape, place, size) for place in places]
        for contrast in CONTRASTS:
            strengths = [s * contrast * good[d > 0.5].mean() for s, d in zip(signs, discs, strict=True)]
            lesions = np.sum([a * d for a, d in zip(strengths, discs, strict=True)], axis=0).astype(np.float32)
            with_them = fast_slice(good + lesions, snr, seed)
            figures = {name: kept(result(name, with_them, source) - before[name], discs, strengths) for name in KEEPERS}
            figures["added"] = at(trust_map(without, before["unet"] + lesions), places)
            figures["removed"] = at(trust_map(with_them, before["unet"]), places)
            yield (size, contrast), figures | {"honest": honest}


def result(name: str, fast: Values, source: str) -> Values:
    """Bring a fast slice to the fine grid by one of `KEEPERS`."""
    if name == "sinc":
        return np.asarray(upsample(fast[None], (2 * fast.shape[0], 2 * fast.shape[1]), "sinc")[0])
    model = HERE / "models" / f"{LEFT_OUT[source].replace('unet', name)}.safetensors"
    return np.asarray(denoised(fast[None], model)[0])


def spread(good: Values, rng: np.random.Generator, most: int) -> list[tuple[int, int]]:
    """Choose places well inside the object, apart from each other."""
    inside = ndimage.binary_erosion(foreground(good), iterations=8)
    chosen: list[tuple[int, int]] = []
    for y, x in rng.permutation(np.argwhere(inside)):
        if len(chosen) < most and all(np.hypot(y - v, x - u) >= APART for v, u in chosen):
            chosen.append((int(y), int(x)))
    return chosen


def disc(shape: tuple[int, ...], place: tuple[int, int], size: int) -> Values:
    """Draw a disc with a soft edge, 1 inside."""
    distance = np.hypot(*np.ogrid[-place[0] : shape[0] - place[0], -place[1] : shape[1] - place[1]])
    return np.asarray(np.clip(size / 2 - distance + 0.5, 0, 1))


def kept(change: Values, discs: list[Values], strengths: list[float]) -> list[float]:
    """Say which part of each lesion's contrast a result shows: the best fit of the disc to the change."""
    return [float((change * d).sum() / (a * (d * d).sum())) for d, a in zip(discs, strengths, strict=True)]


def at(trust: Values, places: list[tuple[int, int]]) -> list[float]:
    """Read a map of fast pixels where the lesions lie."""
    return [float(trust[y // 2, x // 2]) for y, x in places]


def table(found: dict[tuple[int, float], Found]) -> str:
    """Format as Markdown: a line for each size and contrast."""
    heads = ["AUC added", "AUC removed", *(f"kept by {name}" for name in KEEPERS)]
    lines = [f"| lesion | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads)]
    for (size, contrast), figures in found.items():
        cells = []
        for name in ("added", "removed"):
            value = auc(np.array(figures[name]), np.array(figures["honest"]))
            cells.append(f"**{value:.2f}**" if value > LIMIT else f"{value:.2f}")
        cells += [f"{100 * np.median(figures[name]):.0f} %" for name in KEEPERS]
        lines.append(f"| {size} px, {contrast:.0%} | {' | '.join(cells)} |")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """Describe the knobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", nargs="+", default=list(SOURCES), choices=LEFT_OUT)
    parser.add_argument("--slices", type=int, default=4, help="of each source (default %(default)s)")
    parser.add_argument("--snr", type=float, default=15, help="of the fast scans (default %(default)s)")
    parser.add_argument("--results", help="JSON file to write the figures to")
    parser.add_argument("--update", nargs="*", default=[], help="documents to put the table into")
    return parser.parse_args()


if __name__ == "__main__":
    main()
