"""What kinds of scans a session holds, and the one that a person most likely looks for."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Literal, get_args

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

Kind = Literal["anatomy", "diffusion", "over time", "map", "localizer"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def kinds_of(found: Sequence[Found]) -> list[Kind]:
    """Tell the kind of each scan of a session, by its axes and names and by what else its file holds.

    A localizer has such a name, or several planes in one reconstruction; a map, such as a field map, has such a name.
    """
    planes: dict[str, set[str]] = defaultdict(set)
    for one in found:
        planes[one.source.path] |= {one.plane} & set(PLANES)
    return [_kind(one, several_planes=len(planes[one.source.path]) > 1) for one in found]


def _kind(one: Found, *, several_planes: bool) -> Kind:
    names = f"{one.scan.info.protocol or ''} {one.scan.info.name}"
    if several_planes or _LOCALIZER.search(names):
        return "localizer"
    if _NOT_ANATOMY.search(names):
        return "map"
    axes = one.scan.info.axes
    return "diffusion" if "b" in axes else "over time" if "t" in axes else "anatomy"


def most_anatomical(found: Sequence[Found]) -> Found | None:
    """Choose the anatomical scan with the finest grid in its plane; among equals the one of most slices.

    Localizers are chosen where there is nothing else; series over time or diffusion weighting and maps go before
    them, and anatomy goes before those.
    """

    def rank(entry: tuple[Found, Kind]) -> tuple[bool, bool, float, float]:
        (one, kind), pixel = entry, round(math.prod(entry[0].scan.info.voxel_size[-2:]), 9)
        return kind == "localizer", kind != "anatomy", pixel, -math.prod(one.scan.shape)

    return min(zip(found, kinds_of(found), strict=True), key=rank, default=(None,))[0]
