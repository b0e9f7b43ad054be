"""Evaluate models on several studies, each by itself, with one table over all of them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import InputError, MicroMRIError, OutputExistsError, StudyError
from napari_micromri.io.formats import STUDY_ENDING
from napari_micromri.measure.evaluation.command import command_line
from napari_micromri.measure.evaluation.evaluator import EvaluationOptions, evaluate
from napari_micromri.measure.evaluation.files import write_table
from napari_micromri.measure.evaluation.rois import rois_by_pair
from napari_micromri.measure.evaluation.tables import overall
from napari_micromri.measure.metrics import METRICS
from napari_micromri.progress import never, no_progress
from napari_micromri.study.store import Study

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_micromri.measure.evaluation.models import Model
    from napari_micromri.measure.evaluation.rows import Evaluation, SliceRow
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.study.model import Set

ALL, TABLE = "all", "studies.csv"
COLUMNS = ("study", "method", "subjects", "slices", *(metric.column for metric in METRICS))


@dataclass(frozen=True)
class StudyEvaluations:
    """What came of each study, by its name, and why others were left out, by their paths."""

    evaluations: Mapping[str, Evaluation]
    left_out: Mapping[str, str]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Mean figures of every method on each study, and over the subjects of all of them."""
        rows = {name: found.rows for name, found in self.evaluations.items()}
        together = {ALL: tuple(_of_study(row, name) for name, mine in rows.items() for row in mine)}
        return [line for name, mine in (rows | together).items() for line in _lines(name, mine)]


def find_studies(paths: Iterable[str | os.PathLike[str]]) -> dict[str, Path]:
    """Find the studies at and below some paths, by names that tell them apart; folders in a study aren't looked into.

    Raises
    ------
    StudyError
        A path isn't there, or there is no study below any.
    """
    found: list[Path] = []
    given = [Path(path) for path in paths]
    for path in given:
        if not path.exists():
            raise StudyError(f"{path} does not exist. Check the spelling, and that the disk is connected.")
        found += _below(path)
    if not found:
        places = ", ".join(map(str, given))
        raise StudyError(f"There is no study ({STUDY_ENDING}) at or below {places}. 'micromri study build' makes one.")
    return _named(list(dict.fromkeys(path.resolve() for path in found)))


def evaluate_each(
    studies: Mapping[str, Path],
    models: Sequence[Model],
    split: Set,
    out: Path | str,
    options: EvaluationOptions | None = None,
    *,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> StudyEvaluations:
    """Evaluate models on each study into a folder of its name, and write ``studies.csv`` beside these folders.

    A study that can't be evaluated is left out with the reason. An evaluation that was stopped is continued.

    Parameters
    ----------
    studies
        As `find_studies` gives them.
    options
        As in `evaluate`; each file of regions counts for the studies that have the pair that it was drawn on.

    Raises
    ------
    InputError
        A file of regions fits no study.
    OutputExistsError
        ``out`` has another ``studies.csv``.
    CancelledError
        Stopped; what is done is kept.
    """
    options, out = options or EvaluationOptions(), Path(out)
    _check_table(out / TABLE, options)
    opened, left_out = _open(studies)
    counts = {name: sum(len(pair.kept) for pair in study.pairs(split)) for name, study in opened.items()}
    regions = {name: _regions_of(study, split, options.rois) for name, study in opened.items()}
    for path in options.rois:
        if not any(path in mine for mine in regions.values()):
            raise InputError(f"{path} was drawn on no pair of the {split} sets of these studies.")
    found: dict[str, Evaluation] = {}
    for before, name in enumerate(opened):
        start = sum(list(counts.values())[:before])
        chosen = replace(options, rois=regions[name])
        named = [model for model in models if isinstance(model, (str, Path))]
        chosen = replace(chosen, command=command_line(studies[name], named, split, out / name, chosen))

        def tell(done: int, _total: int, start: int = start) -> None:
            progress(start + done, sum(counts.values()))

        try:
            found[name] = evaluate(
                opened[name], models, split, out / name, chosen, progress=tell, should_stop=should_stop
            )
        except StudyError as error:
            left_out[str(studies[name])] = str(error)
    result = StudyEvaluations(found, left_out)
    if found:
        write_table(out / TABLE, COLUMNS, result.lines)
    return result


def _below(path: Path) -> list[Path]:
    if path.name.endswith(STUDY_ENDING):
        return [path]
    found = []
    for folder, names, _ in os.walk(path):
        found += [Path(folder, name) for name in sorted(names) if name.endswith(STUDY_ENDING)]
        names[:] = sorted(name for name in names if not name.endswith(".zarr") and name[0] != ".")
    return found


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """Name studies after their folders; those of the same name after as many folders above as tell them apart."""
    names = {path: path.name.removesuffix(STUDY_ENDING) for path in paths}
    counts = Counter(names.values())
    longer = {
        path: "_".join((*path.parent.parts[-2:], name)) if counts[name] > 1 else name for path, name in names.items()
    }
    if len(set(longer.values())) < len(paths):
        longer = {path: "_".join((*path.parent.parts[1:], name)) for path, name in names.items()}
    return {name: path for path, name in longer.items()}


def _open(studies: Mapping[str, Path]) -> tuple[dict[str, Study], dict[str, str]]:
    opened, left_out = {}, {}
    for name, path in studies.items():
        try:
            opened[name] = Study.open(path)
        except MicroMRIError as error:
            left_out[str(path)] = str(error)
    return opened, left_out


def _regions_of(study: Study, split: Set, files: Sequence[Path]) -> tuple[Path, ...]:
    pairs = [pair for pair in study.pairs(split) if pair.kept]

    def fits(path: Path) -> bool:
        try:
            return bool(pairs and rois_by_pair([path], pairs))
        except InputError:
            return False

    return tuple(path for path in files if fits(path))


def _check_table(path: Path, options: EvaluationOptions) -> None:
    """Let only a table of ours be written again."""
    if path.exists() and not options.overwrite:
        with path.open(encoding="utf-8", errors="replace") as stream:
            if stream.readline().strip() != ",".join(COLUMNS):
                raise OutputExistsError(path)


def _of_study(row: SliceRow, study: str) -> SliceRow:
    """Tell animals of one name in two studies apart."""
    return replace(row, subject=f"{study}/{row.subject}", key=f"{study}/{row.key}")


def _lines(study: str, rows: Sequence[SliceRow]) -> list[dict[str, Any]]:
    lines = []
    for method, figures in overall(rows).items():
        mine = [row for row in rows if row.method == method]
        names: dict[str, Any] = {"study": study, "method": method, "slices": len(mine)}
        names["subjects"] = len({row.subject for row in mine})
        lines.append(names | {metric.column: figures[metric.name].mean for metric in METRICS})
    return lines
