"""`micromri simulate`: the fast scan that belongs to a slow one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.cli.console import add_input, add_output, check_output, open_one, progress_bar

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "simulate",
        help="make a fast, noisy scan from a good one",
        description="Make the fast scan that belongs to a good one: k-space crop, complex noise, magnitude.",
        epilog="Example:\n  micromri simulate default.nii.gz fast.nii.gz --factor 2 --snr 15",
    )
    add_input(parser)
    add_output(parser)
    parser.add_argument("--factor", type=float, default=2, help="times fewer rows and columns (default %(default)s)")
    parser.add_argument(
        "--snr", type=float, default=15.0, help="mean foreground over the noise of one average (default %(default)s)"
    )
    parser.add_argument("--averages", type=int, default=1, help="number of averages (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same noise (default %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read, simulate, write, say where."""
    from napari_micromri.io import save_scan
    from napari_micromri.simulation.acquisition import simulate_fast_scan

    output = check_output(options.output, options.input, overwrite=options.overwrite)
    fast = simulate_fast_scan(
        open_one(options),
        factor=options.factor,
        snr=options.snr,
        averages=options.averages,
        seed=options.seed,
    )
    with progress_bar("Simulating") as progress:
        written = save_scan(fast, output, overwrite=options.overwrite, progress=progress)
    print(f"Wrote {written}")
    return 0
