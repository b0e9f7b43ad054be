"""Choose the scan of a session that a person most likely wants to see first."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from napari_micromri.scan import PLANES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_micromri.study.discovery import Found

# Of the names that ParaVision, Siemens, GE and Philips give to the scans that only place other scans.
_LOCALIZER = re.compile(
    r"locali[sz]er|(?<![a-z])loc(?![a-z])|(tri|1_)?pilot|scout|survey|aahead|plan[_ -]?scan"
    r"|(?<![a-z])ortho(?![a-z])|(3|tri|three)[_ -]?plane",
    re.IGNORECASE,
)
_NOT_ANATOMY = re.compile(r"field[_ -]?map|b[01][_ -]?map|shim|wobble|phase|(?<![a-z])(adc|fa|trace)(?![a-z])", re.I)


def is_localizer(scan: Found, others: Sequence[Found]) -> bool:
    """Tell by the names, and by several planes in one reconstruction, whether a scan only placed other scans."""
    if _LOCALIZER.search(f"{scan.scan.info.protocol or ''} {scan.scan.info.name}"):
        return True
    planes = {other.plane for other in others if other.source.path == scan.source.path}
    return len(planes & set(PLANES)) > 1


def most_anatomical(found: Sequence[Found]) -> Found | None:
    """Choose the anatomical scan with the finest grid in its plane; among equals the one of most slices.

    Localizers are chosen where there is nothing else; series over time or diffusion weighting and maps go before
    them, and anatomy goes before those.
    """

    def rank(scan: Found) -> tuple[bool, bool, float, float]:
        info = scan.scan.info
        series = not set(info.axes) <= set("zyx") or _NOT_ANATOMY.search(f"{info.protocol or ''} {info.name}")
        pixel = round(math.prod(info.voxel_size[-2:]), 9)
        return is_localizer(scan, found), bool(series), pixel, -math.prod(scan.scan.shape)

    return min(found, key=rank, default=None)
