"""`micromri study`: build, check, list and split a study, and share its marks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from napari_micromri.cli import study_build, study_check
from napari_micromri.cli.console import first_given, print_json
from napari_micromri.errors import InputError
from napari_micromri.words import counted

if TYPE_CHECKING:
    from napari_micromri.cli.console import Commands
    from napari_micromri.study.model import Assign, Set
    from napari_micromri.study.store import Study


AT_RANDOM = {"validation": 0.1, "test": 0.2, "seed": 0}
"""Options of a random split, and their defaults."""


def add_to(commands: Commands) -> None:
    """Add the command and those below it to the program."""
    parser = commands.add_parser(
        "study",
        help="build, check, list and split a study of LR/HR pairs",
        description="Build, check, list and split a study of LR/HR pairs, and share its marks.",
        epilog="Examples:\n"
        "  micromri study build 20240514_mouse07/ 20240515_mouse08/ mice.mri.zarr\n"
        "  micromri study check mice.mri.zarr\n"
        "  micromri study split mice.mri.zarr --random --seed 1",
    )
    below = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    study_build.add_to(below)
    study_check.add_to(below)
    _add_list(below)
    _add_split(below)
    _add_marks(below)
    for subparser in below.choices.values():
        subparser.formatter_class = argparse.RawDescriptionHelpFormatter
        # Without a default of its own, so that it doesn't hide the one before the command's name.
        subparser.add_argument(
            "--debug",
            action="store_true",
            default=argparse.SUPPRESS,
            help="show the traceback when something goes wrong",
        )


def _add_list(commands: Commands) -> None:
    parser = commands.add_parser(
        "list",
        help="list the pairs with their sets and kept slices",
        description="List the pairs of a study with their sets, kept slices and warnings.",
        epilog="Example:\n  micromri study list mice.mri.zarr --json",
    )
    parser.add_argument("study", metavar="STUDY", help="study, NAME.mri.zarr")
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object per pair")
    parser.set_defaults(run=run_list)


def run_list(options: argparse.Namespace) -> int:
    """Print one line per pair."""
    return list_pairs(options.study, as_json=options.json)


def list_pairs(path: str, *, as_json: bool) -> int:
    """Print one line or one object per pair."""
    from napari_micromri.study.store import Study

    study = Study.open(path)
    rows = [
        {
            "key": pair.key,
            "subject": pair.subject,
            "region": pair.region,
            "plane": pair.plane,
            "session": pair.session,
            "set": study.set_of(pair.subject),
            "slices": pair.slice_count,
            "kept": len(pair.kept),
            "cropped": pair.marks.crop is not None,
            "errors": sum(finding.error for finding in pair.report.findings),
            "warnings": sum(not finding.error for finding in pair.report.findings),
        }
        for pair in study.pairs_by_key.values()
    ]
    if as_json:
        print_json(rows)
        return 0
    width = max((len(str(row["key"])) for row in rows), default=0)
    for row in rows:
        notes = [f"{row[what]} {what}" for what in ("errors", "warnings") if row[what]]
        notes += ["cropped"] if row["cropped"] else []
        kept = f"{row['kept']} of {row['slices']} slices kept"
        print(f"{row['key']:<{width}}  {row['set']:<10}  {', '.join([kept, *notes])}")
    return 0


def _add_split(commands: Commands) -> None:
    parser = commands.add_parser(
        "split",
        help="assign subjects to training, validation and test",
        description="Put subjects, with all their pairs, into the sets train, validation and test. Without an option, "
        "print the sets as they are.",
        epilog="Examples:\n"
        "  micromri study split mice.mri.zarr --preset report\n"
        "  micromri study split mice.mri.zarr --random --validation 0.1 --test 0.2 --seed 0\n"
        "  micromri study split mice.mri.zarr --set validation=mouse06,mouse10 --set test=mouse07",
    )
    parser.add_argument("study", metavar="STUDY", help="study, NAME.mri.zarr")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--preset", choices=("report",), help="report: validation 6, 10; test 7, 16, 22; the rest trains")
    how.add_argument("--random", action="store_true", help="at random, the same for the same seed")
    how.add_argument(
        "--set",
        action="append",
        type=_assignments,
        metavar="SET=SUBJECT,...",
        help="these; the others stay (repeatable)",
    )
    parser.add_argument("--validation", type=float, help="fraction of subjects with --random (default %(default)s)")
    parser.add_argument("--test", type=float, help="fraction of subjects with --random (default %(default)s)")
    parser.add_argument("--seed", type=int, help="with --random (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the subjects of each set as one JSON object")
    parser.set_defaults(run=run_split, **AT_RANDOM)


def _assignments(text: str) -> list[Assign]:
    from napari_micromri.study.metadata import set_name
    from napari_micromri.study.model import SETS, Assign

    word, _, subjects = text.partition("=")
    try:
        chosen = set_name(word.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' doesn't begin with {'=, '.join(SETS[:-1])}= or {SETS[-1]}="
        ) from None
    named = [subject.strip() for subject in subjects.split(",") if subject.strip()]
    if not named:
        raise argparse.ArgumentTypeError(f"'{text}' names no subject")
    return [Assign(subject, chosen) for subject in named]


def run_split(options: argparse.Namespace) -> int:
    """Assign, and print the sets."""
    from napari_micromri.study.model import SETS
    from napari_micromri.study.store import Study

    study = Study.open(options.study)
    if edits := _edits(study, options):
        study.apply(edits)
    sets: dict[str, list[str]] = {name: [s for s in study.subjects if study.set_of(s) == name] for name in SETS}
    if options.json:
        print_json(sets)
        return 0
    for name, subjects in sets.items():
        pairs = sum(pair.subject in subjects for pair in study.pairs_by_key.values())
        counts = f"{counted(len(subjects), 'subject')}, {counted(pairs, 'pair')}"
        print(f"{name:<10}  {counts}: {', '.join(subjects) or '-'}")
    return 0


def _edits(study: Study, options: argparse.Namespace) -> list[Assign]:
    from napari_micromri.study.model import Assign
    from napari_micromri.study.splitting import preset_report, random_split

    if not options.random and (option := first_given(options, AT_RANDOM)):
        raise InputError(f"{option} is for a random split. Leave it out, or add --random.")
    if options.set:
        edits = [edit for group in options.set for edit in group]
        for subject in {edit.subject for edit in edits}:
            if len(sets := {edit.to for edit in edits if edit.subject == subject}) > 1:
                raise InputError(
                    f"'{subject}' can't be in {' and '.join(sorted(map(str, sets)))}. Name one set for it."
                )
        return edits
    wanted: dict[str, Set] = {}
    if options.preset:
        wanted = preset_report(study.subjects)
    elif options.random:
        wanted = random_split(study.subjects, validation=options.validation, test=options.test, seed=options.seed)
    return [Assign(subject, chosen) for subject, chosen in wanted.items()]


def _add_marks(commands: Commands) -> None:
    out = commands.add_parser(
        "export-marks",
        help="write the marks to a small text file",
        description="Write excluded slices, crops and sets to a small text file for a colleague.",
        epilog="Examples:\n"
        "  micromri study export-marks mice.mri.zarr marks.json\n"
        "  micromri study export-marks mice.mri.zarr BLACKLIST.json --blacklist",
    )
    out.add_argument("study", metavar="STUDY", help="study, NAME.mri.zarr")
    out.add_argument("file", metavar="FILE", help="file to write")
    out.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    out.add_argument(
        "--blacklist", action="store_true", help="write only the excluded slices, as ids such as 01HC03 (see the docs)"
    )
    out.set_defaults(run=run_export)
    back = commands.add_parser(
        "import-marks",
        help="apply the marks in a text file",
        description="Take excluded slices, crops and sets from a file of export-marks, or excluded slices from a "
        "BLACKLIST.json with ids such as 01HC03. Where the study says otherwise, it keeps its own unless --replace is "
        "given.",
        epilog="Example:\n  micromri study import-marks mice.mri.zarr marks.json",
    )
    back.add_argument("study", metavar="STUDY", help="study, NAME.mri.zarr")
    back.add_argument("file", metavar="FILE", help="file written by export-marks")
    back.add_argument("--replace", action="store_true", help="replace the study's own marks where the file differs")
    back.set_defaults(run=run_import)


def run_export(options: argparse.Namespace) -> int:
    """Write, say where."""
    from napari_micromri.study.blacklist import export_blacklist
    from napari_micromri.study.marks_file import export_marks
    from napari_micromri.study.store import Study

    write = export_blacklist if options.blacklist else export_marks
    write(Study.open(options.study), options.file, overwrite=options.overwrite)
    print(f"Wrote {options.file}")
    return 0


def run_import(options: argparse.Namespace) -> int:
    """Read, apply, say what; 1 when something was not taken."""
    from napari_micromri.study.marks_file import import_marks
    from napari_micromri.study.store import Study

    result = import_marks(Study.open(options.study), options.file, replace=options.replace)
    print(f"{counted(len(result.applied), 'mark')} {'was' if len(result.applied) == 1 else 'were'} taken.")
    for what in result.conflicts:
        print(f"kept as it was: {what}")
    for what in result.unknown:
        print(f"not in this study: {what}")
    return 1 if result.conflicts or result.unknown else 0
