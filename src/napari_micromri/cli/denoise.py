"""`micromri denoise`: the denoised scan on the high-resolution grid."""

from __future__ import annotations

import argparse
import re
import time
from typing import TYPE_CHECKING, Any

from napari_micromri.cli.console import (
    add_input,
    add_output,
    check_output,
    open_one,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.cli.console import Commands
    from napari_micromri.inference import DenoiseOptions
    from napari_micromri.scan import Scan


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "denoise",
        help="denoise a scan with a trained model",
        description="Denoise a scan slice by slice onto the model's finer grid, in the scan's own intensity units.",
        epilog="Examples:\n"
        "  micromri denoise fast.nii.gz denoised.ome.zarr --model unet-default --json\n"
        "  micromri denoise 20240514_mouse07/ denoised.nii.gz --scan 3 --slices 10-19 --device cuda",
    )
    add_input(parser)
    add_output(parser)
    parser.add_argument(
        "--model", default="unet-default", metavar="NAME|FILE", help="model name or .safetensors (default %(default)s)"
    )
    parser.add_argument(
        "--slices", type=slice_range, metavar="FROM[-TO]", help="only these, counted from 0 as in napari"
    )
    parser.add_argument(
        "--slice-axis", choices="zyx", default="z", help="axis that slices follow (default %(default)s)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default %(default)s)")
    parser.add_argument(
        "--precision", choices=("auto", "float32", "bfloat16", "float16"), default="auto", help="default %(default)s"
    )
    parser.add_argument("--batch-size", type=int, metavar="N", help="slices at once (default: what fits in memory)")
    parser.add_argument("--json", action="store_true", help="print what was done as one object")
    parser.set_defaults(run=run)


def slice_range(text: str) -> range:
    """Understand ``7`` and ``3-12``, both ends included."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if last < first:
        raise argparse.ArgumentTypeError(f"'{text}' is no range of slices such as 7 or 3-12")
    return range(first, last + 1)


def run(options: argparse.Namespace) -> int:
    """Denoise, write, say how."""
    from napari_micromri.inference import denoise_to_file

    output = check_output(options.output, options.input, overwrite=options.overwrite)
    scan = open_one(options)
    started = time.perf_counter()
    with progress_bar("Denoising") as progress:
        written = denoise_to_file(
            scan, options.model, output, _denoise_options(options), overwrite=options.overwrite, progress=progress
        )
    report = _report(scan, options, written, time.perf_counter() - started)
    if options.json:
        print_json(report)
    else:
        shape = " × ".join(str(size) for size in report["shape"])
        print(f"Wrote {written} ({shape}) in {report['seconds']:.1f} s with {options.model}")
    return 0


def _denoise_options(options: argparse.Namespace) -> DenoiseOptions:
    from napari_micromri.inference import DenoiseOptions

    return DenoiseOptions(
        select={} if options.slices is None else {options.slice_axis: options.slices},
        slice_axis=options.slice_axis,
        device=options.device,
        precision=options.precision,
        batch_size=options.batch_size,
    )


def _report(scan: Scan, options: argparse.Namespace, written: Path, seconds: float) -> dict[str, Any]:
    from napari_micromri.io import open_scan

    result = open_scan(written)[0]
    return {
        "input": options.input,
        "scan": scan.info.name,
        "output": str(written),
        "model": options.model,
        "shape": list(result.shape),
        "axes": result.info.axes,
        "voxel_size_mm": list(result.info.voxel_size),
        "dtype": str(result.dtype),
        "seconds": round(seconds, 3),
        "provenance": [dict(step) for step in result.info.provenance],
    }
