"""The list of bad slices that some labs keep: ``BLACKLIST.json`` with ids such as ``01HC03``.

An id is MMLPXX: the place MM, from 1, of the animal in the sorted list of all; the region L, H for head-thorax or T
for thorax-abdomen; the plane P, C for coronal, S for sagittal or T for transaxial; the slice XX, from 1. A listed slice
is bad in both scans of its pair.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import StudyError
from napari_micromri.io.atomic import atomic_output
from napari_micromri.study.splitting import in_order, numbers_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_micromri.study.model import Pair
    from napari_micromri.study.store import Study

_ID = re.compile(r"([0-9]{2,})([HT])([CST])([0-9]{2,})")
_REGIONS = {"H": "head-thorax", "T": "thorax-abdomen"}
_PLANES = {"C": "coronal", "S": "sagittal", "T": "transaxial"}


def is_blacklist(content: Any) -> bool:
    """Tell whether a JSON document is such a list."""
    return isinstance(content, dict) and isinstance(content.get("blacklist"), list)


def slices_of(study: Study, content: dict[str, Any]) -> tuple[dict[str, set[int]], list[str]]:
    """Find the slices that a list names.

    Returns
    -------
    slices
        Indices from 0, by the key of the pair.
    unknown
        In words, what isn't an id, or names what this study hasn't or can't be sure to have.
    """
    pairs = _pairs_by_code(study)
    slices: dict[str, set[int]] = defaultdict(set)
    unknown = []
    for name in content["blacklist"]:
        match = _ID.fullmatch(name) if isinstance(name, str) else None
        try:
            if match is None:
                raise StudyError("it isn't an id such as 01HC03")
            place, region, plane, number = int(match[1]), match[2], match[3], int(match[4])
            _check_place(study, place)
            pair = _only(pairs[place, region + plane])
            if not 1 <= number <= pair.slice_count:
                raise StudyError(f"{pair.key} has {pair.slice_count} slices")
            slices[pair.key].add(number - 1)
        except StudyError as error:
            unknown.append(f"{name}: {error}")
    return dict(slices), unknown


def export_blacklist(study: Study, path: Path | str, *, overwrite: bool = False) -> None:
    """Write the excluded slices of a study, for whatever reason, as such a list.

    Raises
    ------
    StudyError
        A pair with excluded slices has no id: another region or plane, or several sessions.
    OutputExistsError, WriteError
        See `napari_micromri.io.atomic.atomic_output`.
    """
    pairs = _pairs_by_code(study)
    codes = {pair.key: code for code, found in pairs.items() for pair in found if len(found) == 1}
    ids = []
    for pair in study.pairs_by_key.values():
        if pair.marks.excluded and pair.key not in codes:
            raise StudyError(
                f"{pair.key} has no id of a blacklist, which knows one head-thorax or thorax-abdomen scan."
            )
        ids += ["{:02}{}{:02}".format(*codes[pair.key], index + 1) for index in pair.marks.excluded]
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps({"blacklist": sorted(ids)}, indent=1) + "\n", encoding="utf-8")


def _pairs_by_code(study: Study) -> dict[tuple[int, str], list[Pair]]:
    """Give the pairs by the place of the animal and the letters of region and plane."""
    places = {subject: place for place, subject in enumerate(in_order(study.subjects), 1)}
    found: dict[tuple[int, str], list[Pair]] = defaultdict(list)
    for pair in study.pairs_by_key.values():
        for letters in _letters(pair):
            found[places[pair.subject], letters].append(pair)
    return found


def _letters(pair: Pair) -> Iterator[str]:
    for first, region in _REGIONS.items():
        for second, plane in _PLANES.items():
            if (pair.region.casefold(), pair.plane.casefold()) == (region, plane):
                yield first + second


def _check_place(study: Study, place: int) -> None:
    """Refuse a place that may mean another animal: numbers in the names say which one is meant."""
    names = in_order(study.subjects)
    if not 1 <= place <= len(names):
        raise StudyError(f"there are {len(names)} animals")
    if numbers_in(names)[names[place - 1]] not in (-1, place):
        raise StudyError(f"animal {place} of this study is '{names[place - 1]}', so the list may mean another one")


def _only(pairs: list[Pair]) -> Pair:
    if len(pairs) != 1:
        raise StudyError("there are several such pairs" if pairs else "there is no such pair")
    return pairs[0]
