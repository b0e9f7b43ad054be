"""Which slices of a study a person should look at first, and why; from stored measurements alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_micromri.study.model import Pair, Reason


@dataclass(frozen=True)
class Suspicion:
    """One slice with what speaks against it.

    Parameters
    ----------
    key, index
        The pair, and the slice counted from 0.
    score
        0 (nothing odd) to 1; from 0.5 on a person should look at the slice.
    reasons
        In words, the weightiest first; empty when nothing is odd.
    suggested_reason
        What an exclusion would be marked with; None when nothing is odd.
    """

    key: str
    index: int
    score: float
    reasons: tuple[str, ...] = ()
    suggested_reason: Reason | None = None


def rank(pairs: Iterable[Pair]) -> list[Suspicion]:
    """Order all slices of the pairs, the most suspicious first; excluded ones are among them."""
    found = [Suspicion(pair.key, k, 0.0) for pair in pairs for k in range(pair.slice_count)]
    return sorted(found, key=lambda s: (-s.score, s.key, s.index))
