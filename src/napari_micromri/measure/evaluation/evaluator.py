"""Evaluate models on a study: every kept slice of a set is denoised, compared with HR, and reported.

One slice is in memory at a time, and what is done is kept in the folder of the results, so that an evaluation that
was stopped resumes where it was. `run` has the loop, `slices` what is computed for a slice,
`tables` the means and intervals, `files` and `report` what is written.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import StudyError
from napari_micromri.measure.evaluation.files import write_files
from napari_micromri.measure.evaluation.folder import open_journal
from napari_micromri.measure.evaluation.models import check_factor, identify, load_models, options_of, trained_on
from napari_micromri.measure.evaluation.rois import rois_by_pair, rois_digest
from napari_micromri.measure.evaluation.rows import Evaluation, Problem, Setup
from napari_micromri.measure.evaluation.run import Work, measure_pairs
from napari_micromri.measure.evaluation.tables import few_subjects
from napari_micromri.progress import never, no_progress
from napari_micromri.study.naming import natural_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from napari_micromri.inference.options import DenoiseOptions, Precision, Quality
    from napari_micromri.measure.evaluation.files import Images
    from napari_micromri.measure.evaluation.folder import Journal
    from napari_micromri.measure.evaluation.models import Model
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.study.model import Pair, Set
    from napari_micromri.study.store import Study


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """What can be chosen about an evaluation.

    Parameters
    ----------
    rois
        Files of regions; each belongs to the pair that it was drawn on.
    device
        As for `napari_micromri.inference.DenoiseOptions`.
    precision
        float32 by default, so that the figures hardly depend on the device.
    quality, dark_air
        Of all models; as for `napari_micromri.inference.DenoiseOptions`.
    steps, draws
        For the diffusion models; as for `napari_micromri.inference.DenoiseOptions`.
    overwrite
        Replace the results of another evaluation in the folder.
    command
        How the evaluation was asked for; it stands in the report.
    """

    rois: tuple[Path, ...] = ()
    device: str = "auto"
    precision: Precision = "float32"
    quality: Quality = "fast"
    dark_air: bool = False
    steps: int | None = None
    draws: int | None = None
    overwrite: bool = False
    command: str = ""


def evaluate(
    study: Study,
    models: Sequence[Model],
    split: Set,
    out: Path | str,
    options: EvaluationOptions | None = None,
    *,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> Evaluation:
    """Run models on all kept slices of a set, compare with HR within the crop, and write tables and a report.

    Parameters
    ----------
    models
        Names, model files, or loaded models.
    out
        Folder for ``evaluation.csv``, ``summary.json``, ``report.html``, ``slices.jsonl``, and with regions
        ``rois.csv``. An evaluation of the same study and models that was stopped there resumes.
    progress
        Called with the number of finished slices and their total.
    should_stop
        Asked before every slice.

    Raises
    ------
    StudyError, ModelError, InputError, ReadError
        The set is empty, a model isn't there or has another factor than a pair, no model takes these steps or draws, a
        file of regions fits no pair, or nothing could be measured.
    WriteError
        ``out`` holds another evaluation, or can't be written.
    CancelledError
        Stopped; what is done is kept.
    """
    options, out = options or EvaluationOptions(), Path(out)
    work, pairs = _prepare(study, models, split, options)
    setup = Setup(
        study=study.name,
        study_fingerprint=study.fingerprint(split),
        split=split,
        models=identify(work.models, work.options),
        precision=options.precision,
        rois=rois_digest(work.rois),
    )
    with open_journal(out, setup, overwrite=options.overwrite) as journal, ExitStack() as devices:
        for core in work.cores.values():
            devices.enter_context(core)
        problems = list(measure_pairs(work, pairs, journal, progress, should_stop))
        evaluation = _collect(work, setup, pairs, journal, problems, out)
        _write(evaluation, work, pairs, options.command)
    return evaluation


def problem_sentence(problem: Problem) -> str:
    """Say where and what."""
    return f"{problem.place}: {problem.text}"


def _prepare(study: Study, models: Sequence[Model], split: Set, options: EvaluationOptions) -> tuple[Work, list[Pair]]:
    """Refuse what can't be done before any of it is."""
    from napari_micromri.inference.sampling import states_errors
    from napari_micromri.inference.slices import SliceDenoiser

    pairs = [pair for pair in study.pairs(split) if pair.kept]
    if not pairs:
        raise StudyError(
            f"{study.name} has no slice to evaluate in its {split} set. Assign subjects to it, or choose another set."
        )
    loaded = load_models(models)
    for label, model in loaded.items():
        for pair in pairs:
            check_factor(label, model, pair)
    denoising = options_of(loaded, _denoise_options(options))
    cores = {
        label: SliceDenoiser(model, denoising[label], uncertainty=states_errors(model, denoising[label]))
        for label, model in loaded.items()
    }
    return Work(study, loaded, denoising, cores, rois_by_pair(options.rois, pairs)), pairs


def _denoise_options(options: EvaluationOptions) -> DenoiseOptions:
    from napari_micromri.inference import DenoiseOptions
    from napari_micromri.inference.devices import resolve_device

    resolve_device(options.device)
    # One image at a time, so that it comes out the same whatever else is in the batch, also after resuming.
    return DenoiseOptions(
        device=options.device,
        precision=options.precision,
        batch_size=1,
        quality=options.quality,
        dark_air=options.dark_air,
        steps=options.steps,
        draws=options.draws,
    )


def _collect(
    work: Work, setup: Setup, pairs: Sequence[Pair], journal: Journal, problems: Sequence[Problem], folder: Path
) -> Evaluation:
    order = sorted(journal.results, key=lambda place: (natural_key(place[0]), place[1]))
    results = [journal.results[place] for place in order]
    if not results:
        raise StudyError(f"Nothing could be measured. {problem_sentence(problems[0])}")
    subjects = {row.subject for result in results for row in result.rows}
    damaged = [Problem(key, None, text) for key, text in sorted(work.study.damaged.items())]
    return Evaluation(
        setup=setup,
        rows=tuple(row for result in results for row in result.rows),
        rois=tuple(row for result in results for row in result.rois),
        problems=(*damaged, *problems),
        subjects=tuple(sorted(subjects, key=natural_key)),
        cautions=_cautions(work, pairs, subjects),
        folder=folder,
    )


def _cautions(work: Work, pairs: Sequence[Pair], subjects: AbstractSet[str]) -> tuple[str, ...]:
    """Say what keeps the figures from meaning more than they do."""
    found = [*few_subjects(len(subjects))]
    simulated = sum("simulated" in pair.sources.get("lr", {}) for pair in pairs)
    if simulated:
        found.append(
            f"LR of {simulated} of the {len(pairs)} pairs is simulated from HR. Real fast scans may also show motion "
            "and ghosts, and differ in contrast."
        )
    for label, model in work.models.items():
        seen = ", ".join(sorted(subjects & trained_on(model.spec.provenance)))
        if seen:
            found.append(
                f"'{label}' was trained or chosen on subjects with these names, so its figures look too good: {seen}."
            )
    return tuple(found)


def _write(evaluation: Evaluation, work: Work, pairs: Sequence[Pair], command: str) -> None:
    def images(pair: Pair, index: int, label: str) -> Images:
        lr, hr = work.slices(pair, index)
        return lr, work.denoised(index, lr, [label])[label][0], hr

    specs = {label: model.spec for label, model in work.models.items()}
    write_files(evaluation, {pair.key: pair for pair in pairs}, specs, images, command)
