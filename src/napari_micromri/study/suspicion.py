"""Which slices of a study a person should look at first, and why; from stored figures alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.study.clues import clues
from napari_micromri.study.slice_table import SliceTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_micromri.study.clues import Clue
    from napari_micromri.study.model import Pair, Reason

WORTH_SAYING = 0.5
"""Strength from which a clue is said in words; 1 is enough by itself to make a slice suspicious."""

POWER = 3
"""Of the sum over the clues: a strong one counts more than several weak ones."""


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
    """Order all slices of the pairs, the most suspicious first; excluded ones are among them.

    The score is ``v / (1 + v)`` with ``v = (sum of clues^3)^(1/3)``; see `napari_micromri.study.clues`. Slices of a
    pair without measurements score 0 and come last. Equal scores stand in the order of key and index.
    """
    pairs = list(pairs)
    table = SliceTable.of(pairs)
    found = list(clues(table)) if len(table) else []
    strengths = (
        np.stack([np.clip(np.nan_to_num(clue.strength), 0, 100) for clue in found]) if found else np.zeros((0, 0))
    )
    total = (strengths**POWER).sum(axis=0) ** (1 / POWER)
    scores = (total / (1 + total)).round(6).tolist()
    names = [(table.pairs[p].key, k) for p, k in zip(table.pair.tolist(), table.index.tolist(), strict=True)]
    judged = [
        _suspicion(*name, score, found, strengths[:, n], n)
        for n, (name, score) in enumerate(zip(names, scores, strict=True))
    ]
    judged += [Suspicion(pair.key, k, 0.0) for pair in pairs if not pair.quality for k in range(pair.slice_count)]
    return sorted(judged, key=lambda s: (-s.score, s.key, s.index))


def _suspicion(
    key: str, index: int, score: float, found: list[Clue], strengths: NDArray[np.float64], n: int
) -> Suspicion:
    if not (strengths >= WORTH_SAYING).any():
        return Suspicion(key, index, score)
    order = [int(c) for c in np.argsort(-strengths, kind="stable") if strengths[c] >= WORTH_SAYING]
    return Suspicion(key, index, score, tuple(found[c].words(n) for c in order), found[order[0]].reason)
