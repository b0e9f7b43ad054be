"""`micromri study build`: from scans to a study."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.cli.console import first_given, print_json, progress_bar
from napari_micromri.errors import InputError, StudyError
from napari_micromri.scan import PLANES
from napari_micromri.words import counted

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands
    from napari_micromri.study.build import BuildResult
    from napari_micromri.study.plan import Plan

INTERRUPTED = 130
OVERRIDES = ("subject", "region", "plane")
SIMULATED: dict[str, Any] = {"factor": 2.0, "snr": 15.0, "averages": 1, "seed": 0}
"""Options of simulated scans, and their defaults."""


def add_to(commands: Commands) -> None:
    """Add the command below `micromri study`."""
    parser = commands.add_parser(
        "build",
        help="find or simulate pairs and put them into a study",
        description="Find the LR/HR pairs in files and folders, or take them from a table, or simulate LR, and build a "
        "study. Pairs that are there already are left as they are, so an interrupted build is simply started again.",
        epilog="Examples:\n"
        "  micromri study build 20240514_mouse07/ 20240515_mouse08/ mice.mri.zarr\n"
        "  micromri study build scans/ mice.mri.zarr --plan-only plan.csv\n"
        "  micromri study build plan.csv mice.mri.zarr\n"
        "  micromri study build good/ mice.mri.zarr --simulate --snr 15",
    )
    parser.add_argument(
        "sources",
        metavar="SOURCE",
        nargs="+",
        help="folder or file with scans, or a table subject,region,plane,lr,hr (.csv)",
    )
    parser.add_argument("study", metavar="STUDY", help="study to build or to continue, NAME.mri.zarr")
    parser.add_argument(
        "--plan-only", metavar="CSV", help="only write the pairs that were found to a table, to be edited"
    )
    parser.add_argument("--subject", help="subject of all scans, whatever their headers say")
    parser.add_argument("--region", help="of all scans, e.g. head-thorax")
    parser.add_argument("--plane", choices=PLANES, help="of all scans")
    parser.add_argument("--simulate", action="store_true", help="make the LR scan of each pair from the HR scan")
    parser.add_argument("--factor", type=float, help="times fewer rows and columns (default %(default)s)")
    parser.add_argument("--snr", type=float, help="mean foreground over the noise of one average (default %(default)s)")
    parser.add_argument("--averages", type=int, help="of simulated scans (default %(default)s)")
    parser.add_argument("--seed", type=int, help="of the simulated noise (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print a summary as one JSON object")
    parser.set_defaults(run=run, **SIMULATED)


def run(options: argparse.Namespace) -> int:
    """Plan, then build or write the plan; 1 when a pair failed."""
    from napari_micromri.study.build import BuildResult, build

    if not options.study.endswith(".mri.zarr"):
        raise StudyError(f"The last path names the study and ends in .mri.zarr, not '{options.study}'.")
    plan = make_plan(options)
    result = BuildResult()
    if options.plan_only and plan.pairs:
        from napari_micromri.study.table import write_table

        write_table(plan, options.plan_only)
    elif plan.pairs:
        try:
            with progress_bar("Building") as progress:
                result = build(plan, options.study, progress=progress)
        except KeyboardInterrupt:
            print(
                "micromri: interrupted; finished pairs are in the study; the same command continues.", file=sys.stderr
            )
            return INTERRUPTED
    if options.json:
        print_json(_as_json(options, plan, result))
    elif text := _as_text(options, plan, result):
        print(text)
    if not plan.pairs:
        hint = "" if options.simulate else " Name them in a table, or simulate LR with --simulate."
        raise StudyError(f"No pairs were found, so nothing was built.{hint}")
    return 1 if result.failed else 0


def make_plan(options: argparse.Namespace) -> Plan:
    """Read tables and look through the other sources.

    Raises
    ------
    InputError
        Options that don't go together.
    StudyError
        See `plan_from_folders` and `plan_from_csv`.
    """
    from napari_micromri.study.pairing import plan_from_folders
    from napari_micromri.study.plan import Plan, Simulation
    from napari_micromri.study.simulated import plan_simulated
    from napari_micromri.study.table import plan_from_csv

    tables = [source for source in options.sources if Path(source).suffix.lower() == ".csv"]
    scans = [source for source in options.sources if source not in tables]
    said = {name: getattr(options, name) for name in OVERRIDES}
    if tables and (options.simulate or any(said.values())):
        raise InputError(
            f"{tables[0]} names subject, region, plane and both scans itself; leave out --simulate, --subject, "
            "--region and --plane."
        )
    if not options.simulate and (option := first_given(options, SIMULATED)):
        raise InputError(f"{option} is for simulated scans. Leave it out, or add --simulate.")
    plans = [plan_from_csv(table) for table in tables]
    if scans and options.simulate:
        simulation = Simulation(factor=options.factor, snr=options.snr, averages=options.averages, seed=options.seed)
        plans.append(plan_simulated(scans, simulation, **said))
    elif scans:
        plans.append(plan_from_folders(scans, **said))
    return Plan(
        tuple(pair for plan in plans for pair in plan.pairs), tuple(entry for plan in plans for entry in plan.rejected)
    )


def _as_json(options: argparse.Namespace, plan: Plan, result: BuildResult) -> dict[str, Any]:
    return {
        "study": None if options.plan_only or not plan.pairs else options.study,
        "planned": [
            {
                "subject": pair.subject,
                "region": pair.region,
                "plane": pair.plane,
                "session": pair.session,
                "lr": str(pair.lr),
                "hr": str(pair.hr),
                "notes": list(pair.notes),
            }
            for pair in plan.pairs
        ],
        "left_out": [{"path": e.path, "scan": e.scan, "reason": e.reason} for e in plan.rejected],
        "added": list(result.added),
        "already_there": list(result.already_there),
        "failed": [{"pair": str(failure.pair), "reason": failure.reason} for failure in result.failed],
    }


def _as_text(options: argparse.Namespace, plan: Plan, result: BuildResult) -> str:
    lines = []
    for entry in plan.rejected:
        what = entry.path if entry.scan is None else f"{entry.scan} ({entry.path})"
        lines.append(f"left out: {what}\n   {entry.reason}")
    lines += [f"note: {pair}: {note}" for pair in plan.pairs for note in pair.notes]
    lines += [f"failed: {failure.pair}\n   {failure.reason}" for failure in result.failed]
    count = counted(len(plan.pairs), "pair")
    if options.plan_only:
        if plan.pairs:
            lines.append(f"Wrote {count} to {options.plan_only}; build them with that table as SOURCE.")
    elif plan.pairs:
        lines += [f"added: {key}" for key in result.added]
        done = [
            f"{len(result.added)} added",
            f"{len(result.already_there)} already there",
            f"{len(result.failed)} failed",
        ]
        lines.append(f"{count}: {', '.join(done)}")
    return "\n".join(lines)
