"""Compare the UNet with classical methods on scans that it never saw.

Fast slices are simulated from each source (factor 2, Rician noise), each at the stated SNR of its own foreground,
brought to the fine grid by every method, and compared with the source. ``unet`` and ``apddm`` are always models that
were trained *without* the source they are judged on (``benchmarks/models``); ``unet-default`` is the shipped model,
which has seen these sources, and stands there only for comparison.

Each classical filter runs on the coarse grid and is followed by sinc interpolation. It may use the scan's noise as
`napari_micromri.measure.noise.estimate_noise` finds it, runs plain and with the Rician bias taken out and with three
strengths, and the best of these counts, for each figure apart: more than it could have in practice. So the UNet is
judged by its best figure, too: in both qualities, with three strengths, plain and with ``dark_air``, which is to it
what the Rician bias is to a filter.

    python benchmarks/quality.py                # every fourth slice: some minutes, most of them BM3D's
    python benchmarks/quality.py --every 1      # all slices
    python benchmarks/quality.py --results benchmarks/quality.json --update README.md docs/training.md
    python benchmarks/quality.py --methods unet --results benchmarks/quality.json    # one method again

With ``--results`` figures of other methods, sources and SNR that stand in the file are kept and judged along.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import warnings
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.inference import DenoiseOptions, denoise
from napari_micromri.measure.metrics import assess
from napari_micromri.measure.noise import debias, estimate_noise
from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.simulation.acquisition import simulate_fast_scan
from napari_micromri.simulation.resampling import UPSAMPLINGS, upsample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from napari_micromri.nn.restorer import Restorer
    from napari_micromri.simulation.resampling import Upsampling

    Volume = NDArray[Any]
    Method = Callable[[], Iterable[Volume]]
    SliceFilter = Callable[[NDArray[np.float64], float], NDArray[np.float64]]

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "scripts" / "models"))

LEFT_OUT = {
    "mouse_trunk": "unet-without-mouse-trunk",
    "rat_head": "unet-without-rat-head",
    "human_t2tse": "unet-without-mouse-trunk",
    "mouse_head": "unet-without-rat-head",
    "geometric_phantoms": "unet-without-rat-head",
    "lego": "unet-without-rat-head",
}
"""Source -> the model that was trained without it. No model has seen the LEGO phantom."""

REAL = ("mouse_trunk", "rat_head", "human_t2tse", "mouse_head")
CLASSICAL = ("nearest", "bicubic", "sinc", "NLM + sinc", "TV + sinc", "BM3D + sinc")
VARIANTS = ("unet", "unet, dark air", "unet, best", "unet, best, dark air", "unet, any")
"""The UNet in both qualities, plain and with the brightness of the air taken out, and with any strength, as filters."""
STRENGTHS = (0.8, 1.0, 1.25)
OURS = (*VARIANTS, "unet-default", "apddm, 1 step", "apddm, best", "apddm, 5 steps", "apddm, textured")
METHODS = (*CLASSICAL, *OURS)
TEXTURED = {"steps": 50, "eta": 0.15, "seed": 1}


@dataclass(frozen=True)
class Row:
    """Means over the slices of one source at one SNR."""

    source: str
    snr: float
    method: str
    psnr: float
    foreground_psnr: float
    ssim: float
    mse: float
    bias: float
    power_ratio: float
    ring_correlation: float


FIGURES = [one.name for one in fields(Row) if one.name not in ("source", "snr", "method")]


def main() -> None:
    """Run, print, and update the tables in the documents that were named."""
    options = parse()
    results = Path(options.results) if options.results else None
    known = [Row(**row) for row in json.loads(results.read_text())] if results and results.exists() else []
    rows = merge(known, [row for source in options.sources for row in run_source(source, options)])
    for source in dict.fromkeys(row.source for row in rows):
        print(f"\n## {source}\n\n{table([r for r in rows if r.source == source])}")
    verdicts = list(judge(rows))
    print("\n" + "\n".join(verdicts))
    if results:
        results.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    for document in options.update:
        update(Path(document), rows)
    if any(v.startswith("FAILED") for v in verdicts):
        raise SystemExit(1)


def merge(known: list[Row], new: list[Row]) -> list[Row]:
    """Put new figures in the place of known ones of the same source, SNR and method, in the order of the table."""
    found = {(row.source, row.snr, row.method): row for row in (*known, *new)}
    sources = list(LEFT_OUT)
    return sorted(found.values(), key=lambda r: (sources.index(r.source), METHODS.index(r.method), r.snr))


def run_source(source: str, options: argparse.Namespace) -> Iterable[Row]:
    """Judge every method on one source."""
    good = load(source)[:: options.every]
    for snr in options.snr:
        fast = fast_slice(good, snr, 0) if options.one_noise else fast_slices(good, snr)
        for method, run in methods(fast, source).items():
            if method not in options.methods:
                continue
            best = best_figures(run(), good)
            print(f"{source} SNR {snr:g} {method}: {best['psnr']:.2f} dB, SSIM {best['ssim']:.4f}", file=sys.stderr)
            yield Row(source, snr, method, **best)


def fast_slice(good: Volume, snr: float, seed: int) -> Volume:
    """Simulate what the fast scan of one slice would have been, or of slices (N, H, W) with one noise for all."""
    scan = Scan(good, ScanInfo(name="good", axes="zyx"[-good.ndim :], voxel_size=(1,) * good.ndim))
    return simulate_fast_scan(scan, factor=2, snr=snr, seed=seed).read()


def fast_slices(good: Volume, snr: float) -> Volume:
    """Simulate the fast scans of slices, each at the SNR of its own foreground."""
    return np.stack([fast_slice(image, snr, number) for number, image in enumerate(good)])


def methods(fast: Volume, source: str) -> dict[str, Method]:
    """Name the methods, each of which gives fine volumes, one for each of its variants."""
    shape = (2 * fast.shape[-2], 2 * fast.shape[-1])

    def up(mode: Upsampling) -> Method:
        return lambda: [upsample(fast, shape, mode)]

    def model(name: str | Path, **chosen: Any) -> Method:
        return lambda: [denoised(fast, name, **chosen)]

    def filters(*several: SliceFilter) -> Method:
        return partial(filtered, fast, several)

    unet = HERE / "models" / f"{LEFT_OUT[source]}.safetensors"
    apddm = unet.with_name(unet.name.replace("unet", "apddm"))
    return {
        **{mode: up(mode) for mode in UPSAMPLINGS},
        "NLM + sinc": filters(*map(nlm, (0.6, 0.8, 1.0))),
        "TV + sinc": filters(*map(tv, (0.5, 0.8, 1.2))),
        "BM3D + sinc": filters(*map(bm3d_filter, STRENGTHS)),
        "unet": model(unet),
        "unet, dark air": model(unet, dark_air=True),
        "unet, best": model(unet, quality="best"),
        "unet, best, dark air": model(unet, quality="best", dark_air=True),
        "unet, any": lambda: (
            denoised(fast, unet, quality="best", strength=strength, dark_air=dark)
            for strength in STRENGTHS
            for dark in (False, True)
        ),
        "unet-default": model("unet-default"),
        "apddm, 1 step": model(apddm),
        "apddm, best": model(apddm, quality="best"),
        "apddm, 5 steps": model(apddm, steps=5),
        "apddm, textured": model(apddm, **TEXTURED),
    }


def denoised(fast: Volume, model: str | Path | Restorer, **chosen: Any) -> Volume:
    """Run one of our models on slices (N, h, w)."""
    scan = Scan(fast, ScanInfo(name="slices", axes="zyx", voxel_size=(1, 1, 1)))
    return denoise(scan, model, DenoiseOptions(device="cpu", **chosen)).read()


def filtered(fast: Volume, filters: Iterable[SliceFilter]) -> Iterator[Volume]:
    """Run filters slice by slice, each told the noise, and bring what they give to the fine grid."""
    sigmas = [estimate_noise(image).sigma for image in fast]
    for one in filters:
        yield from on_fine_grid(np.stack([one(*pair) for pair in zip(fast.astype(float), sigmas, strict=True)]), sigmas)


def on_fine_grid(coarse: Volume, sigmas: Iterable[float]) -> Iterator[Volume]:
    """Interpolate a filtered volume plain, and with the Rician bias taken out before."""
    shape = (2 * coarse.shape[-2], 2 * coarse.shape[-1])
    yield upsample(coarse, shape, "sinc")
    yield upsample(np.stack([debias(*pair) for pair in zip(coarse, sigmas, strict=True)]), shape, "sinc")


def best_figures(variants: Iterable[Volume], good: Volume) -> dict[str, float]:
    """Average the figures over the slices; those of the variant with the best PSNR, and the best of any otherwise."""
    results = [[asdict(assess(*pair)) for pair in zip(one, good, strict=True)] for one in variants]
    means = [{key: float(np.mean([r[key] for r in one])) for key in FIGURES} for one in results]
    apart = {key: max(m[key] for m in means) for key in ("foreground_psnr", "ssim")}
    return max(means, key=lambda m: m["psnr"]) | apart


def nlm(strength: float) -> SliceFilter:
    """Non-local means with ``h = strength * sigma``."""
    from skimage.restoration import denoise_nl_means

    def run(image: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
        result: NDArray[np.float64] = denoise_nl_means(
            image, patch_size=5, patch_distance=7, h=strength * sigma, sigma=sigma, fast_mode=True
        )
        return result

    return run


def tv(strength: float) -> SliceFilter:
    """Total variation after Chambolle with a weight of ``strength * sigma``."""
    from skimage.restoration import denoise_tv_chambolle

    def run(image: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
        result: NDArray[np.float64] = denoise_tv_chambolle(image, weight=strength * sigma)
        return result

    return run


def bm3d_filter(strength: float = 1.0) -> SliceFilter:
    """BM3D for white noise of ``strength * sigma``."""
    from bm3d import bm3d

    def run(image: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
        top = float(image.max())
        result: NDArray[np.float64] = bm3d(image / top, strength * sigma / top) * top
        return result

    return run


def load(source: str) -> Volume:
    """Load the good slices of a source, (N, H, W), cut to even sizes."""
    if source == "lego":
        from napari_micromri.simulation.samples import lego_phantom

        return lego_phantom()[1].read() / np.float32(20000)
    from sources import load_source

    slices = load_source(source)
    height, width = (min(image.shape[k] for image in slices) // 2 * 2 for k in (0, 1))
    return np.stack([image[:height, :width] for image in slices])


def table(rows: list[Row]) -> str:
    """Format as Markdown: a line per method, PSNR, PSNR of the object alone and SSIM per SNR, then bias and detail."""
    snrs = sorted({row.snr for row in rows})
    names = list(dict.fromkeys(row.method for row in rows))
    at = {(row.method, row.snr): row for row in rows}
    heads = [f"SNR {snr:g}: PSNR / object PSNR / SSIM" for snr in snrs] + ["bias", "detail", "true detail"]
    lines = ["| method | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for name in names:
        mine = [at[name, snr] for snr in snrs]
        best = [max((r for r in rows if r.snr == s and r.method != "unet-default"), key=lambda r: r.psnr) for s in snrs]
        cells = [f"{r.psnr:.2f} / {r.foreground_psnr:.2f} / {r.ssim:.3f}" for r in mine]
        cells = [f"**{c}**" if r is b else c for c, r, b in zip(cells, mine, best, strict=True)]
        cells += [
            " ".join(f"{100 * r.bias:+.1f}" for r in mine) + " %",
            " ".join(f"{r.power_ratio:.2f}" for r in mine),
            " ".join(f"{r.ring_correlation:.2f}" for r in mine),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def judge(rows: list[Row]) -> Iterable[str]:
    """Say for each source and SNR whether the model that never saw it wins, and by how much."""
    at = {(row.source, row.snr, row.method): row for row in rows}
    for source, snr, method in at:
        if method != "unet":
            continue
        ours = [at[source, snr, name] for name in VARIANTS if (source, snr, name) in at]
        unet = max(ours, key=lambda r: r.psnr)
        if source in REAL:
            rivals = [r for r in rows if (r.source, r.snr) == (source, snr) and r.method in CLASSICAL]
            if len(rivals) < len(CLASSICAL):
                continue  # a part of the methods was asked for: nothing to judge yet
            psnr, ssim = max(rivals, key=lambda r: r.psnr), max(rivals, key=lambda r: r.ssim)
            inner = max(r.foreground_psnr for r in ours) - max(r.foreground_psnr for r in rivals)
            own_ssim = max(r.ssim for r in ours)
            good = unet.psnr > psnr.psnr and own_ssim > ssim.ssim and abs(unet.bias) < 0.01
            yield (
                f"{'passed' if good else 'FAILED'} {source} SNR {snr:g}: {unet.psnr - psnr.psnr:+.2f} dB over "
                f"{psnr.method}, {inner:+.2f} dB in the object, {own_ssim - ssim.ssim:+.4f} SSIM over "
                f"{ssim.method}, bias {100 * unet.bias:+.2f} % ({unet.method})"
            )
        elif (source, snr, "nearest") in at:
            given = at[source, snr, "nearest"]
            good = unet.mse < given.mse and unet.ssim > given.ssim
            yield (
                f"{'passed' if good else 'FAILED'} {source} SNR {snr:g}: MSE {unet.mse / given.mse:.2f} of the fast "
                f"scan's, SSIM {unet.ssim:.3f} against {given.ssim:.3f}"
            )


def summary(rows: list[Row]) -> str:
    """Format two lines for each real source: the best of the filters and of the UNet's variants in each figure."""
    snrs = sorted({row.snr for row in rows})
    heads = [f"SNR {snr:g}: PSNR / object PSNR / SSIM" for snr in snrs]
    lines = ["| scan | method | " + " | ".join(heads) + " |", "| --- | --- |" + " ---: |" * len(heads)]
    for source in (one for one in REAL if one in {row.source for row in rows}):
        for title, chosen in (("best filter", CLASSICAL), ("`unet`", VARIANTS)):
            cells = []
            for snr in snrs:
                mine = [r for r in rows if (r.source, r.snr) == (source, snr) and r.method in chosen]
                psnr, inner, ssim = (max(getattr(r, key) for r in mine) for key in ("psnr", "foreground_psnr", "ssim"))
                cells.append(f"{psnr:.2f} / {inner:.2f} / {ssim:.3f}")
            lines.append(f"| {source.replace('_', ' ')} | {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def update(document: Path, rows: list[Row]) -> None:
    """Put the tables between the marks in a document, of the README a short one."""
    parts = [
        f"**{name.replace('_', ' ')}**\n\n{table([r for r in rows if r.source == name])}"
        for name in dict.fromkeys(row.source for row in rows)
    ]
    put_between(document, "quality table", summary(rows) if document.name == "README.md" else "\n\n".join(parts))


def put_between(document: Path, name: str, body: str) -> None:
    """Replace what stands between two marks in a document."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = document.read_text()
    if begin not in text or end not in text:
        raise SystemExit(f"{document} has no place for the tables: {begin} ... {end}")
    text = re.sub(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n\n{body}\n\n{end}", text, flags=re.DOTALL
    )
    document.write_text(text)


def parse() -> argparse.Namespace:
    """Describe the knobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", nargs="+", default=list(LEFT_OUT), choices=LEFT_OUT)
    parser.add_argument("--snr", nargs="+", type=float, default=[8, 15, 30])
    parser.add_argument("--every", type=int, default=4, help="take every n-th slice (default %(default)s)")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--one-noise", action="store_true", help="one noise for all slices, at their mean SNR")
    parser.add_argument("--results", help="JSON file with the figures: read if it is there, and written")
    parser.add_argument("--update", nargs="*", default=[], help="documents to put the tables into")
    return parser.parse_args()


if __name__ == "__main__":
    warnings.simplefilter("error", RuntimeWarning)
    main()
