"""`micromri info`: what a file, folder or study holds."""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, Any

from napari_micromri.cli.console import add_source, print_json
from napari_micromri.cli.study import list_pairs
from napari_micromri.errors import InputError, ReadError
from napari_micromri.io.formats import STUDY_ENDING

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray

    from napari_micromri.cli.console import Commands
    from napari_micromri.scan import Scan

MEASURED_SLICES = 9
"""Noise is estimated from so many slices: a figure for a person needs no reading of 20 GB."""


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "info",
        help="list the scans in a file, folder or study",
        description="List the scans in a file, folder or ParaVision study, with the estimated noise of every scan.",
        epilog="Example:\n  micromri info 20240514_mouse07/ --json",
    )
    add_source(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object per scan")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the scans of the input."""
    from napari_micromri.io import open_scan

    if options.input.rstrip("/").endswith(STUDY_ENDING):
        return list_pairs(options.input, as_json=options.json)
    try:
        scans = open_scan(options.input, voxel_size=options.voxel_size)
    except ReadError:
        scans = _scans_below(options.input)
        if not scans:
            raise
    described = [describe(scan) for scan in scans]
    if options.json:
        print_json(described)
    else:
        for number, entry in enumerate(described, 1):
            print(as_text(number, entry))
    return 0


def _scans_below(folder: str) -> list[Scan]:
    """Open the scans that lie in a folder which is none itself, and say what can't be opened."""
    from napari_micromri.study.discovery import find_scans

    if not os.path.isdir(folder):
        return []
    found, rejected = find_scans([folder])
    for one in rejected if found else []:
        print(f"micromri: left out: {one.path}: {one.reason}", file=sys.stderr)
    return [entry.scan for entry in found]


def describe(scan: Scan) -> dict[str, Any]:
    """Describe a scan with JSON-like values; noise and snr are None where they can't be estimated."""
    info = scan.info
    sigma, snr = _noise(scan)
    return {
        "name": info.name,
        "shape": list(scan.shape),
        "axes": info.axes,
        "voxel_size_mm": list(info.voxel_size),
        "dtype": str(scan.dtype),
        "subject": info.subject,
        "region": info.region,
        "plane": info.plane,
        "protocol": info.protocol,
        "averages": info.averages,
        "date": info.date,
        "quantity": info.quantity,
        "time_step_s": info.time_step,
        "b_values": None if info.b_values is None else list(info.b_values),
        "warnings": list(info.warnings),
        "noise": sigma,
        "snr": snr,
    }


def _noise(scan: Scan) -> tuple[float | None, float | None]:
    from napari_micromri.measure.noise import estimate_noise

    try:
        estimate = estimate_noise(some_slices(scan))
    except InputError:
        return None, None
    except ReadError as error:
        print(f"micromri: the noise of '{scan.info.name}' is unknown: {error}", file=sys.stderr)
        return None, None
    return _finite(estimate.sigma), _finite(estimate.snr)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def some_slices(scan: Scan) -> NDArray[Any]:
    """Read a few slices spread over the middle of the scan, of its first repetition and weighting.

    Returns
    -------
    (n, rows, columns) array.
    """
    import numpy as np

    *leading, _rows, _columns = scan.shape
    if not leading:
        return scan.read()[np.newaxis]
    count = leading[-1]
    chosen = np.unique(np.linspace(0.1 * (count - 1), 0.9 * (count - 1), MEASURED_SLICES).round().astype(int))
    return np.stack([scan.read((*(0,) * (len(leading) - 1), int(index))) for index in chosen])


def as_text(number: int, entry: dict[str, Any]) -> str:
    """Lay a description out for a person."""
    shape = " × ".join(f"{axis} {size}" for axis, size in zip(entry["axes"], entry["shape"], strict=True))
    voxel = " × ".join(f"{size:g}" for size in entry["voxel_size_mm"])
    lines = [f"{number}  {entry['name']}", f"   {shape}, {entry['dtype']}, voxel {voxel} mm"]
    known = [
        f"{key} {entry[key]}"
        for key in ("subject", "region", "plane", "protocol", "averages", "date", "quantity")
        if entry[key]
    ]
    if known:
        lines.append(f"   {', '.join(known)}")
    if entry["b_values"]:
        lines.append(f"   b-values {', '.join(f'{b:g}' for b in entry['b_values'])} s/mm²")
    if entry["noise"] is not None:
        ratio = "" if entry["snr"] is None else f", SNR about {entry['snr']:.3g}"
        lines.append(f"   noise about {entry['noise']:.3g}{ratio}")
    return "\n".join(lines)
