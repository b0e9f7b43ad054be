"""`micromri ivim-regions`: mean, SD and median of IVIM maps in labels or regions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.cli.console import choose_scan, print_json

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands

ROI_ENDINGS = (".json", ".roi", ".zip")


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "ivim-regions",
        help="measure IVIM maps in regions",
        description="Mean, SD and median of every map in every region, in the units that the maps are shown in.",
        epilog="Examples:\n"
        "  micromri ivim-regions maps/ organs.nii.gz --csv organs.csv\n"
        "  micromri ivim-regions maps-bayes/ maps-lsq/ rois.json --json",
    )
    parser.add_argument("maps", nargs="+", metavar="MAPS", help="folders that 'micromri ivim' wrote")
    parser.add_argument(
        "regions", metavar="REGIONS", help="labels on the grid of the maps, or ROIs (.json, .roi, .zip)"
    )
    parser.add_argument("--csv", metavar="OUT", help="write the table there, and what it was made of in OUT.json")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    parser.add_argument("--json", action="store_true", help="print the table as a list of objects")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read, measure, print."""
    from napari_micromri.io import open_scan
    from napari_micromri.ivim.maps import read_maps
    from napari_micromri.ivim.regions import label_regions, measure_regions, roi_regions, save_regions
    from napari_micromri.ivim.series import check_same_grid
    from napari_micromri.measure.roi_file import load_rois

    read = {folder: read_maps(folder) for folder in options.maps}
    _, scan = read[options.maps[0]]
    for _, other in read.values():
        check_same_grid(other, scan)
    if options.regions.lower().endswith(ROI_ENDINGS):
        regions = roi_regions(load_rois(options.regions, scan=scan).rois, scan)
    else:
        labels = choose_scan(open_scan(options.regions), None, options.regions)
        regions = label_regions(check_same_grid(labels, scan), scan.shape)
    methods = [fit.method for fit, _ in read.values()]
    alone = len(set(methods)) == len(methods)
    fits = {fit.method if alone else folder: fit for folder, (fit, _) in read.items()}
    rows = measure_regions(fits, regions)
    if options.csv:
        about = {"maps": [str(Path(one).resolve()) for one in options.maps], "regions": options.regions}
        save_regions(rows, options.csv, about, overwrite=options.overwrite)
        print(f"Wrote {options.csv} and {options.csv}.json", file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print_json([{k: v if v == v else None for k, v in row.values.items()} for row in rows])
    elif not options.csv:
        for row in rows:
            s = row.stats
            where = f"{row.region:20} {row.method:10} {row.map:8}"
            print(f"{where} {s.mean:10.4g} ± {s.sd:<10.4g} median {s.median:<10.4g} n {int(s.n)} {row.unit}".rstrip())
    return 0
