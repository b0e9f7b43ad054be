"""What the tab "Evaluate" decides and does, without Qt: what may be clicked, what it says, the run and its table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_micromri.measure.evaluation.earlier import find_earlier
from napari_micromri.study.model import SETS
from napari_micromri.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_micromri.measure.evaluation import Evaluation, EvaluationOptions
    from napari_micromri.measure.evaluation.earlier import Earlier
    from napari_micromri.measure.evaluation.tables import Estimate
    from napari_micromri.measure.metrics import Metric
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.study.model import Set
    from napari_micromri.study.store import Study

MOST_NAMES = 3
"""Models that the proposed folder is named after."""


@dataclass(frozen=True)
class SetSize:
    """How much a set of a study has: subjects and slices that are kept."""

    subjects: int
    slices: int

    @property
    def words(self) -> str:
        """Say it."""
        if not self.slices:
            return "empty"
        return f"{counted(self.subjects, 'subject')}, {counted(self.slices, 'slice')}"


@dataclass(frozen=True)
class StudyLook:
    """A study as the tab shows it."""

    path: Path
    name: str
    sizes: Mapping[Set, SetSize]


def look_at(path: Path) -> StudyLook:
    """Open a study and count its sets; only its small JSON files are read.

    Raises
    ------
    StudyError
        It is none, or can't be read.
    """
    from napari_micromri.study.store import Study

    study = Study.open(path)
    return StudyLook(study.path, study.name, {one: _size(study, one) for one in SETS})


def _size(study: Study, split: Set) -> SetSize:
    pairs = [pair for pair in study.pairs(split) if pair.kept]
    return SetSize(len({pair.subject for pair in pairs}), sum(len(pair.kept) for pair in pairs))


def proposed_folder(
    study: Path, name: str, split: Set, models: Sequence[str], steps: int | None = None, draws: int | None = None
) -> Path:
    """Choose a folder beside the study that says what is evaluated."""
    words = [name, split, "+".join(models) if len(models) <= MOST_NAMES else f"{len(models)}-models"]
    words += [f"{steps}-steps"] if steps is not None and steps > 1 else []
    words += [f"{draws}-draws"] if draws is not None and draws > 1 else []
    return study.parent / "-".join(filter(None, words))


@dataclass(frozen=True)
class EvaluateState:
    """What the hint and the buttons depend on.

    Parameters
    ----------
    models
        Names of those that are ticked.
    earlier
        What stands in the folder of the results already.
    problem
        Why the study can't be used, in a sentence.
    """

    study: StudyLook | None
    split: Set = "test"
    models: tuple[str, ...] = ()
    folder: Path | None = None
    earlier: Earlier | None = None
    replace: bool = False
    problem: str | None = None
    running: bool = False
    stopping: bool = False

    @property
    def can_evaluate(self) -> bool:
        """A run can begin now."""
        return self._ready and not (self._holds_another and not self.replace)

    @property
    def can_open(self) -> bool:
        """There is a report to look at."""
        return self.earlier is not None and self.earlier.finished and not self.running

    @property
    def _ready(self) -> bool:
        return bool(self.study and self._slices and self.models and self.folder) and not self.running

    @property
    def _slices(self) -> int:
        return self.study.sizes[self.split].slices if self.study is not None else 0

    @property
    def _holds_another(self) -> bool:
        if self.earlier is None or self.study is None:
            return False
        return not self.earlier.is_of(self.study.name, self.split, self.models)

    @property
    def hint(self) -> str:
        """Say what to do next, or what Evaluate will do."""
        if self.running:
            return "Stopping after this slice…" if self.stopping else "You can keep working in napari meanwhile."
        if self.problem is not None:
            return self.problem
        if self.study is None:
            return "Choose the folder of a study (extension .mri.zarr)."
        if not self._slices:
            return (
                f"The {self.split} set of {self.study.name} is empty. Choose another set, or put subjects into it in "
                "the dock Study and slice curation."
            )
        if not self.models:
            return "Tick the models to compare."
        if self.folder is None:
            return "Choose a folder for the results."
        return self._about_folder()

    def _about_folder(self) -> str:
        found = self.earlier
        if found is None or self.replace:
            return (
                f"Evaluate runs {counted(len(self.models), 'model')} on {counted(self._slices, 'slice')} and compares "
                "with HR, beside the fast scan itself."
            )
        if self._holds_another:
            return f"The folder contains an evaluation of {found.words}. Choose another, or tick Replace."
        if found.finished:
            return "The folder contains this evaluation, finished. Open report shows it; Evaluate brings it up to date."
        return f"The folder contains this evaluation, {counted(found.slices, 'slice')} done. Evaluate resumes it."


@dataclass(frozen=True)
class Request:
    """What is to be evaluated, taken from the window when the button is pressed."""

    study: Path
    split: Set
    models: tuple[str | Path, ...]
    folder: Path
    options: EvaluationOptions


@dataclass(frozen=True)
class Cell:
    """A figure of the table, and its interval for the tooltip."""

    text: str
    tooltip: str = ""


@dataclass(frozen=True)
class Result:
    """What came of it: a line per method, and what is to be said."""

    lines: tuple[tuple[Cell, ...], ...]
    summary: str


def run_request(request: Request, progress: Progress, should_stop: ShouldStop) -> Result:
    """Evaluate; made for a thread.

    Raises
    ------
    MicroMRIError
        See `napari_micromri.measure.evaluation.evaluate`.
    """
    from napari_micromri.measure.evaluation import evaluate
    from napari_micromri.measure.evaluation.command import command_line
    from napari_micromri.study.store import Study

    options = request.options
    command = command_line(request.study, request.models, request.split, request.folder, options)
    found = evaluate(
        Study.open(request.study),
        request.models,
        request.split,
        request.folder,
        replace(options, command=command),
        progress=progress,
        should_stop=should_stop,
    )
    return result_of(found)


def result_of(found: Evaluation) -> Result:
    """Put the means over subjects into a table, and into words what limits them."""
    from napari_micromri.measure.evaluation.evaluator import problem_sentence
    from napari_micromri.measure.evaluation.tables import overall
    from napari_micromri.measure.metrics import METRICS

    lines = tuple(
        (Cell(name), *(_cell(metric, mine[metric.name]) for metric in METRICS))
        for name, mine in overall(found.rows).items()
    )
    slices = len({row.slice_key for row in found.rows})
    said = [f"Means over {counted(len(found.subjects), 'subject')} ({counted(slices, 'slice')})."]
    if found.problems:
        said.append(f"Not measured: {counted(len(found.problems), 'place')}. {problem_sentence(found.problems[0])}")
    return Result(lines, " ".join([*said, *found.cautions]))


def _cell(metric: Metric, estimate: Estimate) -> Cell:
    from napari_micromri.measure.evaluation.summary import interval

    shown = interval(metric, estimate)
    return Cell(metric.shown(estimate.mean), f"95 % interval over subjects: {shown}" if shown else "One subject")


def earlier_in(folder: Path | None) -> Earlier | None:
    """See whether an evaluation stands in a folder."""
    return None if folder is None else find_earlier(folder)
