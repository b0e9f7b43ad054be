"""`micromri tune-report`: what a tuning has found out, in words, as a page, as a table, as settings to train with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.cli.console import print_json
from napari_micromri.errors import InputError, OutputExistsError, TrainingError

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands
    from napari_micromri.tuning.state import TrialRow, TuneState


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "tune-report",
        help="report the results of a tuning",
        description="Tell which trial of a tuning is best, which settings matter, and how far the tuning is, also "
        "while it runs. Options write a page with plots, a table of all trials, and the best settings.",
        epilog="Examples:\n"
        "  micromri tune-report tunings/mice\n"
        "  micromri tune-report tunings/mice --html mice.html --csv trials.csv\n"
        "  micromri tune-report tunings/mice --config best.json\n"
        "  micromri train mice.mri.zarr runs/best --config best.json",
    )
    parser.add_argument("tuning", metavar="DIR|URL", help="folder of the tuning, or URL of its storage")
    parser.add_argument("--name", help="name of the tuning, if the storage holds several")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots that works offline")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a table with a row per trial")
    parser.add_argument(
        "--config", type=Path, metavar="FILE.json", help="write the best settings for 'micromri train --config'"
    )
    parser.add_argument(
        "--trial", type=int, metavar="N", help="write the settings of this trial instead of the best one's"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read, write what is asked for, print."""
    from napari_micromri.tuning.reading import read_tuning
    from napari_micromri.tuning.report.text import as_text, summarise

    files = [path for path in (options.html, options.csv, options.config) if path is not None]
    _check(files, options)
    state = read_tuning(options.tuning, name=options.name)
    _write(state, options)
    if options.json:
        print_json(summarise(state))
        return 0
    print(as_text(state))
    for path in files:
        print(f"Wrote {path}")
    return 0


def _check(files: list[Path], options: argparse.Namespace) -> None:
    """Refuse what can't be meant before anything is written."""
    if options.config is not None and options.config.suffix.lower() != ".json":
        raise InputError(f"{options.config} will hold JSON. Let its name end in .json.")
    if options.trial is not None and options.config is None:
        raise InputError("--trial says whose settings --config writes. Give --config FILE.json, too.")
    if len(set(files)) < len(files):
        raise InputError("Two outputs have the same name. Give each its own.")
    for path in files:
        if path.exists() and not options.overwrite:
            raise OutputExistsError(path)


def _write(state: TuneState, options: argparse.Namespace) -> None:
    from napari_micromri.tuning.report.page import write_page
    from napari_micromri.tuning.report.settings_file import write_settings
    from napari_micromri.tuning.report.table import write_table

    if options.config is not None:
        write_settings(options.config, state, _chosen(state, options.trial), overwrite=options.overwrite)
    if options.csv is not None:
        write_table(options.csv, state, overwrite=options.overwrite)
    if options.html is not None:
        write_page(options.html, state, overwrite=options.overwrite)


def _chosen(state: TuneState, number: int | None) -> TrialRow:
    if number is None:
        if not state.best:
            raise TrainingError(f"No trial of {state.name} is done yet, so there are no best settings.")
        return state.best_rows[0]
    if not 0 <= number < len(state.trials):
        raise InputError(f"There is no trial {number} in {state.name}; it has {len(state.trials)}, counted from 0.")
    return state.trials[number]
