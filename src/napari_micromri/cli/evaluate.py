"""`micromri evaluate`: models on a study's test set, with tables and a page to show."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.cli.console import print_json, progress_bar
from napari_micromri.cli.denoise import add_quality
from napari_micromri.errors import CancelledError

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands
    from napari_micromri.measure.evaluation.rows import Evaluation

GOOD, FOUND, INTERRUPTED = 0, 1, 130


def add_to(commands: Commands) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "evaluate",
        help="compare models with HR on a set of a study",
        description="Denoise all kept slices of a set, compare with HR within the crop, and write evaluation.csv, "
        "summary.json and report.html into a folder. Given again, the same command continues where it stopped. "
        "The exit code is 1 when some slices could not be measured.",
        epilog="Examples:\n"
        "  micromri evaluate mice.mri.zarr --model unet-default --split test --out results\n"
        "  micromri evaluate mice.mri.zarr --model unet-default --model mine.safetensors --out both --rois liver.json\n"
        "  micromri evaluate mice.mri.zarr --model unet-default --model apddm-default --steps 10 --out textured",
    )
    parser.add_argument("study", metavar="STUDY", help="folder of the study, ending in .mri.zarr")
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
        "--precision", choices=("float32", "auto", "bfloat16", "float16"), default="float32", help="default %(default)s"
    )
    add_quality(parser)
    group = parser.add_argument_group("diffusion models (APDDM) only")
    group.add_argument("--steps", type=int, metavar="N", help="from 1, faithful (default), to more texture")
    group.add_argument("--draws", type=int, metavar="K", help="random draws per slice, whose mean is the result")
    parser.add_argument("--overwrite", action="store_true", help="replace another evaluation's results in DIR")
    parser.add_argument("--json", action="store_true", help="print summary.json instead of tables")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate, print the tables, say where the page is."""
    from napari_micromri.inference import DEFAULT_MODEL
    from napari_micromri.measure.evaluation.command import command_line
    from napari_micromri.measure.evaluation.evaluator import EvaluationOptions, evaluate, problem_sentence
    from napari_micromri.study.store import Study

    chosen = EvaluationOptions(
        rois=tuple(Path(path) for path in options.rois),
        device=options.device,
        precision=options.precision,
        quality=options.quality or "fast",
        steps=options.steps,
        draws=options.draws,
        overwrite=options.overwrite,
    )
    models = options.models or [DEFAULT_MODEL]
    chosen = replace(chosen, command=command_line(options.study, models, options.split, options.out, chosen))
    study = Study.open(options.study)
    try:
        with progress_bar("Evaluating") as progress:
            found = evaluate(study, models, options.split, options.out, chosen, progress=progress)
    except (KeyboardInterrupt, CancelledError):
        print(
            f"micromri: interrupted; what is done is kept in {options.out}, and the same command continues.",
            file=sys.stderr,
        )
        return INTERRUPTED
    _print(found, chosen.command, as_json=options.json)
    for problem in found.problems:
        print(f"micromri: not measured: {problem_sentence(problem)}", file=sys.stderr)
    return FOUND if found.problems else GOOD


def _print(found: Evaluation, command: str, *, as_json: bool) -> None:
    from napari_micromri.measure.evaluation.summary import as_text, summarise

    if as_json:
        print_json(summarise(found, command))
        return
    print(as_text(found))
    print(f"\nWrote {found.folder / 'report.html'}")
