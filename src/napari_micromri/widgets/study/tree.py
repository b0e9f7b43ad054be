"""What the tree of pairs shows: subjects, their regions and planes, with counts, warnings and set; without Qt."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from napari_micromri.study.model import Pair, Set


@dataclass(frozen=True)
class Filter:
    """Which pairs are listed. Every word of ``text`` must occur in the pair's subject, region, plane or session."""

    text: str = ""
    only_suspicious: bool = False
    set: Set | None = None


@dataclass(frozen=True)
class PairRow:
    """A leaf of the tree. ``warnings`` are sentences; ``broken`` says that one of them is an error."""

    key: str
    label: str
    kept: int
    total: int
    warnings: tuple[str, ...]
    broken: bool
    cropped: bool


@dataclass(frozen=True)
class RegionRow:
    """All pairs of one region of a subject."""

    name: str
    pairs: tuple[PairRow, ...]

    @property
    def counts(self) -> tuple[int, int]:
        """Kept and all slices."""
        return sum(pair.kept for pair in self.pairs), sum(pair.total for pair in self.pairs)


@dataclass(frozen=True)
class SubjectRow:
    """All regions of one subject, and the set to which it belongs."""

    name: str
    set: Set
    regions: tuple[RegionRow, ...]

    @property
    def counts(self) -> tuple[int, int]:
        """Kept and all slices."""
        counts = [region.counts for region in self.regions]
        return sum(kept for kept, _ in counts), sum(total for _, total in counts)

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the subject's pairs."""
        return tuple(pair.key for region in self.regions for pair in region.pairs)


def tree(
    pairs: Iterable[Pair],
    set_of: Callable[[str], Set],
    suspicious: Collection[str] = (),
    chosen: Filter | None = None,
) -> tuple[SubjectRow, ...]:
    """Arrange the pairs that pass the filter; ``suspicious`` holds the keys of pairs with suspicious slices."""
    chosen = chosen or Filter()
    listed = [pair for pair in pairs if _passes(pair, set_of(pair.subject), suspicious, chosen)]
    listed.sort(key=lambda pair: (pair.subject, pair.region, pair.plane, pair.key))
    twins = Counter((pair.subject, pair.region, pair.plane) for pair in listed)
    rows = []
    for subject, of_subject in groupby(listed, key=lambda pair: pair.subject):
        regions = tuple(
            RegionRow(region, tuple(_row(pair, twins[subject, region, pair.plane] > 1) for pair in of_region))
            for region, of_region in groupby(of_subject, key=lambda pair: pair.region)
        )
        rows.append(SubjectRow(subject, set_of(subject), regions))
    return tuple(rows)


def pair_title(pair: Pair) -> str:
    """Name a pair for a person: "mouse 06 head-thorax coronal", with the session where it is known to matter."""
    return f"{pair.subject} {pair.region} {pair.plane}"


def _passes(pair: Pair, belongs: Set, suspicious: Collection[str], chosen: Filter) -> bool:
    if chosen.set is not None and belongs != chosen.set:
        return False
    if chosen.only_suspicious and pair.key not in suspicious:
        return False
    text = f"{pair_title(pair)} {pair.session or ''}".casefold()
    return all(word in text for word in chosen.text.casefold().split())


def _row(pair: Pair, has_twin: bool) -> PairRow:
    findings = pair.report.findings
    return PairRow(
        key=pair.key,
        label=f"{pair.plane} ({pair.session or pair.key.rsplit('/', 1)[-1]})" if has_twin else pair.plane,
        kept=len(pair.kept),
        total=pair.slice_count,
        warnings=tuple(finding.text for finding in findings),
        broken=any(finding.error for finding in findings),
        cropped=pair.marks.crop is not None,
    )
