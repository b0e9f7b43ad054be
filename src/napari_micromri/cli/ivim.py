"""`micromri ivim`: maps of D, f and D* from a diffusion series."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.cli.console import INPUT_HELP, add_scan, add_voxel_size, choose_scan, print_json, progress_bar
from napari_micromri.errors import InputError
from napari_micromri.ivim.methods import METHODS

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands
    from napari_micromri.ivim.model import FitOptions, Model
    from napari_micromri.ivim.run import Summary
    from napari_micromri.ivim.series import Series

_LEARNING = [method.name for method in METHODS.values() if method.learns]
_NOISY = [method.name for method in METHODS.values() if method.has_sd]
_ONLY_OF = {"sigma": _NOISY, "noise": _NOISY, "high_b": ["segmented"]}


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "ivim",
        help="fit IVIM maps to a diffusion series",
        description="Fit D, f and D* voxel by voxel, slice after slice. The same command continues interrupted work.",
        epilog="Methods:\n"
        + "".join(f"  {name:10} {method.advice}\n" for name, method in METHODS.items())
        + "\nExamples:\n"
        "  micromri ivim dwi.nii.gz maps/ --method bayes\n"
        "  micromri ivim dwi.nii.gz maps/ --method lsq --bvals dwi.bval --mask liver.nii.gz --json\n"
        "  micromri ivim 20240514_mouse07/ maps/ --scan 5 --bvals '0 10 20 50 100 300 800'\n"
        "  micromri ivim b0.nii b20.nii b50.nii b800.nii maps/ --bvals '0 20 50 800'",
    )
    parser.add_argument("input", nargs="+", metavar="IN", help=f"{INPUT_HELP}; or one file per b-value, as in --bvals")
    add_voxel_size(parser)
    add_scan(parser)
    parser.add_argument("output", metavar="OUTDIR", help="folder for D.nii.gz, f.nii.gz, Dp.nii.gz, S0.nii.gz and more")
    parser.add_argument("--overwrite", action="store_true", help="replace the maps in OUTDIR")
    parser.add_argument("--method", choices=METHODS, default="bayes", help="default %(default)s")
    add_b_values(parser)
    add_bounds(parser)
    parser.add_argument("--mask", metavar="FILE", help="fit only where this image on the same grid isn't 0")
    parser.add_argument("--model", metavar="FILE", help=f"trained network, for {', '.join(_LEARNING)} only")
    noisy = "for 'bayes' and 'spatial'"
    parser.add_argument(
        "--sigma", type=float, help=f"{noisy}: noise of one image in its own units (default: estimated)"
    )
    parser.add_argument("--noise", choices=("rician", "gaussian"), help=f"{noisy}: its statistics (default rician)")
    parser.add_argument(
        "--average",
        choices=("arithmetic", "geometric"),
        default="arithmetic",
        help="mean of repeats and directions (default %(default)s)",
    )
    parser.add_argument(
        "--high-b", type=float, metavar="B", help="for 'segmented': D is fitted from this b-value on (default 200)"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, auto (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print a summary as one JSON object")
    parser.set_defaults(run=run)


def add_b_values(parser: argparse.ArgumentParser) -> None:
    """Add the choice of b-values."""
    parser.add_argument(
        "--bvals", metavar="FILE|LIST", help="b-values in s/mm², one per volume, if the scan doesn't state them"
    )


def add_bounds(parser: argparse.ArgumentParser) -> None:
    """Add the limits of the parameters."""
    parser.add_argument(
        "--bounds",
        metavar="LIMITS",
        help="limits of D and D* in mm²/s and of f, e.g. 'D=0,0.004 f=0,0.7 Dp=0.005,0.1'; for segmented, lsq and "
        "networks that are trained",
    )


def run(options: argparse.Namespace) -> int:
    """Fit, write, say how."""
    from napari_micromri.ivim.run import MAP_FILES, fit_to_folder

    for path in map(Path, filter(None, (*options.input, options.mask))):
        if path.name in MAP_FILES and path.resolve().parent == Path(options.output).resolve():
            raise InputError(f"{path} is an input, and would be replaced by a map. Choose another folder.")
    series, model = open_series(options), _model(options)
    started = time.perf_counter()
    with progress_bar("Fitting") as progress:
        summary = fit_to_folder(series, model, options.output, overwrite=options.overwrite, progress=progress)
    seconds = time.perf_counter() - started
    if options.json:
        print_json(asdict(summary) | {"output": options.output, "seconds": round(seconds, 3)})
        return 0
    print(f"Wrote {len(summary.files)} maps into {options.output} in {seconds:.1f} s with {options.method}")
    for line in _lines(summary):
        print(line)
    return 0


def open_series(options: argparse.Namespace) -> Series:
    """Open IN with the b-values and the mask that were named."""
    from napari_micromri.io import open_scan
    from napari_micromri.ivim.series import Series, stack_scans

    mask = choose_scan(open_scan(options.mask), None, options.mask) if options.mask else None
    scans = [choose_scan(open_scan(p, voxel_size=options.voxel_size), options.scan, p) for p in options.input]
    b_values = given_b_values(options)
    if len(scans) == 1:
        return Series.of(scans[0], b_values, mask)
    if len({os.path.realpath(path) for path in options.input}) < len(scans):
        raise InputError("A file is named twice. Name each volume of the series once.")
    if b_values is None:
        raise InputError(f"{len(scans)} files are one series: give the b-value of each with --bvals, in their order.")
    return Series.of(stack_scans(scans, b_values), mask=mask)


def given_b_values(options: argparse.Namespace) -> tuple[float, ...] | None:
    """Read the b-values that ``--bvals`` names or lists."""
    from napari_micromri.ivim.b_values import parse_b_values, read_b_values

    if options.bvals is None:
        return None
    first = options.bvals.replace(",", " ").partition(" ")[0]
    # A long list isn't a path that pathlib could ask for.
    typed = not os.path.exists(options.bvals) and (not first or _is_number(first))
    return parse_b_values(options.bvals) if typed else read_b_values(options.bvals)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def fit_options(options: argparse.Namespace) -> FitOptions:
    """Collect the settings."""
    from napari_micromri.ivim.model import FitOptions
    from napari_micromri.ivim.signal import Bounds

    chosen = {name: value for name in _ONLY_OF if (value := getattr(options, name)) is not None}
    bounds = Bounds.parse(options.bounds or "")
    return FitOptions(average=options.average, bounds=bounds, device=options.device, **chosen)


def _model(options: argparse.Namespace) -> Model:
    from napari_micromri.ivim.methods import make_model

    if options.bounds and (options.model or not METHODS[options.method].bounded):
        bounded = ", ".join(name for name, method in METHODS.items() if method.bounded)
        raise InputError(f"--bounds is for {bounded}, where no trained network is given with --model.")
    for name, methods in _ONLY_OF.items():
        if getattr(options, name) is not None and options.method not in methods:
            raise InputError(f"--{name.replace('_', '-')} is for {', '.join(methods)}, not for '{options.method}'.")
    if options.model is None:
        return make_model(options.method, fit_options(options))
    if not METHODS[options.method].learns:
        raise InputError(f"'{options.method}' has no model file. --model is for {', '.join(_LEARNING)}.")
    from napari_micromri.ivim.estimators.trained import Trained

    return Trained.from_file(options.model, fit_options(options), options.method)


def _lines(summary: Summary) -> list[str]:
    from napari_micromri.ivim.fit import FLAG_WORDS
    from napari_micromri.ivim.signal import PARAMETERS

    lines = [f"Fitted voxels: {summary.voxels}, different b-values: {len(summary.b_values)}"]
    if summary.sigma is not None:
        lines[0] += f", noise {summary.sigma:.4g}"
    for name, parameter in PARAMETERS.items():
        if name in summary.median:
            lines.append(
                f"median {parameter.label} {parameter.factor * summary.median[name]:.3g} {parameter.unit}".rstrip()
            )
    lines += [f"Warning: {count} voxels {FLAG_WORDS[name]}" for name, count in summary.flags.items() if count]
    return lines
