"""Look a study over: what its pairs report, which planned pairs are missing, and whether all pixels are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.errors import CancelledError, StudyError
from napari_micromri.progress import never, no_progress
from napari_micromri.study.model import Finding
from napari_micromri.study.origins import identity, identity_of
from napari_micromri.study.plan import describe_identity
from napari_micromri.study.reading import stored_digest

if TYPE_CHECKING:
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.study.model import Pair
    from napari_micromri.study.store import Study


@dataclass(frozen=True)
class PairCheck:
    """A pair with all that was found: its report from when it was built, and what is wrong with its files now."""

    pair: Pair
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings are let through."""
        return not any(finding.error for finding in self.findings)


@dataclass(frozen=True)
class StudyCheck:
    """What was found in a study.

    Parameters
    ----------
    pairs
        One entry per pair that can be read.
    missing
        Planned pairs that aren't there, in words.
    damaged
        What is wrong with pairs that can't be read, by key.
    """

    pairs: tuple[PairCheck, ...]
    missing: tuple[str, ...]
    damaged: dict[str, str]

    @property
    def ok(self) -> bool:
        """Whether no pair has an error, is missing or damaged."""
        return not self.missing and not self.damaged and all(pair.ok for pair in self.pairs)


def check(
    study: Study, *, pixels: bool = False, progress: Progress = no_progress, should_stop: ShouldStop = never
) -> StudyCheck:
    """Look a study over.

    Parameters
    ----------
    study
        Open.
    pixels
        Read all pixels too and compare their digest with that of when the pair was built.
    progress
        Counts pairs.
    should_stop
        Asked between pairs.

    Raises
    ------
    CancelledError
        ``should_stop`` said so.
    """
    checks = []
    for done, pair in enumerate(study.pairs_by_key.values()):
        if should_stop():
            raise CancelledError("The check was stopped.")
        progress(done, len(study.pairs_by_key))
        checks.append(PairCheck(pair, (*pair.report.findings, *_files(study, pair, pixels=pixels))))
    progress(len(checks), len(checks))
    return StudyCheck(tuple(checks), missing_pairs(study), dict(study.damaged))


def missing_pairs(study: Study) -> tuple[str, ...]:
    """Name the planned pairs that aren't in the study."""
    there = {identity(pair) for pair in study.pairs_by_key.values()}
    wanted = [(identity_of(entry), entry) for entry in study.planned]
    return tuple(
        f"{describe_identity(names)} (LR {entry.get('lr')}, HR {entry.get('hr')})"
        for names, entry in wanted
        if names not in there
    )


def _files(study: Study, pair: Pair, *, pixels: bool) -> list[Finding]:
    missing = study.missing_chunks(pair.key)
    if missing:
        named = [f"{which.upper()} {_ranges([k for w, k in missing if w == which])}" for which in ("lr", "hr")]
        slices = " and ".join(text for text in named if not text.endswith(" "))
        return [Finding(True, f"Pixels are missing: slices {slices}. Copy the study again, or build this pair again.")]
    if not pixels:
        return []
    try:
        same = stored_digest(study.path, pair) == pair.digest
    except StudyError as error:
        return [Finding(True, str(error))]
    return [] if same else [Finding(True, "Its pixels have changed since it was built. Build this pair again.")]


def _ranges(indices: list[int]) -> str:
    """Write 0, 1, 2, 5 as "0-2, 5"."""
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
