"""`micromri study check`: what the pairs of a study report, and what is missing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_micromri.cli.console import print_json, progress_bar
from napari_micromri.words import counted

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands
    from napari_micromri.study.check import PairCheck, StudyCheck
    from napari_micromri.study.model import StudyImage
    from napari_micromri.study.store import Study


def add_to(commands: Commands) -> None:
    """Add the command below `micromri study`."""
    parser = commands.add_parser(
        "check",
        help="report on every pair, and on missing ones",
        description="Report how well the scans of each pair agree, which planned pairs are missing, and whether all "
        "pixels are there. Exits with 1 if there are errors; warnings don't count.",
        epilog="Examples:\n  micromri study check mice.mri.zarr\n  micromri study check mice.mri.zarr --pixels --json",
    )
    parser.add_argument("study", metavar="STUDY", help="study, NAME.mri.zarr")
    parser.add_argument("--pixels", action="store_true", help="also read all pixels and compare them with their digest")
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check, print; 1 when there are errors."""
    from napari_micromri.study.check import check
    from napari_micromri.study.store import Study

    study = Study.open(options.study)
    with progress_bar("Checking") as progress:
        found = check(study, pixels=options.pixels, progress=progress)
    if options.json:
        print_json(as_json(study, found))
    else:
        print(as_text(found))
    return 0 if found.ok else 1


def as_json(study: Study, found: StudyCheck) -> dict[str, Any]:
    """Give everything with JSON-like values; what could not be measured is None."""
    return {
        "study": str(study.path),
        "ok": found.ok,
        "pairs": [_pair_as_json(study, entry) for entry in found.pairs],
        "missing": list(found.missing),
        "damaged": found.damaged,
    }


def _pair_as_json(study: Study, entry: PairCheck) -> dict[str, Any]:
    pair, report = entry.pair, entry.pair.report
    return {
        "key": pair.key,
        "subject": pair.subject,
        "region": pair.region,
        "plane": pair.plane,
        "session": pair.session,
        "set": study.set_of(pair.subject),
        "slices": pair.slice_count,
        "kept": len(pair.kept),
        "lr": _image_as_json(pair.lr) | {"snr": _finite(report.lr_snr)},
        "hr": _image_as_json(pair.hr) | {"snr": _finite(report.hr_snr)},
        "extent_difference_mm": _finite(report.extent_difference),
        "shift_mm": [_finite(value) for value in report.shift],
        "shift_spread_mm": _finite(report.shift_spread),
        "undone_shift_mm": list(pair.shift),
        "correlation": _finite(report.correlation),
        "intensity_ratio": _finite(report.intensity_ratio),
        "findings": [{"error": finding.error, "text": finding.text} for finding in entry.findings],
    }


def _image_as_json(image: StudyImage) -> dict[str, Any]:
    return {"shape": list(image.shape), "voxel_size_mm": list(image.info.voxel_size), "dtype": image.dtype}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def as_text(found: StudyCheck) -> str:
    """Lay a check out for a person."""
    lines = [line for entry in found.pairs for line in _pair_as_text(entry)]
    lines += [f"missing: {text}" for text in found.missing]
    lines += [f"damaged: {key}: {text}" for key, text in found.damaged.items()]
    findings = [finding for entry in found.pairs for finding in entry.findings]
    errors = sum(finding.error for finding in findings)
    counts = {
        "pair": len(found.pairs),
        "error": errors,
        "warning": len(findings) - errors,
        "missing pair": len(found.missing),
        "damaged pair": len(found.damaged),
    }
    told = [counted(n, what) for what, n in counts.items() if n or what in ("pair", "error", "warning")]
    return "\n".join([*lines, ", ".join(told)])


def _pair_as_text(entry: PairCheck) -> list[str]:
    pair, report = entry.pair, entry.pair.report
    y, x = report.shift
    content = f"{y:.2g} mm down and {x:.2g} mm right{' (undone when read)' if any(pair.shift) else ''}"
    lines = [
        pair.key,
        f"   LR {_image_as_text(pair.lr)}, SNR {report.lr_snr:.3g}",
        f"   HR {_image_as_text(pair.hr)}, SNR {report.hr_snr:.3g}",
        f"   edges differ by {report.extent_difference:.2g} mm, content by {content}",
        f"   correlation {report.correlation:.2f}, signal HR/LR {report.intensity_ratio:.2f}",
    ]
    return lines + [f"   {'ERROR' if finding.error else 'warning'}: {finding.text}" for finding in entry.findings]


def _image_as_text(image: StudyImage) -> str:
    return (
        " × ".join(map(str, image.shape)) + ", voxel " + " × ".join(f"{v:.3g}" for v in image.info.voxel_size) + " mm"
    )
