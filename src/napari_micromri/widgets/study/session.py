"""An open study with what the dock knows of it: the marks and their history, and what is suspected; without Qt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.study.history import History
from napari_micromri.study.model import Exclude, SetCrop
from napari_micromri.widgets.shared.splits import assignments, split_summary
from napari_micromri.widgets.study.slices import SUSPICIOUS, next_suspicious
from napari_micromri.widgets.study.tree import tree

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.study.marks_file import MarksImport
    from napari_micromri.study.model import Crop, Edit, Pair, Reason, Set
    from napari_micromri.study.quality import Suspicion
    from napari_micromri.study.store import Study
    from napari_micromri.widgets.study.tree import Filter, SubjectRow


def open_session(path: str | os.PathLike[str], progress: Progress, should_stop: ShouldStop) -> Session:
    """Open a study and judge its slices; made for a thread.

    Raises
    ------
    StudyError
        It is no study, or one that can't be read.
    """
    from napari_micromri.study.store import Study

    del progress, should_stop
    return Session(Study.open(Path(path), keep_marks_in_memory=True))


class Session:
    """Changes the marks of a study, each at once and undoable; whoever shows them asks again afterwards.

    Raises
    ------
    StudyError
        From every method that changes a mark, when it can't be saved.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.history = History(study)
        self.suspicions: list[Suspicion] = []
        self.suspected: list[Suspicion] = []
        self.scores: dict[tuple[str, int], Suspicion] = {}
        self.judge()

    def judge(self) -> None:
        """Rank the slices of the whole study again, from what was measured when it was built.

        ``suspected`` are those that should be looked at, most suspicious first.
        """
        from napari_micromri.study.quality import rank

        self.suspicions = rank(self.pairs)
        self.suspected = [found for found in self.suspicions if found.score >= SUSPICIOUS]
        self.scores = {(found.key, found.index): found for found in self.suspicions}

    @property
    def pairs(self) -> list[Pair]:
        """All pairs, in the order of their keys."""
        return list(self.study.pairs_by_key.values())

    def pair(self, key: str | None) -> Pair | None:
        """Look up a pair as it is now; None when it is gone."""
        return self.study.pairs_by_key.get(key) if key is not None else None

    @property
    def _waiting(self) -> list[Suspicion]:
        """The slices that should be looked at and that nobody excluded."""
        pairs = self.study.pairs_by_key
        return [
            found
            for found in self.suspected
            if (pair := pairs.get(found.key)) is not None and found.index not in pair.marks.excluded
        ]

    @property
    def suspicious_keys(self) -> frozenset[str]:
        """Keys of the pairs that have suspicious slices nobody excluded."""
        return frozenset(found.key for found in self._waiting)

    @property
    def undecided(self) -> int:
        """Count the suspicious slices that nobody excluded."""
        return len(self._waiting)

    def rows(self, chosen: Filter) -> tuple[SubjectRow, ...]:
        """Arrange the pairs that pass a filter for the tree."""
        return tree(self.pairs, self.study.set_of, self.suspicious_keys, chosen)

    def next_suspicious(self, key: str | None, index: int) -> tuple[str, int] | None:
        """Find the suspicious slice to look at after this one."""
        return next_suspicious(self.pairs, self.scores, key, index)

    @property
    def summary(self) -> str:
        """The split in a line."""
        return split_summary(self.pairs, self.study.set_of)

    # Marks

    def toggle(self, key: str, index: int, reason: Reason) -> Reason | None:
        """Exclude a kept slice, keep an excluded one; gives the reason that holds then."""
        excluded = self.study.pairs_by_key[key].marks.excluded
        wanted = None if index in excluded else reason
        self.history.do(Exclude(key, index, wanted))
        return wanted

    def change_reason(self, key: str, index: int, reason: Reason) -> bool:
        """Give an excluded slice another reason; False when it isn't excluded or has that reason."""
        if self.study.pairs_by_key[key].marks.excluded.get(index) in (None, reason):
            return False
        self.history.do(Exclude(key, index, reason))
        return True

    def crop(self, crops: Mapping[str, Crop | None]) -> int:
        """Crop pairs as one step of the history; gives how many changed."""
        pairs = self.study.pairs_by_key
        return self._do([SetCrop(key, crop) for key, crop in crops.items() if pairs[key].marks.crop != crop])

    def split(self, wanted: Mapping[str, Set]) -> int:
        """Put subjects into sets as one step of the history; gives how many changed."""
        return self._do(assignments(wanted, self.study.split))

    def _do(self, edits: Sequence[Edit]) -> int:
        if edits:
            self.history.do(*edits)
        return len(edits)

    def take_note(self, result: MarksImport) -> None:
        """Read marks that were imported, and make them one step of the history."""
        self.study.reload()
        self.history.note(result.applied, result.undo)

    def alike(self, key: str) -> tuple[str, ...]:
        """List the pairs of the same region and plane, this one among them."""
        one = self.study.pairs_by_key[key]
        return tuple(pair.key for pair in self.pairs if (pair.region, pair.plane) == (one.region, one.plane))

    def reload(self) -> bool:
        """Look for what another program changed; True when there was something."""
        if not self.study.reload():
            return False
        self.judge()
        return True
