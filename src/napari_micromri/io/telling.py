"""What readers leave out, guess or repair, and how it reaches the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def with_warnings(scans: Sequence[Scan], texts: Iterable[str]) -> list[Scan]:
    """Note on each of the scans that were opened together what went wrong with their neighbours."""
    texts = list(texts)
    return [Scan(scan.data, scan.info.with_warnings(texts)) for scan in scans]


def warnings_of(scans: Iterable[Scan]) -> list[str]:
    """List each warning of scans once."""
    return list(dict.fromkeys(text for scan in scans for text in scan.info.warnings))
