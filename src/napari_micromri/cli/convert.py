"""`micromri convert`: write a scan in another format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.cli.console import add_input, add_output, check_output, open_one, progress_bar

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "convert",
        help="write a scan as OME-Zarr or NIfTI",
        description="Write a scan as OME-Zarr 0.5 or NIfTI, with its geometry and history.",
        epilog="Example:\n  micromri convert 20240514_mouse07/ t2w.ome.zarr --scan 3",
    )
    add_input(parser)
    add_output(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read, write, say where."""
    from napari_micromri.io import save_scan

    output = check_output(options.output, options.input, overwrite=options.overwrite)
    scan = open_one(options)
    with progress_bar("Converting") as progress:
        written = save_scan(scan, output, overwrite=options.overwrite, progress=progress)
    print(f"Wrote {written}")
    return 0
