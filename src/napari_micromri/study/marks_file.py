"""Marks as a small text file, to be kept or passed on between copies of a study.

The file is JSON with one pair a line. Pairs are found again by subject, region and plane, and by session where both
sides know it, so that colleagues who built their studies themselves can exchange marks as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_micromri.errors import StudyError, describe_os_error, describe_parse_error
from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.small_files import read_small
from napari_micromri.study.blacklist import is_blacklist, slices_of
from napari_micromri.study.changes import check_edit
from napari_micromri.study.metadata import crop_to_json
from napari_micromri.study.model import Assign, Crop, Exclude, Reason, Set, SetCrop
from napari_micromri.study.naming import composed
from napari_micromri.words import what_is_wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_micromri.study.model import Edit, Pair
    from napari_micromri.study.store import Study

FORMAT = 1
_LARGEST = 2**26


@dataclass(frozen=True)
class MarksImport:
    """What became of the marks in a file.

    Parameters
    ----------
    applied
        What was changed in the study.
    conflicts
        In words, where study and file say different things; the study kept its own.
    unknown
        In words, what doesn't fit this study: pairs and subjects that it hasn't, slices and crops that a pair hasn't.
        Of such a pair nothing was taken.
    undo
        The edits that take all of it back; `History.note` makes it one step.
    """

    applied: tuple[Edit, ...]
    conflicts: tuple[str, ...]
    unknown: tuple[str, ...]
    undo: tuple[Edit, ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _PairMarks(_Strict):
    key: str | None = None
    subject: str
    region: str
    plane: str
    session: str | None = None
    slices: int | None = None
    size: list[int] | None = None
    excluded: dict[Annotated[str, Field(pattern="^[0-9]{1,9}$")], Reason] = Field(default_factory=dict)
    crop: Annotated[list[int], Field(min_length=4, max_length=4)] | None = None

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.subject, self.region, self.plane, self.session)))


class _Document(_Strict):
    kind: Literal["micromri-marks"]
    format: Literal[1]
    study: str = ""
    split: dict[str, Set] = Field(default_factory=dict)
    pairs: list[_PairMarks] = Field(default_factory=list)


def export_marks(study: Study, path: Path | str, *, overwrite: bool = False) -> None:
    """Write all marks of a study, the unsaved ones too, into a file.

    Raises
    ------
    OutputExistsError, WriteError
        See `napari_micromri.io.atomic.atomic_output`.
    """
    head = {"kind": "micromri-marks", "format": FORMAT, "study": study.name, "split": dict(study.split)}
    lines = [f'"{name}": {_line(value)}' for name, value in head.items()]
    pairs = ",\n".join(f"  {_line(_describe(pair))}" for pair in study.pairs_by_key.values())
    text = "{\n" + "".join(f"{line},\n" for line in lines) + f'"pairs": [\n{pairs}\n]\n}}\n'
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def import_marks(study: Study, path: Path | str, *, replace: bool = False) -> MarksImport:
    """Add the marks of a file to a study, all at once. A ``BLACKLIST.json`` is taken, too, see `blacklist`.

    Parameters
    ----------
    replace
        Make the marks of the pairs and subjects in the file exactly what the file says. Otherwise slices are excluded
        that either side excludes, and where both say something different, the study keeps its own. Of a blacklist: keep
        again what was excluded before and isn't in the list.

    Raises
    ------
    StudyError
        The file can't be read or isn't a file of marks, or the study can't be changed; then nothing has changed.
    """
    content = _read(Path(path))
    taken = _Taken(study, replace)
    if is_blacklist(content):
        study.refresh()
        taken.blacklist(content)
    else:
        document = _checked(content, path)
        study.refresh()
        for entry in document.pairs:
            taken.pair(entry)
        taken.sets(document)
    undo = study.apply(taken.edits) if taken.edits else []
    return MarksImport(tuple(taken.edits), tuple(taken.conflicts), tuple(taken.unknown), tuple(undo))


class _Taken:
    """Gathers what a file changes, and what it can't."""

    def __init__(self, study: Study, replace: bool) -> None:
        self.study, self.replace = study, replace
        self.edits: list[Edit] = []
        self.conflicts: list[str] = []
        self.unknown: list[str] = []

    def pair(self, entry: _PairMarks) -> None:
        """Take the marks of one pair, if it is here and all of them fit."""
        try:
            pair = _find(self.study, entry)
            wanted = list(_wanted(pair, entry, self.replace))
            for edit in wanted:
                check_edit(edit, self.study.pairs_by_key, self.study.subjects)
        except StudyError as error:
            self.unknown.append(f"{entry}: {str(error).rstrip('.')}")
            return
        for edit in wanted:
            self._take(edit, _standing(pair, edit))

    def blacklist(self, content: dict[str, Any]) -> None:
        """Exclude what a list of bad slices names and nobody has excluded yet."""
        listed, unknown = slices_of(self.study, content)
        self.unknown += unknown
        for pair in self.study.pairs_by_key.values():
            excluded, wanted = pair.marks.excluded, listed.get(pair.key, set())
            self.edits += [Exclude(pair.key, k, "before") for k in sorted(wanted - excluded.keys())]
            freed = [k for k, why in sorted(excluded.items()) if why == "before" and k not in wanted]
            self.edits += [Exclude(pair.key, k, None) for k in freed if self.replace]

    def sets(self, document: _Document) -> None:
        """Take the sets of the subjects that are here."""
        split = {composed(subject): chosen for subject, chosen in document.split.items()}
        self.unknown += [f"There is no subject '{name}'" for name in split if name not in self.study.subjects]
        named = {composed(entry.subject) for entry in document.pairs} if self.replace else set()
        for subject in self.study.subjects:
            if subject in split or subject in named:
                self._take(Assign(subject, split.get(subject)), Assign(subject, self.study.split.get(subject)))

    def _take(self, edit: Edit, standing: Edit) -> None:
        """Take an edit, unless the study says so already or says otherwise."""
        if edit == standing:
            return
        if _value(standing) is None or self.replace:
            self.edits.append(edit)
        else:
            self.conflicts.append(f"{self._words(standing)}, in the file {_value_words(edit)}")

    def _words(self, edit: Edit) -> str:
        if isinstance(edit, Assign):
            return f"{edit.subject} is {_value_words(edit)}"
        if isinstance(edit, SetCrop):
            return f"{edit.key} is cropped {_value_words(edit)}"
        where = self.study.pairs_by_key[edit.key].slice_words(edit.index)
        return f"{edit.key}, slice {where} is excluded {_value_words(edit)}"


