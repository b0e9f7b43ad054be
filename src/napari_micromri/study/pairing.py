"""Find the LR/HR pairs among many scans, without guessing."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.study.discovery import Found, find_scans
from napari_micromri.study.matching import (
    MAX_ANGLE,
    angle_between,
    contrast_notes,
    lr_first,
    mismatch,
    same_protocol,
    unfit,
)
from napari_micromri.study.plan import UNKNOWN, Plan, PlannedPair, Rejected

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

_NAMED = 3


def plan_from_folders(
    paths: Iterable[str | os.PathLike[str]],
    *,
    subject: str | None = None,
    region: str | None = None,
    plane: str | None = None,
) -> Plan:
    """Pair the scans at and below some paths.

    Two scans are a pair when subject and session are the same (a session that only one of them has doesn't count),
    slices and field of view lie in one place, the sequence is of one kind, and one has a finer matrix or, on the same
    matrix, more averages: that one is HR. Where a scan would fit several others, paths decide that differ by words such
    as ``HIGH RES`` and ``LOW RES`` alone, then equal repetition and echo times; what is still ambiguous is rejected, as
    is everything without a partner, each with the reason.

    Parameters
    ----------
    paths
        Files and folders of any readable format, also mixed.
    subject, region, plane
        Of all scans, whatever they say; None takes what they say.

    Raises
    ------
    StudyError
        A path doesn't exist.
    """
    found, rejected = find_scans(paths, subject=subject, region=region, plane=plane)
    usable, unusable = sort_out(found)
    pairs: list[PlannedPair] = []
    for group in _by(usable, lambda f: f.subject):
        paired, left = _pair_up(group)
        pairs += paired
        unusable += left
    unusable.sort(key=lambda entry: (entry.path, entry.scan or ""))
    return Plan(tuple(with_distinct_regions(pairs)), (*rejected, *unusable))


def sort_out(found: Sequence[Found]) -> tuple[list[Found], list[Rejected]]:
    """Take out what can't be in any pair: repetitions, diffusion weightings, single images, localizers."""
    usable, rejected = [], []
    for group in _by(found, lambda f: f.source.path):
        crossed = _in_several_directions(group)
        for entry in group:
            reason = unfit(entry.scan) or (
                "its slices stand in several directions, as those of a localizer do" if crossed else None
            )
            if reason is None:
                usable.append(entry)
            else:
                rejected.append(entry.reject(reason))
    return usable, rejected


def with_distinct_regions(pairs: Sequence[PlannedPair]) -> list[PlannedPair]:
    """Give pairs that would be called the same a number behind the region, e.g. coronal stacks of unknown regions."""
    counts, seen = Counter(pair.identity for pair in pairs), Counter[tuple[str, ...]]()
    result = []
    for pair in pairs:
        seen[pair.identity] += 1
        if (number := seen[pair.identity]) > 1:
            note = f"{counts[pair.identity]} pairs of {pair} were found, this is number {number}; name their regions"
            result.append(replace(pair, region=f"{pair.region} {number}", notes=(*pair.notes, note)))
        else:
            result.append(pair)
    return result


def _pair_up(group: list[Found]) -> tuple[list[PlannedPair], list[Rejected]]:
    """Pair the scans of one subject."""
    reasons: dict[int, list[tuple[int, str, Found]]] = defaultdict(list)
    partners: dict[int, set[int]] = {k: set() for k in range(len(group))}
    for i, one in enumerate(group):
        for j in range(i + 1, len(group)):
            depth, reason = _compare(one, group[j])
            if reason is None:
                partners[i].add(j)
                partners[j].add(i)
            else:
                reasons[i].append((depth, reason, group[j]))
                reasons[j].append((depth, reason, one))
    chosen = _decided(partners, group)
    pairs, rejected = [], []
    for k, entry in enumerate(group):
        if k in chosen:
            if k < chosen[k]:
                pairs.append(_planned(entry, group[chosen[k]], _contradictions(k, chosen[k], group)))
        elif partners[k]:
            rejected.append(entry.reject(_ambiguous([group[j] for j in sorted(partners[k])])))
        else:
            rejected.append(entry.reject(_lonely(entry, reasons[k])))
    return pairs, rejected


def _compare(one: Found, other: Found) -> tuple[int, str | None]:
    if one.session and other.session and one.session != other.session:
        return -1, f"the sessions differ, '{one.session}' and '{other.session}'"
    known = {region for region in (one.region, other.region) if region != UNKNOWN}
    if len(known) > 1:
        return -1, f"the regions differ, {one.region} and {other.region}"
    return mismatch(one.scan, other.scan) or (0, None)


def _decided(partners: dict[int, set[int]], group: list[Found]) -> dict[int, int]:
    """Choose the partners that are each other's only one, at once or after a clue had its say."""
    chosen = _mutual(partners)
    for clue in (_mirrored, _alike):
        left = {k: {j for j in others if j not in chosen} for k, others in partners.items() if k not in chosen}
        alike = {k: {j for j in others if clue(group[k], group[j])} for k, others in left.items()}
        chosen |= _mutual(alike)
    return chosen


def _mirrored(one: Found, other: Found) -> bool:
    return bool(one.place) and one.place == other.place and one.inside != other.inside


def _alike(one: Found, other: Found) -> bool:
    return same_protocol(one.scan.info, other.scan.info)


def _contradictions(one: int, other: int, group: list[Found]) -> tuple[str, ...]:
    """Name the scans that the folders, but not the headers, would have put in the place of one of a pair."""
    if _mirrored(group[one], group[other]):
        return ()
    mates = [found for k in (one, other) for found in group if found is not group[k] and _mirrored(found, group[k])]
    return tuple(f"by the names of its folders it would belong to {mate.source}, by its header not" for mate in mates)


def _mutual(partners: dict[int, set[int]]) -> dict[int, int]:
    only = {k: next(iter(others)) for k, others in partners.items() if len(others) == 1}
    return {k: j for k, j in only.items() if only.get(j) == k}


def _planned(one: Found, other: Found, notes: tuple[str, ...]) -> PlannedPair:
    low, _ = lr_first(one.scan, other.scan) or (one.scan, other.scan)
    lr, hr = (one, other) if low is one.scan else (other, one)
    return PlannedPair(
        subject=hr.subject,
        region=hr.region if hr.region != UNKNOWN else lr.region,
        plane=hr.plane if hr.plane != UNKNOWN else lr.plane,
        session=hr.session or lr.session,
        lr=lr.source,
        hr=hr.source,
        slice_count=hr.scan.shape[0],
        notes=(*lr.notes, *hr.notes, *contrast_notes(lr.scan.info, hr.scan.info), *notes),
    )


def _ambiguous(candidates: list[Found]) -> str:
    named = ", ".join(f"'{c.scan.info.name}' ({c.source})" for c in candidates[:_NAMED])
    more = f" and {len(candidates) - _NAMED} more" if len(candidates) > _NAMED else ""
    if len(candidates) == 1:
        return f"its only partner {named} fits other scans too; name the right pair in a table"
    return f"it fits {len(candidates)} scans: {named}{more}; name the right one in a table"


def _lonely(entry: Found, reasons: list[tuple[int, str, Found]]) -> str:
    if not reasons:
        return f"there is no other stack of slices of subject '{entry.subject}'"
    _, reason, nearest = max(reasons, key=lambda r: (_mirrored(entry, r[2]), r[0]))
    return f"it has no partner; compared with the most alike, '{nearest.scan.info.name}' ({nearest.source}), {reason}"


def _in_several_directions(group: Sequence[Found]) -> bool:
    """Tell whether the slice packages of one acquisition aren't parallel."""
    if not Path(group[0].source.path, "visu_pars").is_file():  # several DICOM series in a folder are other scans
        return False
    return any((angle_between(group[0].scan.info, other.scan.info) or 0) > MAX_ANGLE for other in group)


def _by(found: Iterable[Found], key: Callable[[Found], str]) -> list[list[Found]]:
    groups: dict[str, list[Found]] = defaultdict(list)
    for entry in found:
        groups[key(entry)].append(entry)
    return list(groups.values())
