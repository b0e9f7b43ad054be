"""`micromri measure`: contrast-to-noise ratio and normalised SD in regions that were drawn before."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.cli.console import print_json, progress_bar
from napari_micromri.errors import InputError, OutputExistsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from napari_micromri.cli.console import Commands
    from napari_micromri.measure.comparison import ComparedImage, Comparison
    from napari_micromri.measure.comparison_rows import Row
    from napari_micromri.measure.roi_file import RoiFile

STANDARD_OUTPUT = "-"


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "measure",
        help="measure regions of interest: CNR, normalised SD",
        description="Measure regions of interest on one or several scans of a field of view, each on its own pixels.",
        epilog="Examples:\n"
        "  micromri measure fast.nii.gz denoised.ome.zarr good.nii.gz --rois rois.json --reference good --csv cnr.csv\n"
        "  micromri measure 20240514_mouse07/3/pdata/1/2dseq --rois imagej.zip --csv -\n"
        "  micromri measure denoised/ scans/ --each --rois phantom.json --csv all.csv",
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="scans of one field of view, each in a file")
    parser.add_argument(
        "--each", action="store_true", help="measure every scan by itself; IMAGE may be folders with scans below them"
    )
    parser.add_argument(
        "--rois", required=True, metavar="FILE", help="saved from the dock (.json), or by ImageJ (.roi, .zip)"
    )
    parser.add_argument(
        "--csv", metavar="OUT", help="write the table there, with its settings in OUT.json; - prints it"
    )
    parser.add_argument("--json", action="store_true", help="print the table as a list of objects")
    parser.add_argument("--reference", metavar="NAME", help="image to compare the others with, e.g. the good scan")
    parser.add_argument(
        "--rule",
        choices=("centre", "area"),
        default="centre",
        help="pixels count by their centre, or by the part that is covered (default %(default)s)",
    )
    parser.add_argument(
        "--backgrounds",
        choices=("pooled", "each"),
        default="pooled",
        help="all backgrounds of a slice together, or a row for each (default %(default)s)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, then print or write."""
    from napari_micromri.measure.comparison import Settings, compare
    from napari_micromri.measure.roi_file import load_rois
    from napari_micromri.orientation import to_axes_of

    _check(options)
    if options.each:
        return _run_each(options)
    opened = open_images(options.images)
    images = [replace(image, scan=to_axes_of(image.scan, opened[0].scan)) for image in opened]
    rois = load_rois(options.rois, scan=images[0].scan)
    _warn_of_images(rois, images)
    reference = _named(options.reference, images)
    settings = Settings(rule=options.rule, backgrounds=options.backgrounds, reference=reference)
    with progress_bar("Measuring") as progress:
        found = compare(images, rois.rois, settings, progress=progress)
    _warn_of_nothing(found)
    _tell(found, options)
    return 0


def _run_each(options: argparse.Namespace) -> int:
    """Measure scans one by one; the exit code is 1 when some were left out."""
    from napari_micromri.measure.comparison import Settings
    from napari_micromri.measure.many import compare_each

    settings = Settings(rule=options.rule, backgrounds=options.backgrounds, reference=options.reference)
    with progress_bar("Measuring") as progress:
        found, doubts, left_out = compare_each(options.images, options.rois, settings, progress=progress)
    for name, doubt in doubts.items():
        print(f"micromri: {name}: {doubt}", file=sys.stderr)
    for name, reason in left_out.items():
        print(f"micromri: {name} was left out: {reason}", file=sys.stderr)
    if not found.rows:
        raise InputError("None of the scans could be measured.")
    _tell(found, options)
    return 1 if left_out else 0


