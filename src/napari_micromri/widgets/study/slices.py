"""What the list of a pair's slices shows and where the keys go from one slice to the next; without Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from napari_micromri.study.model import REASON_WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_micromri.study.model import Pair, Reason

SUSPICIOUS = 0.5
"""A slice with at least this score should be looked at; see `napari_micromri.study.quality`."""


class Suspected(Protocol):
    """What is needed of a `napari_micromri.study.quality.Suspicion`."""

    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def index(self) -> int: ...  # noqa: D102
    @property
    def score(self) -> float: ...  # noqa: D102
    @property
    def reasons(self) -> tuple[str, ...]: ...  # noqa: D102


Scores: TypeAlias = "Mapping[tuple[str, int], Suspected]"
"""What is suspected of each slice, by the pair's key and the slice's index."""


@dataclass(frozen=True)
class SliceRow:
    """One slice of a pair: ``reason`` when it is excluded; ``score`` 0 (ordinary) to 1; ``words`` say why.

    ``where`` names it by its number and its place in mm.
    """

    index: int
    where: str
    reason: Reason | None
    score: float
    words: str

    @property
    def mark(self) -> str:
        """The mark in words."""
        return f"excluded: {REASON_WORDS[self.reason]}" if self.reason else "kept"


def slice_rows(pair: Pair, scores: Scores) -> tuple[SliceRow, ...]:
    """List all slices of a pair."""
    rows = []
    for index in range(pair.slice_count):
        found = scores.get((pair.key, index))
        score, words = (found.score, "; ".join(found.reasons)) if found is not None else (0.0, "")
        rows.append(SliceRow(index, pair.slice_words(index), pair.marks.excluded.get(index), score, words))
    return tuple(rows)


def waiting(pair: Pair, scores: Scores) -> tuple[int, ...]:
    """List the suspicious slices of a pair that nobody excluded yet."""
    return tuple(row.index for row in slice_rows(pair, scores) if row.score >= SUSPICIOUS and row.reason is None)


def next_suspicious(pairs: Sequence[Pair], scores: Scores, key: str | None, index: int) -> tuple[str, int] | None:
    """Find the suspicious slice to look at after ``index`` of pair ``key``.

    First the later ones of the same pair, then those of the following pairs, round to the pair's own earlier ones; None
    when there is no other.
    """
    start = next((k for k, pair in enumerate(pairs) if pair.key == key), None)
    if start is None:
        found = [(pair.key, k) for pair in pairs for k in waiting(pair, scores)]
        return found[0] if found else None
    own = waiting(pairs[start], scores)
    for k in own:
        if k > index:
            return pairs[start].key, k
    for pair in [*pairs[start + 1 :], *pairs[:start]]:
        if found_there := waiting(pair, scores):
            return pair.key, found_there[0]
    return (pairs[start].key, own[0]) if own and own[0] < index else None
