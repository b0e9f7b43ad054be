"""`micromri evaluate`: models on a study's test set, with tables and a page to show."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.cli.console import print_json, progress_bar
from napari_micromri.cli.denoise import add_quality
from napari_micromri.errors import CancelledError, StudyError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from napari_micromri.cli.console import Commands
    from napari_micromri.measure.evaluation.evaluator import EvaluationOptions
    from napari_micromri.measure.evaluation.rows import Evaluation, Problem

GOOD, FOUND, INTERRUPTED = 0, 1, 130


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "evaluate",
        help="compare models with HR on a set of a study",
        description="Denoise all kept slices of a set, compare with HR within the crop, and write evaluation.csv, "
        "summary.json and report.html into a folder. Given again, the same command continues where it stopped. "
        "Several studies, or a folder with studies below it, get a folder each and one table, studies.csv. "
        "The exit code is 1 when some slices or studies could not be measured.",
        epilog="Examples:\n"
        "  micromri evaluate mice.mri.zarr --model unet-default --split test --out results\n"
        "  micromri evaluate mice.mri.zarr --model unet-default --model mine.safetensors --out both --rois liver.json\n"
        "  micromri evaluate mice.mri.zarr --model unet-default --model apddm-default --steps 10 --out textured\n"
        "  micromri evaluate studies/ rats.mri.zarr --model unet-default --out all",
    )
    parser.add_argument(
        "studies", metavar="STUDY", nargs="+", help="folder of a study, ending in .mri.zarr, or one that holds studies"
    )
    parser.add_argument(
        "--model", action="append", dest="models", metavar="NAME|FILE", help="may be repeated (default unet-default)"
    )
    parser.add_argument(
        "--split", choices=("train", "validation", "test"), default="test", help="which set (default %(default)s)"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--rois", action="append", default=[], metavar="FILE", help="regions of the Measure dock; may be repeated"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default %(default)s)")
    parser.add_argument(
        "--precision",
        choices=("float32", "auto", "bfloat16", "float16"),
        default="float32",
        help="numbers that the networks compute with (default %(default)s)",
    )
    add_quality(parser)
    group = parser.add_argument_group("diffusion models (APDDM) only")
    group.add_argument("--steps", type=int, metavar="N", help="from 1, faithful (default), to more texture")
    group.add_argument("--draws", type=int, metavar="K", help="random draws per slice, whose mean is the result")
    parser.add_argument("--overwrite", action="store_true", help="replace another evaluation's results in DIR")
    parser.add_argument(
        "--json", action="store_true", help="print summary.json instead of tables, or studies.csv as JSON"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate, print the tables, say where the page is."""
    from napari_micromri.inference import DEFAULT_MODEL
    from napari_micromri.io.formats import STUDY_ENDING
    from napari_micromri.measure.evaluation.evaluator import EvaluationOptions

    chosen = EvaluationOptions(
        rois=tuple(Path(path) for path in options.rois),
        device=options.device,
        precision=options.precision,
        quality=options.quality or "fast",
        dark_air=bool(options.dark_air),
        steps=options.steps,
        draws=options.draws,
        overwrite=options.overwrite,
    )
    models = options.models or [DEFAULT_MODEL]
    one = len(options.studies) == 1 and (
        Path(options.studies[0]).name.endswith(STUDY_ENDING) or not Path(options.studies[0]).is_dir()
    )
    try:
        return (_run_one if one else _run_each)(options, models, chosen)
    except (KeyboardInterrupt, CancelledError):
        print(
            f"micromri: interrupted; what is done is kept in {options.out}, and the same command continues.",
            file=sys.stderr,
        )
        return INTERRUPTED


def _run_one(options: argparse.Namespace, models: Sequence[str], chosen: EvaluationOptions) -> int:
    from napari_micromri.measure.evaluation.command import command_line
    from napari_micromri.measure.evaluation.evaluator import evaluate
    from napari_micromri.study.store import Study

    [path] = options.studies
    chosen = replace(chosen, command=command_line(path, models, options.split, options.out, chosen))
    study = Study.open(path)
    with progress_bar("Evaluating") as progress:
        found = evaluate(study, models, options.split, options.out, chosen, progress=progress)
    _print(found, chosen.command, as_json=options.json)
    return _tell_problems(found.problems)


def _run_each(options: argparse.Namespace, models: Sequence[str], chosen: EvaluationOptions) -> int:
    """Evaluate studies one by one."""
    from napari_micromri.measure.evaluation.many import TABLE, evaluate_each, find_studies
    from napari_micromri.measure.evaluation.summary import studies_text

    studies = find_studies(options.studies)
    with progress_bar("Evaluating") as progress:
        found = evaluate_each(studies, models, options.split, options.out, chosen, progress=progress)
    for path, reason in found.left_out.items():
        print(f"micromri: {path} was left out: {reason}", file=sys.stderr)
    if not found.evaluations:
        raise StudyError("None of the studies could be evaluated.")
    if options.json:
        print_json(found.lines)
    else:
        print(studies_text(found.lines))
        print(f"\nWrote {Path(options.out) / TABLE}, and a folder for each study beside it")
    problems = [problem for evaluation in found.evaluations.values() for problem in evaluation.problems]
    return max(_tell_problems(problems), FOUND if found.left_out else GOOD)


def _tell_problems(problems: Sequence[Problem]) -> int:
    from napari_micromri.measure.evaluation.evaluator import problem_sentence

    for problem in problems:
        print(f"micromri: not measured: {problem_sentence(problem)}", file=sys.stderr)
    return FOUND if problems else GOOD


def _print(found: Evaluation, command: str, *, as_json: bool) -> None:
    from napari_micromri.measure.evaluation.summary import as_text, summarise

    if as_json:
        print_json(summarise(found, command))
        return
    print(as_text(found))
    print(f"\nWrote {found.folder / 'report.html'}")
