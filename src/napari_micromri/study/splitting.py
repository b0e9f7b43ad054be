"""Dividing subjects into training, validation and test; a subject is in one set with all its pairs."""

from __future__ import annotations

import hashlib
import math
import re
from typing import TYPE_CHECKING

from napari_micromri.errors import StudyError
from napari_micromri.study.naming import natural_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_micromri.study.model import Set

REPORT: dict[int, Set] = {6: "validation", 10: "validation", 7: "test", 16: "test", 22: "test"}
"""Sets of the published study of mice, by the number of the animal; all others train."""


def preset_report(subjects: Iterable[str]) -> dict[str, Set]:
    """Divide subjects as the published study did, by the number in their names (``mouse 06``, ``M6``, ``6``).

    Numbers that are the same in all names, e.g. a year, don't count.

    Raises
    ------
    StudyError
        No name has one of the numbers, or it isn't clear which subject a number means.
    """
    names = in_order(subjects)
    numbers = numbers_in(names)
    special = [number for number in numbers.values() if number in REPORT]
    if not special:
        wanted = ", ".join(map(str, sorted(REPORT)))
        raise StudyError(f"None of the subjects has one of the numbers {wanted} in its name. Choose the sets yourself.")
    for number in special:
        if special.count(number) > 1:
            same = " and ".join(f"'{name}'" for name in names if numbers[name] == number)
            raise StudyError(f"{same} have the same number. Choose the sets yourself.")
    return {name: REPORT.get(numbers[name], "train") for name in names}


def random_split(subjects: Iterable[str], validation: float = 0.1, test: float = 0.2, seed: int = 0) -> dict[str, Set]:
    """Divide subjects by chance; the same subjects and seed always give the same.

    Each set of which something is wanted gets a subject while there are enough: the training set first, then
    validation, then test.

    Parameters
    ----------
    validation, test
        Fractions of the subjects; the rest trains.

    Raises
    ------
    StudyError
        The fractions leave nothing to train, or aren't fractions.
    """
    if not all(math.isfinite(part) and part >= 0 for part in (validation, test)) or validation + test >= 1:
        raise StudyError(
            f"The fractions for validation and test are 0 or more, with a sum below 1, not {validation} and {test}."
        )
    shuffled = sorted(in_order(subjects), key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    left = max(0, len(shuffled) - 1)
    held_out = min(_count(validation, len(shuffled)), left)
    tested = min(_count(test, len(shuffled)), left - held_out)
    if test and left > 1 and not tested:
        held_out, tested = held_out - 1, 1
    counts: dict[Set, int] = {"validation": held_out, "test": tested, "train": len(shuffled) - held_out - tested}
    sets = [name for name, count in counts.items() for _ in range(count)]
    chosen = dict(zip(shuffled, sets, strict=True))
    return {name: chosen[name] for name in in_order(chosen)}


def _count(fraction: float, total: int) -> int:
    return max(1, math.floor(fraction * total + 0.5)) if fraction else 0


def in_order(subjects: Iterable[str]) -> list[str]:
    """Sort names as a person would: mouse 2 before mouse 10."""
    return sorted(set(subjects), key=lambda name: (natural_key(name), name))


def numbers_in(names: list[str]) -> dict[str, int]:
    """Find the one number in each name, or the one that differs between them; -1 where there is none.

    Raises
    ------
    StudyError
        A name has several, and it isn't clear which is that of the animal.
    """
    found = {name: [int(digits) for digits in re.findall(r"\d+", name)] for name in names}
    if any(len(numbers) > 1 for numbers in found.values()):
        columns = list(zip(*found.values(), strict=False))
        differing = [k for k, column in enumerate(columns) if len(set(column)) > 1]
        if len({len(numbers) for numbers in found.values()}) > 1 or len(differing) != 1:
            example = next(name for name, numbers in found.items() if len(numbers) > 1)
            raise StudyError(f"'{example}' has several numbers: which one is the animal's isn't clear.")
        return {name: numbers[differing[0]] for name, numbers in found.items()}
    return {name: numbers[0] if numbers else -1 for name, numbers in found.items()}
