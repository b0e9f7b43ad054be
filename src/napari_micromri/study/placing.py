"""Where pairs stand in a study: their keys, and the folders above them."""

from __future__ import annotations

from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_micromri.errors import StudyError
from napari_micromri.study.changes import change_root
from napari_micromri.study.files import LEVELS, ZARR_JSON, read_json, write_json
from napari_micromri.study.metadata import PAIR_KEY, ROOT_KEY, group_document, section
from napari_micromri.study.model import Assign
from napari_micromri.study.naming import composed, group_name, same_folder, text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from napari_micromri.study.model import Pair

Names: TypeAlias = tuple[str, str, str]
NAMES = ("subject", "region", "plane")


def free_key(subject: str, region: str, plane: str, taken: Collection[str]) -> str:
    """Give the key for one more pair; when there is one of the same names, the plane gets a number.

    Raises
    ------
    StudyError
        A name is empty, too long, or differs from one that stands there only by upper and lower case.
    """
    key = "/".join(map(group_name, (subject, region, plane)))
    number = 2
    while key in taken:
        key = "/".join(map(group_name, (subject, region, f"{plane} {number}")))
        number += 1
    check_key(key, taken)
    return key


def check_key(key: str, taken: Collection[str]) -> None:
    """Refuse a key that can't be a new pair's.

    Raises
    ------
    StudyError
        It isn't a key, is taken, or would be the folder of another one on a disk that ignores case.
    """
    parts = key.split("/")
    if len(parts) != LEVELS or any(not part or group_name(text_of(part)) != part for part in parts):
        raise StudyError(f"'{key}' isn't a key of a pair, which is made of subject, region and plane.")
    if key in taken:
        raise StudyError(f"There is already a pair '{key}' in the study.")
    for other in taken:
        for mine, theirs in zip(parts, other.split("/"), strict=True):
            if mine != theirs and same_folder(mine, theirs):
                names = f"'{text_of(theirs)}' and '{text_of(mine)}'"
                raise StudyError(f"{names} differ only by upper and lower case. Name both alike, or one differently.")
            if mine != theirs:
                break


def make_parents(study: Path, key: str) -> Path:
    """Make the groups above a pair where they are missing; gives the pair's own folder, which isn't made."""
    folder = study
    for part in key.split("/")[:-1]:
        folder = folder / part
        folder.mkdir(exist_ok=True)
        if not (folder / ZARR_JSON).exists():
            write_json({folder / ZARR_JSON: group_document()})
    return study / key


def relabel_pair(study: Path, pair: Pair, names: Names, new: str, others: Collection[Pair]) -> None:
    """Give a pair new names and its folder the new key.

    A crash in between leaves a whole pair, and its subject in its set: the set comes first, then the folder, then the
    names, and what nobody needs any more goes last.
    """
    subjects = {other.subject for other in others}
    if names[0] not in subjects | {pair.subject}:
        with changed_root(study) as root:
            split = root.get("split", {})
            change_root(root, Assign(names[0], split.get(pair.subject)))
    if new != pair.key:
        (study / pair.key).rename(make_parents(study, new))
        _remove_empty_parents(study, pair.key)
    file = study / new / ZARR_JSON
    document = read_json(file)
    section(document, PAIR_KEY).update(zip(NAMES, names, strict=True))
    write_json({file: document})
    with changed_root(study) as root:
        for entry in root.get("planned", []):
            if _names(entry) == (pair.subject, pair.region, pair.plane) and entry.get("session") == pair.session:
                entry.update(zip(NAMES, names, strict=True))
        if pair.subject not in subjects | {names[0]}:
            change_root(root, Assign(pair.subject, None))


@contextmanager
def changed_root(study: Path) -> Iterator[dict[str, Any]]:
    """Give our part of the root's JSON to be changed in place, and write it."""
    file = study / ZARR_JSON
    document = read_json(file)
    before = deepcopy(document)
    yield section(document, ROOT_KEY)
    if document != before:
        write_json({file: document})


def _names(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(composed(str(entry.get(name))) for name in NAMES)


def _remove_empty_parents(study: Path, key: str) -> None:
    """Remove the groups above a pair that went away, when nothing else stands in them."""
    region = (study / key).parent
    for folder in (region, region.parent):
        if any(entry.name != ZARR_JSON for entry in folder.iterdir()):
            return
        (folder / ZARR_JSON).unlink(missing_ok=True)
        folder.rmdir()
