"""What `make demo` runs: denoise a fast scan, compare it with its reference, draw pictures, open napari.

The reference is the real mouse trunk when the folder of real scans is there (``MICROMRI_DATA``, default
``../shared/data`` beside the project), and its fast scan is simulated. Else both are the digital mouse.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import MicroMRIError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_micromri.scan import Scan
    from napari_micromri.simulation.resampling import Upsampling

MODEL = "unet-default"
SNR = 10.0
PICTURED = (0.3, 0.5, 0.7)
"""Where along the stack the pictured slices lie."""


@dataclass(frozen=True)
class Pair:
    """A fast scan, the good scan of the same field of view, and what a reader of the figures must know."""

    fast: Scan
    reference: Scan
    note: str


@dataclass(frozen=True)
class Result:
    """A volume on the reference's grid and the seconds that it took."""

    name: str
    volume: NDArray[np.float32]
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 2 with one sentence when something stands in its way."""
    options = _parser().parse_args(arguments)
    try:
        run(Path(options.output), slices=options.slices, window=not options.no_window)
    except MicroMRIError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m napari_micromri.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="demo-output", metavar="FOLDER", help="default %(default)s")
    parser.add_argument("--slices", type=int, metavar="N", help="only so many slices from the middle")
    parser.add_argument("--no-window", action="store_true", help="don't open napari")
    return parser


def run(output: Path, *, slices: int | None, window: bool) -> None:
    """Denoise, print the table, write pictures and the denoised scan, show them."""
    from napari_micromri.io import save_scan

    pair = find_pair()
    pair = pair if slices is None else middle(pair, slices)
    print(f"{pair.reference.info.name}: {_size(pair.fast)} simulated at SNR {SNR:g}, reference {_size(pair.reference)}")
    denoised, seconds = _denoise(pair.fast)
    reference = np.asarray(pair.reference.read(), dtype=np.float32)
    results = [*baselines(pair), Result(MODEL, on_grid(denoised, pair.reference), seconds)]
    print(table(results, reference))
    print(pair.note)
    for path in _draw(results, reference, output):
        print(f"Wrote {path}")
    print(f"Wrote {save_scan(denoised, output / 'denoised.ome.zarr', overwrite=True)}")
    if window and has_display():
        show(pair, denoised)


def find_pair() -> Pair:
    """Take the real mouse trunk when it is there, else the digital mouse."""
    from napari_micromri.io import open_scan
    from napari_micromri.simulation.acquisition import simulate_fast_scan
    from napari_micromri.simulation.samples import digital_mouse

    default = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("MICROMRI_DATA", default)) / "t2w_mouse_trunk"
    files = sorted(folder.glob("*.nii*"))
    if files:
        reference = open_scan(files[0])[0]
        note = (
            f"This real scan was among those that {MODEL} was trained on, so it shows what the model does, "
            "not how it fares on new scans: docs/training.md has the figures on scans left out of the training."
        )
        return Pair(simulate_fast_scan(reference, factor=2, snr=SNR), reference, note)
    _lr, reference = digital_mouse()
    note = (
        f"No real scan at {folder}, so this is the digital mouse: {MODEL} was trained on phantoms of this kind. "
        "docs/training.md has the figures on real scans left out of the training."
    )
    return Pair(simulate_fast_scan(reference, factor=2, snr=SNR), reference, note)


def middle(pair: Pair, count: int) -> Pair:
    """Keep ``count`` slices around the middle of both scans."""
    start = max(0, (pair.reference.shape[0] - count) // 2)
    fast, reference = (type(s)(s.data[start : start + count], s.info) for s in (pair.fast, pair.reference))
    return Pair(fast, reference, pair.note)


def _denoise(fast: Scan) -> tuple[Scan, float]:
    from napari_micromri.cli.console import progress_bar
    from napari_micromri.inference import denoise

    fast = type(fast)(fast.read(), fast.info)  # the simulation isn't part of the time
    started = time.perf_counter()
    with progress_bar("Denoising") as progress:
        denoised = denoise(fast, MODEL, progress=progress)
    return denoised, time.perf_counter() - started


def baselines(pair: Pair) -> list[Result]:
    """Bring the fast scan to the reference's grid without a model."""
    results = []
    modes: tuple[Upsampling, ...] = ("nearest", "sinc")
    for mode in modes:
        started = time.perf_counter()
        volume = on_grid(pair.fast, pair.reference, mode)
        results.append(Result(f"LR, {mode}", volume, time.perf_counter() - started))
    return results


def on_grid(scan: Scan, reference: Scan, upsampling: Upsampling = "sinc") -> NDArray[np.float32]:
    """Bring a scan to the grid of a reference with the same slices, (slices, rows, columns)."""
    from napari_micromri.measure.regridding import Regridder

    regridder = Regridder.between(scan, reference, upsampling)
    planes = [regridder.plane(k) for k in range(reference.shape[0])]
    return np.stack([plane for plane in planes if plane is not None]).astype(np.float32)


def table(results: Sequence[Result], reference: NDArray[np.float32]) -> str:
    """Lay out PSNR, SSIM and bias, averaged over slices, and seconds."""
    from napari_micromri.measure.image_quality import bias, psnr, ssim

    lines = [f"{'':14} {'PSNR (dB)':>10} {'SSIM':>8} {'bias (%)':>9} {'seconds':>8}"]
    for result in results:
        pairs = list(zip(result.volume, reference, strict=True))
        quality = [np.nanmean([measure(image, good) for image, good in pairs]) for measure in (psnr, ssim, bias)]
        lines.append(
            f"{result.name:14} {quality[0]:10.2f} {quality[1]:8.4f} {100 * quality[2]:9.2f} {result.seconds:8.2f}"
        )
    return "\n".join(lines)


def _draw(results: Sequence[Result], reference: NDArray[np.float32], output: Path) -> list[Path]:
    from napari_micromri.demo_pictures import Comparison, write_picture

    fast, denoised = results[-2].volume, results[-1].volume
    indices = sorted({int(part * len(reference)) for part in PICTURED})
    comparisons = [Comparison(f"slice {k}", fast[k], denoised[k], reference[k]) for k in indices]
    return [write_picture(c, output / f"slice-{k:02}.png") for k, c in zip(indices, comparisons, strict=True)]


def has_display() -> bool:
    """Tell whether a window can open."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show(pair: Pair, denoised: Scan) -> None:
    """Open napari with the fast scan, the denoised one and the reference side by side, and wait until it is closed."""
    import napari
    from napari.layers import Layer

    from napari_micromri.plugin.layers import scan_to_layer

    viewer = napari.Viewer(title="napari-micromri demo")
    scans = {"fast scan": pair.fast, f"denoised ({MODEL})": denoised, "reference": pair.reference}
    layers = [viewer.add_layer(Layer.create(*scan_to_layer(scan))) for scan in scans.values()]
    for name, layer in zip(scans, layers, strict=True):
        layer.name = name
        layer.contrast_limits = layers[-1].contrast_limits
    viewer.canvas.grid.shape = (1, len(layers))
    viewer.canvas.grid.enabled = True
    viewer.fit_to_view()
    napari.run()


def _size(scan: Scan) -> str:
    return " × ".join(str(n) for n in scan.shape)


if __name__ == "__main__":
    sys.exit(main())
