"""What a study says, and how its slices are read; nothing here changes it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import StudyError
from napari_micromri.study import reading
from napari_micromri.study.metadata import marks_to_json
from napari_micromri.study.model import DEFAULT_SET
from napari_micromri.study.naming import natural_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_micromri.scan import Scan
    from napari_micromri.study.model import Pair, Set
    from napari_micromri.study.snapshot import Snapshot

ENDING = ".mri.zarr"


class StudyView:
    """One snapshot of a study, and the pixels behind it."""

    def __init__(self, path: Path, snapshot: Snapshot) -> None:
        self.path = path
        self._snapshot = snapshot

    @property
    def name(self) -> str:
        """Name of the folder without its file extension."""
        return self.path.name.removesuffix(ENDING)

    @property
    def pairs_by_key(self) -> Mapping[str, Pair]:
        """All pairs, in natural order."""
        return self._snapshot.pairs

    @property
    def damaged(self) -> Mapping[str, str]:
        """What is wrong with the pairs that can't be used, by key."""
        return self._snapshot.damaged

    @property
    def split(self) -> Mapping[str, Set]:
        """The set of each subject that was assigned to one."""
        return self._snapshot.split

    @property
    def subjects(self) -> tuple[str, ...]:
        """All subjects, in natural order."""
        return tuple(sorted({pair.subject for pair in self.pairs_by_key.values()}, key=natural_key))

    @property
    def planned(self) -> tuple[Mapping[str, Any], ...]:
        """JSON-like descriptions of the pairs that the study was to have; see `set_planned`."""
        return tuple(self._snapshot.root.get("planned", ()))

    def set_of(self, subject: str) -> Set:
        """Give the set of a subject, `DEFAULT_SET` when nobody assigned it."""
        return self.split.get(subject, DEFAULT_SET)

    def pairs(self, split: Set | None = None) -> list[Pair]:
        """List the pairs of a set, or all."""
        return [p for p in self.pairs_by_key.values() if split is None or self.set_of(p.subject) == split]

    def slices(self, split: Set | None = None, *, include_excluded: bool = False) -> reading.PairedSlices:
        """Give the slices of a set, or all, cropped and aligned; each is read when it is asked for."""
        pairs = tuple(self.pairs(split))
        indices = tuple(tuple(range(p.slice_count)) if include_excluded else p.kept for p in pairs)
        return reading.PairedSlices(self.path, pairs, indices)

    def read_slice(self, key: str, index: int, *, crop: bool = True, align: bool = True) -> reading.PairedSlice:
        """Read one slice of both scans of a pair; see `napari_micromri.study.reading.read_slice`."""
        return reading.read_slice(self.path, self._pair(key), index, crop=crop, align=align)

    def scans(self, key: str) -> tuple[Scan, Scan]:
        """Give the LR and the HR scan of a pair as stored, lazily, with their geometry."""
        pair = self._pair(key)
        return reading.lazy_scan(self.path, pair, "lr"), reading.lazy_scan(self.path, pair, "hr")

    def missing_chunks(self, key: str) -> list[tuple[reading.Which, int]]:
        """List the slices of a pair whose pixels aren't there, by scan and index."""
        return reading.missing_chunks(self.path, self._pair(key))

    def fingerprint(self, split: Set | None = None) -> str:
        """SHA-256 over pixels, marks, alignment and sets of the pairs: all that training on them depends on."""
        told = [
            [pair.key, pair.subject, pair.digest, pair.shift, marks_to_json(pair.marks), self.set_of(pair.subject)]
            for pair in sorted(self.pairs(split), key=lambda pair: pair.key)
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def _pair(self, key: str) -> Pair:
        pair = self.pairs_by_key.get(key)
        if pair is None:
            raise StudyError(self.damaged.get(key, f"There is no pair '{key}' in {self.path}."))
        return pair
