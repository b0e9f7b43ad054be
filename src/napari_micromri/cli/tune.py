"""`micromri tune` and `micromri tune-worker`: search for the best settings of a training, here and elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.cli.console import print_json
from napari_micromri.errors import InputError, TrainingError
from napari_micromri.tuning.objectives import OBJECTIVES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from napari_micromri.cli.console import Commands
    from napari_micromri.tuning.config import TuneConfig
    from napari_micromri.tuning.process import WorkerRow
    from napari_micromri.tuning.reading import TuneReader, TuneState

INTERRUPTED = 130
LOOK_SECONDS = 1.0
STOP_SECONDS = 120.0
DEFAULT_PRESET = "quick"
WHAT = ("preset", "config", "set", "space", "objective", "sampler", "pruner", "seed", "name")
"""Options that say what a tuning is; without them one that is there continues."""

REPLACED = 3
"""So many times each worker that died is replaced."""


def add_to(commands: Commands) -> None:
    """Add the commands to the program."""
    tune = commands.add_parser(
        "tune",
        help="search for the best settings of a training",
        description="Try settings with many trainings on a study, and learn from each which to try next. DIR is the "
        "folder of the tuning; given again, it is continued. Each trial is an ordinary run in DIR/runs.",
        epilog="Examples:\n"
        "  micromri tune mice.mri.zarr tunings/first --trials 24 --workers 2\n"
        "  micromri tune mice.mri.zarr tunings/own --print-space > space.toml\n"
        "  micromri tune mice.mri.zarr tunings/own --space space.toml --set epochs=20\n"
        "  micromri tune mice.mri.zarr tunings/lab --storage postgresql://tuner@server/tuning --detach",
    )
    tune.add_argument("study", metavar="STUDY", help="study, NAME.mri.zarr")
    tune.add_argument("tuning", metavar="DIR", help="folder of a new tuning, or of one to continue")
    _add_what(tune)
    _add_how(tune)
    tune.set_defaults(run=run_tune)
    worker = commands.add_parser(
        "tune-worker",
        help="run trials of a tuning, also of one on another machine",
        description="Take trials of a tuning until it is complete. Ctrl-C ends the worker; another one continues "
        "its trial.",
        epilog="Examples:\n"
        "  micromri tune-worker tunings/first\n"
        "  micromri tune-worker postgresql://tuner@server/tuning --name lab --runs /scratch/runs",
    )
    worker.add_argument(
        "where", metavar="DIR|URL", nargs="?", help="folder of the tuning or URL of its storage (or MICROMRI_STORAGE)"
    )
    worker.add_argument("--name", help="name of the tuning, if the storage holds several")
    worker.add_argument("--study", help="path of the study on this machine, if it differs")
    worker.add_argument(
        "--runs", metavar="DIR", help="folder for runs, if this machine can't reach the tuning's folder"
    )
    worker.add_argument("--threads", type=int, help="CPU threads (default: what torch chooses)")
    worker.add_argument("--timeout", type=float, metavar="MINUTES", help="start no new trial after this time")
    worker.set_defaults(run=run_tune_worker)


def _add_what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", help=f"settings that are not searched (default {DEFAULT_PRESET}, or --config)")
    parser.add_argument("--config", metavar="FILE", help="file with such settings, .json or .toml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change such a setting")
    parser.add_argument("--space", metavar="FILE", help="search space as TOML (default: the report's)")
    parser.add_argument("--print-space", action="store_true", help="print the search space as TOML, and exit")
    parser.add_argument(
        "--objective",
        action="append",
        choices=tuple(OBJECTIVES),
        help="objective to optimise; several give a Pareto front (default mse)",
    )
    parser.add_argument("--sampler", help="tpe (default), random, gp, nsgaii, nsgaiii, qmc")
    parser.add_argument("--pruner", help="median (default), hyperband, percentile, successive_halving, threshold, none")
    parser.add_argument("--seed", type=int, help="of the search (default 0)")
    parser.add_argument("--name", help="name of the tuning in its storage (default: that of the folder)")


def _add_how(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trials", type=int, metavar="N", help="finished trials in all (default 50)")
    parser.add_argument("--workers", type=int, default=1, metavar="K", help="workers on this machine (default 1)")
    parser.add_argument("--threads", type=int, help="CPU threads for each worker (default: cores / workers)")
    parser.add_argument("--timeout", type=float, metavar="MINUTES", help="start no new trial after this time")
    parser.add_argument("--storage", metavar="URL", help="Optuna storage for workers on several machines")
    parser.add_argument("--detach", action="store_true", help="start the workers, and return at once")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def run_tune(options: argparse.Namespace) -> int:
    """Make the tuning, start workers, and follow them to the end."""
    from napari_micromri.tuning.process import create_tuning, start_workers
    from napari_micromri.tuning.space_file import to_toml

    config, storage = tune_config(options)
    if options.print_space:
        sys.stdout.write(to_toml(config.space))
        return 0
    if options.workers < 0:
        raise InputError("--workers can't be negative; with 0 none is started here.")
    if options.json and (options.detach or not options.workers):
        raise InputError("--json prints the outcome, and --detach or --workers 0 doesn't wait for it. Leave one out.")
    folder = create_tuning(options.tuning, config, storage=storage)
    if options.workers:
        start_workers(folder.path, options.workers, threads=options.threads)
    if options.detach or not options.workers:
        print(f"The tuning continues in the background. Look at it with: micromri tune-report {folder.path}")
        return 0
    return _follow(folder.path, config.trials, options)


def tune_config(options: argparse.Namespace) -> tuple[TuneConfig, str | None]:
    """Put together what the tuning is told, and the URL of its storage; a tuning that is there continues as it is."""
    from napari_micromri.tuning.config import make_tune_config
    from napari_micromri.tuning.folder import TuneFolder

    folder = TuneFolder(options.tuning)
    if not folder.exists or any(getattr(options, name) for name in WHAT):
        return _new_config(options), options.storage
    settings = folder.read()
    changed = {
        "study": str(Path(options.study).resolve()),
        "trials": settings.config.trials if options.trials is None else options.trials,
        "timeout_minutes": options.timeout,
    }
    return make_tune_config(**dict(settings.config) | changed), options.storage or settings.storage


def _new_config(options: argparse.Namespace) -> TuneConfig:
    from napari_micromri.training.config import make_config
    from napari_micromri.tuning.config import make_tune_config
    from napari_micromri.tuning.space import default_space
    from napari_micromri.tuning.space_file import read_space

    preset = options.preset or (None if options.config else DEFAULT_PRESET)
    named: dict[str, Any] = {
        "sampler": options.sampler,
        "pruner": options.pruner,
        "objectives": options.objective,
        "seed": options.seed,
        "trials": options.trials,
    }
    base = make_config(preset, options.config, options.set)
    return make_tune_config(
        name=options.name or Path(options.tuning).resolve().name,
        study=options.study,
        base=base,
        space=read_space(options.space) if options.space else default_space(base.kind),
        timeout_minutes=options.timeout,
        **{key: value for key, value in named.items() if value is not None},
    )


def _follow(path: Path, trials: int, options: argparse.Namespace) -> int:
    """Show how the tuning goes; Ctrl-C asks the workers to stop, a second time it ends them at once."""
    from napari_micromri.tuning.process import stop_tuning
    from napari_micromri.tuning.reading import TuneReader
    from napari_micromri.tuning.report.text import as_text, summarise

    with TuneReader(path) as reader:
        try:
            _watch(reader, path, trials, options)
        except KeyboardInterrupt:
            print(
                "Stopping. Running trials resume when you repeat the command. Press Ctrl-C again to end them now.",
                file=sys.stderr,
            )
            try:
                stop_tuning(path)
                _wait_for_the_end(path)
            except KeyboardInterrupt:
                stop_tuning(path, kill=True)
            return INTERRUPTED
        state = reader.read()
    if options.json:
        print_json(summarise(state))
    else:
        print(as_text(state))
    return 0


def _watch(reader: TuneReader, path: Path, trials: int, options: argparse.Namespace) -> None:
    """Draw the progress until all workers have ended; those that died are replaced."""
    from tqdm import tqdm

    from napari_micromri.tuning.process import read_workers, start_workers

    state = reader.read()
    known = {row.name for row in read_workers(path) if row.state == "died"}
    most = len(known) + REPLACED * options.workers
    with tqdm(total=trials, unit="trial", file=sys.stderr, disable=None, leave=False, dynamic_ncols=True) as bar:
        while True:
            workers = read_workers(path)
            for row in workers:
                if row.state == "died" and row.name not in known and len(known) < most:
                    known.add(row.name)
                    [name] = start_workers(path, 1, threads=options.threads)
                    bar.write(f"{row.name} died; {name} takes its place.", file=sys.stderr)
            try:
                state = reader.read()
                bar.set_description_str(_progress(state), refresh=False)
            except TrainingError as error:  # a database is restarted, say: the workers wait for it, too
                bar.set_description_str(str(error), refresh=False)
            bar.update(state.finished - bar.n)
            bar.refresh()
            if all(row.state in ("ended", "died") for row in read_workers(path)):
                return _check_the_end(reader.read(), workers, trials)
            time.sleep(LOOK_SECONDS)


def _check_the_end(state: TuneState, workers: Sequence[WorkerRow], total: int) -> None:
    """Say why the workers ended before all trials are finished."""
    if state.finished >= total:
        return
    last = max(workers, key=lambda row: row.since)
    if "time is up" in last.message or last.message == "Stopped.":
        print(last.message, file=sys.stderr)
        return
    raise TrainingError(f"{state.finished} of {total} trials are finished, and no worker is left: {last.message}")


def _wait_for_the_end(path: Path) -> None:
    from napari_micromri.tuning.process import read_workers

    until = time.monotonic() + STOP_SECONDS
    while time.monotonic() < until and any(row.state not in ("ended", "died") for row in read_workers(path)):
        time.sleep(0.2)


def _progress(state: TuneState) -> str:
    best = f", best {_figures(state, state.best[0])}" if state.best else ""
    return f"{state.counts['running']} running, {state.counts['pruned']} pruned, {state.lost} failed{best}"


def _figures(state: TuneState, number: int) -> str:
    values = state.trials[number].values or ()
    return ", ".join(f"{name} {value:.4g}" for name, value in zip(state.objectives, values, strict=False))


def run_tune_worker(options: argparse.Namespace) -> int:
    """Work until the end."""
    from napari_micromri.tuning.address import VARIABLE
    from napari_micromri.tuning.worker_process import run_worker

    where = options.where or os.environ.get(VARIABLE)
    if not where:
        raise InputError(f"Name the tuning's folder, or the URL of its storage (or set {VARIABLE}).")
    logging.getLogger("napari_micromri").setLevel(logging.INFO)
    why = run_worker(
        where,
        tuning_name=options.name,
        study=options.study,
        runs=options.runs,
        threads=options.threads,
        timeout_minutes=options.timeout,
    )
    print(why)
    return INTERRUPTED if why == "Stopped." else 0