def _tell(found: Comparison, options: argparse.Namespace) -> None:
    from napari_micromri.measure.table_file import row_values, rows_as_text, save_table

    if options.csv and options.csv != STANDARD_OUTPUT:
        table, beside = save_table(found, options.csv, overwrite=options.overwrite)
        print(f"Wrote {table} and {beside}", file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print_json([row_values(row) for row in found.rows])
    elif options.csv == STANDARD_OUTPUT:
        sys.stdout.write(rows_as_text(found.rows, delimiter=","))
    elif not options.csv:
        print(as_text(found))


def _check(options: argparse.Namespace) -> None:
    if options.json and options.csv == STANDARD_OUTPUT:
        raise InputError("Only one of --json and --csv - can be printed. Leave one out.")
    if not options.csv or options.csv == STANDARD_OUTPUT or options.overwrite:
        return
    for path in (Path(options.csv), Path(f"{options.csv}.json")):
        if path.exists():
            raise OutputExistsError(path)


def open_images(paths: Sequence[str]) -> list[ComparedImage]:
    """Open scans that are named after their files; a file of several is refused.

    Raises
    ------
    InputError
        A file holds several scans.
    """
    from napari_micromri.io import open_scan
    from napari_micromri.measure.comparison import ComparedImage

    images: list[ComparedImage] = []
    for path in paths:
        scans = open_scan(path)
        if len(scans) > 1:
            raise InputError(f"{path} holds {len(scans)} scans. Save the one to be measured with 'micromri convert'.")
        images.append(ComparedImage(_unused(_stem(path), {image.name for image in images}), scans[0]))
    return images


def _stem(path: str) -> str:
    name = Path(path).resolve().name
    for ending in (".ome.zarr", ".nii.gz"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return Path(name).stem


def _unused(name: str, used: set[str]) -> str:
    number, unused = 1, name
    while unused in used:
        number += 1
        unused = f"{name} ({number})"
    return unused


def _named(reference: str | None, images: Sequence[ComparedImage]) -> str | None:
    """Take the reference by its name in the table or by its file."""
    return (
        None
        if reference is None
        else next((image.name for image in images if reference == image.name), _stem(reference))
    )


def _warn_of_images(rois: RoiFile, images: Sequence[ComparedImage]) -> None:
    from napari_micromri.measure.cautions import one_of_several
    from napari_micromri.measure.roles import overlays

    mismatch = rois.drawn_on.mismatch(images[0].scan) if rois.drawn_on else None
    if mismatch:
        print(f"micromri: {mismatch}", file=sys.stderr)
    for image in images:
        if doubt := one_of_several(image.scan):
            print(f"micromri: {image.name}: {doubt}", file=sys.stderr)
    for image in images[1:]:
        if not overlays(image.scan, images[0].scan):
            print(
                f"micromri: '{image.name}' and '{images[0].name}' cover different fields of view. "
                "Check that the ROIs mean the same tissue in both.",
                file=sys.stderr,
            )


def _warn_of_nothing(found: Comparison) -> None:
    if not any(roi.kind == "roi" for roi in found.rois):
        raise InputError("The file holds backgrounds but no ROI, so there is nothing to measure.")
    if not found.rows:
        raise InputError("No ROI is on a slice of these images. Were they drawn on another scan?")


def as_text(found: Comparison) -> str:
    """Lay the table out for a person, with the cautions below it."""
    header = "image,ROI,slice,n,mean,SD,background SD,contrast,CNR,normalised SD".split(",")
    if found.settings.reference is not None:
        header += ["contrast / reference", "background SD / reference"]
    lines = [tuple(header), *(_cells(row)[: len(header)] for row in found.rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    laid_out = [
        "  ".join(_aligned(cell, width, k) for k, (cell, width) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    ]
    doubts = sorted({f"{row.image}: {one.text}" for row in found.rows for one in row.cautions})
    return "\n".join([*laid_out, *(["", *doubts] if doubts else [])])


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column < 2 else cell.rjust(width)


def _cells(row: Row) -> tuple[str, ...]:
    stats = row.stats
    figures: tuple[Any, ...] = (
        stats.n,
        stats.mean,
        stats.sd,
        row.background_stats.sd,
        row.contrast,
        row.cnr,
        row.normalised_sd,
        row.contrast_to_reference,
        row.background_sd_to_reference,
    )
    index = "" if row.slice_index is None else str(row.slice_index)
    return row.image, row.roi.name, index, *("" if figure != figure else f"{figure:.5g}" for figure in figures)
