"""Edits of marks on the JSON of a study: checked, applied in place, and turned into the edits that undo them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_micromri.errors import StudyError
from napari_micromri.study.cropping import lr_box
from napari_micromri.study.metadata import crop_from_json, crop_to_json, reason, set_name
from napari_micromri.study.model import Assign, Exclude, SetCrop

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from napari_micromri.study.model import Edit, Pair


def check_edit(edit: Edit, pairs: Mapping[str, Pair], subjects: Collection[str]) -> None:
    """Refuse an edit that doesn't fit the study.

    Raises
    ------
    StudyError
        Unknown pair, subject, reason or set; a slice or a crop that the pair doesn't have.
    """
    try:
        if isinstance(edit, Assign):
            if edit.subject not in subjects:
                raise StudyError(f"There is no subject '{edit.subject}' in the study.")
            if edit.to is not None:
                set_name(edit.to)
            return
        pair = pairs.get(edit.key)
        if pair is None:
            raise StudyError(f"There is no pair '{edit.key}' in the study.")
        if isinstance(edit, SetCrop):
            if edit.crop is not None:
                lr_box(pair, edit.crop)
            return
        if not 0 <= edit.index < pair.slice_count:
            raise StudyError(f"{edit.key} has the slices 0 to {pair.slice_count - 1}, not {edit.index}.")
        if edit.reason is not None:
            reason(edit.reason)
    except ValueError as error:
        raise StudyError(f"This mark can't be set: {error}.") from error


def change_pair(found: dict[str, Any], edit: Exclude | SetCrop) -> Exclude | SetCrop:
    """Change the marks in a pair's JSON; gives the edit that undoes it."""
    marks = found.setdefault("marks", {})
    if isinstance(edit, SetCrop):
        old = crop_from_json(marks.get("crop"))
        marks["crop"] = crop_to_json(edit.crop)
        return SetCrop(edit.key, old)
    excluded = marks.setdefault("excluded", {})
    before = excluded.pop(str(edit.index), None)
    if edit.reason is not None:
        excluded[str(edit.index)] = edit.reason
        marks["excluded"] = dict(sorted(excluded.items(), key=lambda item: int(item[0])))
    return Exclude(edit.key, edit.index, before)


def change_root(found: dict[str, Any], edit: Assign) -> Assign:
    """Change the split in the root's JSON; gives the edit that undoes it."""
    split = found.setdefault("split", {})
    before = split.pop(edit.subject, None)
    if edit.to is not None:
        split[edit.subject] = edit.to
    return Assign(edit.subject, before)
