"""`micromri calibrate`: how large the errors of a trained model are, measured and written into its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.cli.console import progress_bar

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "calibrate",
        help="measure the errors of a trained model",
        description="Denoise the validation slices of a run, measure how far the results are from the good scans, and "
        "write that into the run's model. 'micromri denoise --uncertainty' then says, pixel by pixel, within which "
        "width 90 % of the errors lie.",
        epilog="Example:\n  micromri calibrate runs/first",
    )
    parser.add_argument("run_folder", metavar="RUN", help="folder of the run")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, write, say how large they are."""
    from napari_micromri.training.calibration import calibrate

    with progress_bar("Calibrating") as progress:
        table = calibrate(options.run_folder, progress=progress)
    print(f"Wrote the errors into the model of {options.run_folder}")
    for noise, rows in zip(table.noise, table.widths, strict=True):
        flat = [width for row in rows for width in row]
        print(f"  noise {noise:.1%} of the mean: {table.coverage:.0%} within {min(flat):.1%} to {max(flat):.1%} of it")
    return 0
