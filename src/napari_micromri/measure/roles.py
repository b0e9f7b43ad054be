"""Find out which of several scans is the fast one (LR), the denoised one (DL) and the good one (HR)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_micromri.scan import Scan

Role: TypeAlias = Literal["LR", "DL", "HR"]
ROLES: tuple[Role, ...] = get_args(Role)

EDGE_TOLERANCE = 0.5
"""In pixels of the coarser scan: how far the edges of two fields of view may lie apart and still be one."""


def find_roles(scans: Sequence[Scan], first: int | None = None) -> dict[int, Role]:
    """Guess the roles of the scans that overlay.

    What a scan's history says counts most: a denoised one is DL, one that was simulated as fast is LR. Among the others
    the coarsest is LR and the finest HR; of two alike, the one with more averages is HR.

    Parameters
    ----------
    first
        Index of the scan whose field of view counts; by default the one that most scans overlay.

    Returns
    -------
    Index -> role, at most one LR and one HR; scans that overlay nothing, and residuals, are left out.
    """
    usable = [k for k, scan in enumerate(scans) if set("yx") <= set(scan.info.spatial) and not _has(scan, "residual")]
    groups = [[k for k in usable if overlays(scans[k], scans[start])] for start in usable]
    if first in usable:
        groups = [groups[usable.index(first)]]
    group = max(groups, key=len, default=[])
    roles: dict[int, Role] = {k: "DL" for k in group if _has(scans[k], "denoise")}
    others = sorted((k for k in group if k not in roles), key=lambda k: _fineness(scans[k]))
    if others and (len(others) > 1 or _looks_fast(scans, others[0], roles)):
        roles[others[0]] = "LR"
    if others and others[-1] not in roles:
        roles[others[-1]] = "HR"
    return roles


def overlays(one: Scan, other: Scan) -> bool:
    """Tell whether two scans cover the same field of view along the axes that both have."""
    for axis in set(one.info.spatial) & set(other.info.spatial):
        k, m = one.info.spatial.index(axis), other.info.spatial.index(axis)
        room = EDGE_TOLERANCE * max(one.info.voxel_size[k], other.info.voxel_size[m])
        if any(abs(a - b) > room for a, b in zip(one.extent[k], other.extent[m], strict=True)):
            return False
    return True


def _has(scan: Scan, step: str) -> bool:
    return any(entry.get("step") == step for entry in scan.info.provenance)


def _fineness(scan: Scan) -> tuple[bool, float, int]:
    """Sort by: not simulated as fast, smaller pixels, more averages."""
    pixel = math.prod(scan.info.size_of(axis) for axis in "yx")
    return not _has(scan, "simulate_fast_scan"), -round(pixel, 9), scan.info.averages or 0


def _looks_fast(scans: Sequence[Scan], k: int, denoised: dict[int, Role]) -> bool:
    """Decide about a scan that is alone, or alone beside a denoised one."""
    if _has(scans[k], "simulate_fast_scan"):
        return True
    return any(scans[k].info.size_of("x") > 1.01 * scans[d].info.size_of("x") for d in denoised)
