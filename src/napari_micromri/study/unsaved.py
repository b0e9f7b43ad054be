"""Marks that are kept in memory, on top of a study that can't be written to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_micromri.study.changes import change_pair, change_root
from napari_micromri.study.metadata import marks_from_json, marks_to_json, split_from_json
from napari_micromri.study.model import Assign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_micromri.study.model import Edit, Marks, Set
    from napari_micromri.study.snapshot import Snapshot


class UnsavedMarks:
    """What was changed here, by pair, and the split when it was changed."""

    def __init__(self) -> None:
        self._marks: dict[str, Marks] = {}
        self._split: dict[str, Set] | None = None

    def differ_from(self, disk: Snapshot) -> bool:
        """Tell whether there is anything that isn't on the disk."""
        marks = any(key in disk.pairs and disk.pairs[key].marks != marks for key, marks in self._marks.items())
        return marks or (self._split is not None and self._split != disk.split)

    def over(self, disk: Snapshot) -> Snapshot:
        """Show a snapshot with these marks in place of its own."""
        pairs = {key: replace(p, marks=self._marks[key]) if key in self._marks else p for key, p in disk.pairs.items()}
        return replace(disk, pairs=pairs, split=disk.split if self._split is None else dict(self._split))

    def apply(self, edits: Sequence[Edit], seen: Snapshot) -> list[Edit]:
        """Change the marks as seen; gives the edits that undo it, in the order in which they were done."""
        return [self._change(edit, seen) for edit in edits]

    def _change(self, edit: Edit, seen: Snapshot) -> Edit:
        if isinstance(edit, Assign):
            root: dict[str, Any] = {"split": dict(seen.split if self._split is None else self._split)}
            undo: Edit = change_root(root, edit)
            self._split = split_from_json(root)
            return undo
        found = {"marks": marks_to_json(self._marks.get(edit.key, seen.pairs[edit.key].marks))}
        undo = change_pair(found, edit)
        self._marks[edit.key] = marks_from_json(found["marks"])
        return undo
