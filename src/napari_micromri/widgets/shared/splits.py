"""What is said of the split of a study into sets; without Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.study.model import SETS, Assign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from napari_micromri.study.model import Pair, Set


def split_counts(pairs: Iterable[Pair], set_of: Callable[[str], Set]) -> dict[Set, tuple[int, int]]:
    """Count subjects and kept slices of each set."""
    subjects: dict[Set, set[str]] = {name: set() for name in SETS}
    slices: dict[Set, int] = dict.fromkeys(SETS, 0)
    for pair in pairs:
        belongs = set_of(pair.subject)
        subjects[belongs].add(pair.subject)
        slices[belongs] += len(pair.kept)
    return {name: (len(subjects[name]), slices[name]) for name in SETS}


def split_summary(pairs: Iterable[Pair], set_of: Callable[[str], Set]) -> str:
    """Say it in a line: "train 19 subjects, 1093 slices; validation 2, 118; test 3, 176"."""
    parts = []
    for k, (name, (subjects, slices)) in enumerate(split_counts(pairs, set_of).items()):
        if k == 0:
            parts.append(f"{name} {subjects} subject{'s' * (subjects != 1)}, {slices} slice{'s' * (slices != 1)}")
        else:
            parts.append(f"{name} {subjects}, {slices}")
    return "; ".join(parts)


def assignments(wanted: Mapping[str, Set], split: Mapping[str, Set]) -> tuple[Assign, ...]:
    """Give the edits that turn the subjects' present sets into those wanted; who stands right is left alone."""
    return tuple(Assign(subject, to) for subject, to in sorted(wanted.items()) if split.get(subject) != to)
