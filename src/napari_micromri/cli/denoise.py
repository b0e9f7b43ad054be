"""`micromri denoise`: the denoised scan on the high-resolution grid."""

from __future__ import annotations

import argparse
import re
import time
from typing import TYPE_CHECKING, Any

from napari_micromri.cli import denoise_many
from napari_micromri.cli.console import (
    INPUT_HELP,
    add_scan,
    add_voxel_size,
    check_output,
    open_one,
    print_json,
    progress_bar,
)
from napari_micromri.errors import CancelledError, InputError

if TYPE_CHECKING:
    from napari_micromri.cli.console import Commands
    from napari_micromri.inference import DenoiseOptions
    from napari_micromri.scan import Scan


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "denoise",
        help="denoise a scan, or many, with a trained model",
        usage="micromri denoise IN OUT [options]\n       micromri denoise IN... --out FOLDER [options]",
        description="Denoise a scan slice by slice onto the model's finer grid, in the scan's own intensity units. "
        "With --out denoise many: files, folders, studies, tables (.csv with a column 'scan'), patterns. Given again, "
        "the same command continues where it was interrupted, and skips scans with the same content.",
        epilog="Examples:\n"
        "  micromri denoise fast.nii.gz denoised.ome.zarr --model unet-default --json\n"
        "  micromri denoise 20240514_mouse07/ denoised.nii.gz --scan 3 --slices 10-19 --device cuda\n"
        "  micromri denoise fast.nii.gz textured.nii.gz --model apddm-default --steps 10\n"
        "  micromri denoise fast.nii.gz mean.nii.gz --model apddm-default --draws 8 --uncertainty sd.nii.gz --seed 1\n"
        "  micromri denoise scans/ mice.mri.zarr --out denoised --only '*RARE*' --name '{subject}_{plane}'\n"
        "  micromri denoise scans/ --out denoised --scheduler tcp://node01:8786 --detach",
    )
    parser.add_argument("inputs", nargs="+", metavar="IN", help=f"{INPUT_HELP}; then OUT, or several and --out")
    add_voxel_size(parser)
    add_scan(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    parser.add_argument(
        "--model", default="unet-default", metavar="NAME|FILE", help="model name or .safetensors (default %(default)s)"
    )
    parser.add_argument(
        "--slices", type=slice_range, metavar="FROM[-TO]", help="only these, counted from 0 as in napari"
    )
    parser.add_argument(
        "--slice-axis", choices="zyx", default="z", help="axis that slices follow (default %(default)s)"
    )
    _add_computing(parser)
    _add_choices(parser)
    parser.add_argument(
        "--uncertainty",
        metavar="FILE",
        help="write here, pixel by pixel, the width that 90 %% of the errors lie within; with several draws the "
        "standard deviation over them",
    )
    _add_sampling(parser)
    denoise_many.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print a summary as one JSON object")
    parser.set_defaults(run=run)


def _add_computing(parser: argparse.ArgumentParser) -> None:
    """Add where and how it is computed."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default %(default)s)")
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16", "float16"),
        default="auto",
        help="numbers that the network computes with (default %(default)s)",
    )
    parser.add_argument("--batch-size", type=int, metavar="N", help="slices at once (default: what fits in memory)")


def _add_choices(parser: argparse.ArgumentParser) -> None:
    """Add what changes the result of any model."""
    add_quality(parser)
    parser.add_argument(
        "--strength",
        type=float,
        default=1.0,
        metavar="X",
        help="how much noise is removed, as a multiple of the measured noise, 0.25 to 4 (default %(default)s); only "
        "for models that are told the noise",
    )
    parser.add_argument(
        "--noise", type=float, metavar="SIGMA", help="the noise in the scan's units (default: measured on each slice)"
    )
    parser.add_argument(
        "--anyway", action="store_true", help="also denoise scans that are not magnitude images, such as phase images"
    )


def add_quality(parser: argparse.ArgumentParser) -> None:
    """Add the choice between one look at each slice and eight, and that of dark air."""
    parser.add_argument(
        "--quality",
        choices=("fast", "best"),
        help="best: the mean over 8 flips and turns of each slice, which takes 8 times as long (default fast)",
    )
    parser.add_argument(
        "--dark-air",
        action="store_true",
        default=None,
        help="take the brightness of the air out of the result, for good scans whose air is dark",
    )


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("diffusion models (APDDM) only")
    group.add_argument("--steps", type=int, metavar="N", help="from 1, faithful (default), to more texture")
    group.add_argument("--draws", type=int, metavar="K", help="random draws per slice, whose mean is the result")
    group.add_argument("--eta", type=float, metavar="0-1", help="share of noise per step (default 1 for several draws)")
    group.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same draws (default 0)")


def slice_range(text: str) -> range:
    """Understand ``7`` and ``3-12``, both ends included."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if last < first:
        raise argparse.ArgumentTypeError(f"'{text}' isn't a range of slices such as 7 or 3-12")
    return range(first, last + 1)


def run(options: argparse.Namespace) -> int:
    """Denoise, write, say how."""
    if options.out is not None:
        return denoise_many.run_many(options)
    if len(options.inputs) != 2:
        raise InputError("One scan needs IN and OUT: micromri denoise IN OUT. Many scans need --out FOLDER.")
    denoise_many.refuse_with_one(options)
    options.input, options.output = options.inputs
    from napari_micromri.inference import denoise_to_file
    from napari_micromri.inference.trust import check_trust
    from napari_micromri.io import open_scan

    output = check_output(options.output, options.input, overwrite=options.overwrite)
    if options.uncertainty is not None:
        check_output(options.uncertainty, options.input, overwrite=options.overwrite)
    scan = open_one(options)
    started = time.perf_counter()
    with progress_bar("Denoising") as progress:
        written = denoise_to_file(
            scan,
            options.model,
            output,
            _denoise_options(options),
            uncertainty=options.uncertainty,
            overwrite=options.overwrite,
            progress=progress,
        )
    seconds = time.perf_counter() - started
    result = open_scan(written)[0]
    try:
        trust = check_trust(scan, result, select=_selected(options), slice_axis=options.slice_axis)
    except KeyboardInterrupt:
        raise CancelledError(f"interrupted while {written} was checked; the file itself is complete.") from None
    if options.json:
        print_json(_report(scan, options, result, seconds) | {"trust": trust.to_json()})
        return 0
    shape = " × ".join(str(size) for size in result.shape)
    print(f"Wrote {written} ({shape}) in {seconds:.1f} s with {options.model}")
    if options.uncertainty is not None:
        several = (options.draws or 1) > 1
        what = f"the standard deviation over {options.draws} draws" if several else "the width of 90 % of the errors"
        print(f"Wrote {options.uncertainty}, {what}")
    print(f"Trust: {trust.verdict}")
    print(trust.sentence)
    for warning in trust.warnings:
        print(f"Warning: {warning}")
    return 0


def _denoise_options(options: argparse.Namespace) -> DenoiseOptions:
    from napari_micromri.inference import DenoiseOptions

    return DenoiseOptions(
        select=_selected(options),
        slice_axis=options.slice_axis,
        device=options.device,
        precision=options.precision,
        batch_size=options.batch_size,
        quality=options.quality or "fast",
        noise=options.noise,
        strength=options.strength,
        dark_air=bool(options.dark_air),
        anyway=options.anyway,
        steps=options.steps,
        draws=options.draws,
        eta=options.eta,
        seed=options.seed,
    )


def _selected(options: argparse.Namespace) -> dict[str, range]:
    return {} if options.slices is None else {options.slice_axis: options.slices}


def _report(scan: Scan, options: argparse.Namespace, result: Scan, seconds: float) -> dict[str, Any]:
    return {
        "input": options.input,
        "scan": scan.info.name,
        "output": options.output,
        "uncertainty": options.uncertainty,
        "model": options.model,
        "shape": list(result.shape),
        "axes": result.info.axes,
        "voxel_size_mm": list(result.info.voxel_size),
        "dtype": str(result.dtype),
        "seconds": round(seconds, 3),
        "provenance": [dict(step) for step in result.info.provenance],
    }