def _wanted(pair: Pair, entry: _PairMarks, replace: bool) -> Iterator[Exclude | SetCrop]:
    excluded = {int(index): why for index, why in entry.excluded.items()}
    for index in sorted(excluded.keys() | (pair.marks.excluded.keys() if replace else ())):
        yield Exclude(pair.key, index, excluded.get(index))
    if entry.crop is not None or replace:
        yield SetCrop(pair.key, None if entry.crop is None else Crop(*entry.crop))


def _standing(pair: Pair, edit: Exclude | SetCrop) -> Exclude | SetCrop:
    """Say what stands now where an edit would change something."""
    if isinstance(edit, SetCrop):
        return SetCrop(pair.key, pair.marks.crop)
    return Exclude(pair.key, edit.index, pair.marks.excluded.get(edit.index))


def _value(edit: Edit) -> object:
    if isinstance(edit, Assign):
        return edit.to
    return edit.crop if isinstance(edit, SetCrop) else edit.reason


def _value_words(edit: Edit) -> str:
    if isinstance(edit, Assign):
        return f"in {edit.to}"
    return f"to {crop_to_json(edit.crop)}" if isinstance(edit, SetCrop) else f"for {edit.reason}"


def _find(study: Study, entry: _PairMarks) -> Pair:
    """Find the pair that an entry means.

    Raises
    ------
    StudyError
        There is none, several, or one with other slices.
    """
    names = tuple(map(composed, (entry.subject, entry.region, entry.plane)))
    found = [
        pair
        for pair in study.pairs_by_key.values()
        if (pair.subject, pair.region, pair.plane) == names and _same_session(pair.session, entry.session)
    ]
    if len(found) > 1:
        exact = [pair for pair in found if pair.session == entry.session]
        found = [pair for pair in exact if pair.key == entry.key] or exact
    if len(found) != 1:
        raise StudyError("there are several such pairs" if found else "there is no such pair")
    [pair] = found
    size = [*pair.hr.shape[1:]]
    if entry.slices not in (None, pair.slice_count) or entry.size not in (None, size):
        there, here = (" x ".join(map(str, n)) for n in ((entry.slices, *(entry.size or ())), pair.hr.shape))
        raise StudyError(f"it is {here} here, but {there} in the file")
    return pair


def _same_session(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _describe(pair: Pair) -> dict[str, Any]:
    excluded = {str(index): pair.marks.excluded[index] for index in sorted(pair.marks.excluded)}
    entry = _PairMarks(
        key=pair.key,
        subject=pair.subject,
        region=pair.region,
        plane=pair.plane,
        session=pair.session,
        slices=pair.slice_count,
        size=[*pair.hr.shape[1:]],
        excluded=excluded,
        crop=crop_to_json(pair.marks.crop),
    )
    return entry.model_dump(exclude_none=True)


def _read(path: Path) -> Any:
    try:
        return json.loads(read_small(path, _LARGEST))
    except OSError as error:
        raise StudyError(describe_os_error(error, path)) from error
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{path} isn't a file of marks, or is damaged: {describe_parse_error(error)}.") from error


def _checked(found: Any, path: Path | str) -> _Document:
    if isinstance(found, dict) and isinstance(found.get("format"), int) and found["format"] > FORMAT:
        raise StudyError(f"{path} was written by a newer version of napari-micromri. Update to read it.")
    try:
        return _Document.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise StudyError(f"{path} isn't a file of marks, or is damaged: {where}: {what_is_wrong(first)}.") from error


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
