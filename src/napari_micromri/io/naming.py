"""Names of scans that a person recognises."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Longer ones first: "head-thorax" before "head". Only whole words count, so "headcoil" isn't a region.
_REGIONS = ("head-thorax", "thorax-abdomen", "head", "brain", "thorax", "abdomen", "pelvis", "trunk", "spine", "heart")
_PLANE_WORDS = {
    "transaxial": "transaxial",
    "transversal": "transaxial",
    "transverse": "transaxial",
    "transax": "transaxial",
    "axial": "transaxial",
    "tra": "transaxial",
    "ax": "transaxial",
    "coronal": "coronal",
    "cor": "coronal",
    "sagittal": "sagittal",
    "sag": "sagittal",
}


def region_in(texts: Iterable[str | None]) -> str | None:
    """Find the name of a body region in the first text that has one."""
    for text in texts:
        words = "-".join(_words(text))
        for region in _REGIONS:
            if re.search(rf"(^|-){region}(-|$)", words):
                return region
    return None


def plane_in(texts: Iterable[str | None]) -> str | None:
    """Find the name of an imaging plane in the first text that has exactly one."""
    for text in texts:
        planes = {_PLANE_WORDS[word] for word in _words(text) if word in _PLANE_WORDS}
        if len(planes) == 1:
            return planes.pop()
    return None


def compose_name(protocol: str | None, plane: str | None, region: str | None, otherwise: str) -> str:
    """Join protocol, plane and region; what the protocol says already is not said again."""
    name = protocol or otherwise
    parts = [name]
    if plane and plane_in([name]) != plane:
        parts.append(plane)
    if region and region_in([name]) != region:
        parts.append(region)
    return " ".join(parts)


def with_unique_names(scans: Sequence[Scan], labels: Sequence[str]) -> list[Scan]:
    """Add its label, e.g. the scan number, to each name that occurs more than once."""
    counts = Counter(scan.info.name for scan in scans)
    return [
        scan if counts[scan.info.name] == 1 else Scan(scan.data, replace(scan.info, name=f"{scan.info.name} ({label})"))
        for scan, label in zip(scans, labels, strict=True)
    ]


def _words(text: str | None) -> list[str]:
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text or "").lower())
