"""`micromri runs`, `watch` and `stop`: see how jobs go, wherever they were started, and end them."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from napari_micromri.cli.console import print_json
from napari_micromri.errors import JobError

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands
    from napari_micromri.training.run import Run

LOOK_SECONDS = 0.5
WAIT_SECONDS = 60.0


def add_to(commands: Commands) -> None:
    """Add the commands to the program."""
    runs = commands.add_parser(
        "runs",
        help="list the training runs of a folder",
        description="List the training runs of a folder: their state, best epoch and last update.",
        epilog="Example:\n  micromri runs runs/",
    )
    runs.add_argument("folder", metavar="DIR", help="folder that holds runs")
    runs.add_argument("--json", action="store_true", help="print a JSON list with one object per run")
    runs.set_defaults(run=run_runs)
    watch = commands.add_parser(
        "watch",
        help="follow a training run or another background job",
        description="Show the progress of a training run or another background job until it ends. Ctrl-C ends only "
        "the watching.",
        epilog="Example:\n  micromri watch runs/first",
    )
    watch.add_argument("run_folder", metavar="RUN", help="folder of the run")
    watch.set_defaults(run=run_watch)
    stop = commands.add_parser(
        "stop",
        help="stop a training run or another background job",
        description="Stop a training run after its batch, or another background job after its step; it can be resumed.",
        epilog="Example:\n  micromri stop runs/first",
    )
    stop.add_argument("run_folder", metavar="RUN", help="folder of the run")
    stop.add_argument("--kill", action="store_true", help="end its process at once and keep its last checkpoint")
    stop.set_defaults(run=run_stop)


def run_runs(options: argparse.Namespace) -> int:
    """Print the table."""
    from napari_micromri.training.run import find_runs

    rows = [summary(run) for run in find_runs(options.folder)]
    if options.json:
        print_json(rows)
        return 0
    if not rows:
        print(f"There are no training runs in {options.folder}.")
        return 0
    columns = [("run", "state", "epochs", "best", "MSE", "PSNR (input)", "last sign"), *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*columns, strict=True)]
    for row in columns:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def summary(run: Run) -> dict[str, Any]:
    """Say the main things of a run with JSON-like values."""
    best = run.best
    return {
        "name": run.name,
        "path": str(run.path),
        "state": run.state,
        "message": run.message,
        "epochs_done": len(run.epochs),
        "epochs": run.planned,
        "best_epoch": best.epoch if best else None,
        "best_mse": _finite(best.validation.mse) if best else None,
        "best_psnr": _finite(best.validation.psnr) if best else None,
        "best_ssim": _finite(best.validation.ssim) if best else None,
        "input_mse": _finite(best.baseline.mse) if best else None,
        "input_psnr": _finite(best.baseline.psnr) if best else None,
        "seconds_left": run.seconds_left,
        "age": run.age,
        "model": str(run.model) if run.model else None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    from napari_micromri.runs.words import duration

    psnr = f"{row['best_psnr']:.2f} ({row['input_psnr']:.2f})" if row["best_psnr"] and row["input_psnr"] else "-"
    return (
        row["name"],
        row["state"],
        f"{row['epochs_done']}/{row['epochs']}",
        str(row["best_epoch"] or "-"),
        f"{row['best_mse']:.4g}" if row["best_mse"] is not None else "-",
        psnr,
        f"{duration(row['age'])} ago",
    )


def run_watch(options: argparse.Namespace) -> int:
    """Follow until the end; a job that failed or died is an error."""
    from napari_micromri.cli.train import Bar
    from napari_micromri.runs.kinds import kind_of
    from napari_micromri.runs.reading import EventReader

    kind = kind_of(options.run_folder)
    reader, events = kind.reader(options.run_folder), EventReader(kind.reader.job.folder_of(options.run_folder))
    with ExitStack() as stack:
        bar = Bar(stack)
        while True:
            job = reader.read()
            for event in events.poll():
                bar.take(event)
                if text := kind.words(event):
                    bar.print(text)
            if not job.live:
                break
            if job.at is not None:
                bar.take(job.at)
            time.sleep(LOOK_SECONDS)
    if job.state in ("failed", "died"):
        raise JobError(job.message)
    return 0


def run_stop(options: argparse.Namespace) -> int:
    """Ask, and wait for the answer."""
    from napari_micromri.runs.kinds import kind_of
    from napari_micromri.runs.process import stop_job

    stop_job(options.run_folder, kill=options.kill)
    reader, until = kind_of(options.run_folder).reader(options.run_folder), time.monotonic() + WAIT_SECONDS
    while (job := reader.read()).live and time.monotonic() < until:
        time.sleep(0.1)
    if job.live:
        print("It will stop after its current step.")
    else:
        print(job.message)
    return 0
