"""`micromri denoise IN... --out FOLDER`: many scans, here or in the background or on a cluster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari_micromri.cli.console import first_given, print_json
from napari_micromri.errors import InputError, JobError
from napari_micromri.runs.events import Failed, Stopped
from napari_micromri.words import what_is_wrong

if TYPE_CHECKING:
    import argparse

    from napari_micromri.inference.many.job import ManyFolder

GOOD, FOUND, INTERRUPTED = 0, 1, 130
ALONE = ("scan", "voxel_size", "slices", "uncertainty")
"""Options that mean one scan."""

MANY: dict[str, Any] = {
    "only": "*",
    "name": "{name}",
    "format": ".ome.zarr",
    "workers": 1,
    "scheduler": None,
    "detach": False,
}
"""Options that mean many scans, and what they are when they aren't given."""

OPTIONS = (
    "slice_axis",
    "device",
    "precision",
    "batch_size",
    "quality",
    "noise",
    "strength",
    "dark_air",
    "anyway",
    "steps",
    "draws",
    "eta",
    "seed",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what is only for many scans."""
    group = parser.add_argument_group("many scans")
    group.add_argument(
        "--out", metavar="FOLDER", help="folder for the results; scans that are finished there are skipped"
    )
    group.add_argument("--only", metavar="PATTERN", help="names or protocols to take, e.g. '*RARE*'")
    group.add_argument(
        "--name", metavar="PATTERN", help="of results: {name} {subject} {region} {plane} {protocol} {file} {model}"
    )
    group.add_argument("--format", choices=(".ome.zarr", ".nii.gz", ".nii"), help="default %(default)s")
    group.add_argument("--workers", type=int, metavar="N", help="scans at once (default %(default)s)")
    group.add_argument("--scheduler", metavar="ADDRESS", help="of dask.distributed, e.g. tcp://node01:8786")
    group.add_argument("--detach", action="store_true", help="run in the background and return at once")
    parser.set_defaults(**MANY)


def refuse_with_one(options: argparse.Namespace) -> None:
    """Refuse what only means something for many scans, rather than ignore it.

    Raises
    ------
    InputError
        One of these options was given.
    """
    if option := first_given(options, MANY):
        raise InputError(f"{option} is for many scans. Leave it out, or name a folder for the results with --out.")


def run_many(options: argparse.Namespace) -> int:
    """Make or reopen the job, and work or start it."""
    from napari_micromri.inference.many.job import prepare_many
    from napari_micromri.runs.process import start_job

    if options.scheduler is not None and not re.search(r":\d+/?$", options.scheduler):
        raise InputError(
            f"The address of a scheduler ends in its port, as in tcp://node01:8786, not '{options.scheduler}'."
        )
    if options.json and options.detach:
        raise InputError("--json prints the results, and --detach doesn't wait for them. Leave one out.")
    folder = prepare_many(_request(options), options.out, overwrite=options.overwrite)
    if options.detach:
        start_job(folder)
        print(f"Denoising in the background. Watch it with: micromri watch {options.out}")
        return GOOD
    return work(folder, as_json=options.json)


def _request(options: argparse.Namespace) -> Any:
    from pydantic import ValidationError

    from napari_micromri.inference.many.request import ManyRequest

    if option := first_given(options, dict.fromkeys(ALONE)):
        raise InputError(f"{option} is for a single scan. Leave it out, or omit --out.")
    try:
        return ManyRequest(
            inputs=tuple(options.inputs),
            model=options.model,
            only=options.only,
            name=options.name,
            ending=options.format,
            options={name: value for name in OPTIONS if (value := getattr(options, name, None)) is not None},
            workers=options.workers,
            scheduler=options.scheduler,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"--{first['loc'][0]}: {what_is_wrong(first)}.") from error


def work(folder: ManyFolder, *, as_json: bool = False) -> int:
    """Work on the job here, and end with the table of scans; the exit code is 1 when some were left out."""
    from napari_micromri.cli.train import show
    from napari_micromri.inference.many.job import ManyReader, ScanRefused, run_many, words
    from napari_micromri.runs.record import stop_on_signals

    with stop_on_signals() as should_stop:
        last = show(run_many(folder, should_stop), (lambda _: None) if as_json else words)
    if isinstance(last, Failed):
        raise JobError(last.message)
    job = ManyReader(folder.path).read()
    if as_json:
        print_json([_finite(row) for row in job.rows()])
    if isinstance(last, Stopped):
        return INTERRUPTED
    return FOUND if any(isinstance(scan, ScanRefused) for scan in job.scans.values()) else GOOD


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and value != value else value for key, value in row.items()}
