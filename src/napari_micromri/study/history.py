"""Undo and redo of marks, one group of edits at a time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_micromri.errors import StudyError
from napari_micromri.study.model import Assign, Exclude, SetCrop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_micromri.study.model import Edit
    from napari_micromri.study.store import Study

LONGEST = 1000
"""Groups of edits that are remembered; older ones can't be undone."""


@dataclass(frozen=True)
class _Step:
    """Edits to apply, and the values that must still stand for that: those that the person saw last."""

    edits: tuple[Edit, ...]
    standing: tuple[Edit, ...]


class History:
    """Changes a study and remembers how to go back and forth.

    What another program changed since is left as it is: a step touches only the marks that still are as this history
    left them.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self._undo: deque[_Step] = deque(maxlen=LONGEST)
        self._redo: deque[_Step] = deque(maxlen=LONGEST)

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return bool(self._redo)

    def do(self, *edits: Edit) -> list[Edit]:
        """Apply edits as one group; gives the edits that undo it.

        Raises
        ------
        StudyError
            See `Study.apply`; then nothing has changed, in the history neither.
        """
        undo = self.study.apply(edits)
        self.note(edits, undo)
        return undo

    def note(self, done: Sequence[Edit], undo: Sequence[Edit]) -> None:
        """Remember a group of edits that was applied already, with what `Study.apply` gave for it."""
        if done:
            self._undo.append(_Step(tuple(undo), _last_of_each(done)))
            self._redo.clear()

    def undo(self) -> list[Edit]:
        """Take back the last group; gives what was applied for that.

        Raises
        ------
        StudyError
            There is nothing to undo, or all of it was changed by another program since; the group is forgotten then.
        """
        return self._step(self._undo, self._redo, "undo")

    def redo(self) -> list[Edit]:
        """Do again what was undone last; as `undo`."""
        return self._step(self._redo, self._undo, "redo")

    def renamed(self, old: str, new: str) -> None:
        """Follow a pair to its new key, so that its marks can still be undone."""
        for steps in (self._undo, self._redo):
            for k, step in enumerate(steps):
                steps[k] = _Step(_with_key(step.edits, old, new), _with_key(step.standing, old, new))

    def _step(self, source: deque[_Step], target: deque[_Step], word: str) -> list[Edit]:
        if not source:
            raise StudyError(f"There is nothing to {word}.")
        step = source[-1]
        self.study.refresh()
        standing = {_place(edit) for edit in step.standing if self._stands(edit)}
        edits = [edit for edit in step.edits if _place(edit) in standing]
        if not edits:
            source.pop()
            raise StudyError(f"Another program changed these marks since, so there is nothing to {word}.")
        back = self.study.apply(edits)
        source.pop()
        target.append(_Step(tuple(back), _last_of_each(edits)))
        return edits

    def _stands(self, edit: Edit) -> bool:
        if isinstance(edit, Assign):
            return edit.subject in self.study.subjects and self.study.split.get(edit.subject) == edit.to
        pair = self.study.pairs_by_key.get(edit.key)
        if pair is None:
            return False
        if isinstance(edit, SetCrop):
            return pair.marks.crop == edit.crop
        return pair.marks.excluded.get(edit.index) == edit.reason


def _place(edit: Edit) -> tuple[str, ...]:
    """Name the one value that an edit changes."""
    if isinstance(edit, Assign):
        return ("set", edit.subject)
    return ("crop", edit.key) if isinstance(edit, SetCrop) else ("slice", edit.key, str(edit.index))


def _last_of_each(edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Keep the edits that say how things stand when all are done."""
    return tuple({_place(edit): edit for edit in edits}.values())


def _with_key(edits: tuple[Edit, ...], old: str, new: str) -> tuple[Edit, ...]:
    return tuple(
        replace(edit, key=new) if isinstance(edit, (Exclude, SetCrop)) and edit.key == old else edit for edit in edits
    )
