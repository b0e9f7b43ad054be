"""Whether two scans can be LR and HR of the same slices, and why not."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.io.quantity import no_magnitude
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_micromri.scan import ScanInfo

MAX_ANGLE = 0.5
"""Slices of a pair are parallel within so many degrees."""

MAX_SLICE_OFFSET = 0.1
"""Slices of a pair lie in one place within this fraction of their distance."""

MAX_EDGE_OFFSET = 1.0
"""Edges of both fields of view lie in one place within so many of the larger voxels: files disagree on whether a
position is that of a voxel's centre or of its corner, and on where the centre of k-space lies."""

MAX_ECHO_RATIO = 1.5
"""Scans whose echo times differ by more are of another contrast."""

SAME_TIME = 0.02
"""Relative tolerance under which two repetition or echo times are the same."""

SAME_SHAPE = 0.05
"""Rows and columns of two scans that cover one field of view differ by the same factor, within this part."""

_FAMILIES = {
    "RARE": ("rare", "turborare", "fse", "tse", "haste"),
    "EPI": ("epi",),
    "spin echo": ("msme", "rfse"),
    "gradient echo": ("flash", "gre", "mge", "fisp", "fcflash", "igflash", "gefi"),
    "UTE": ("ute", "zte"),
}
_LOCALIZER = re.compile(r"localizer|localiser|tripilot|pilot|scout|3.?plane", re.IGNORECASE)


def unfit(scan: Scan) -> str | None:
    """Say why a scan can't be in any pair; None when it can."""
    axes, shape = scan.info.axes, dict(zip(scan.info.axes, scan.shape, strict=True))
    if "b" in axes:
        return f"it has {shape['b']} diffusion weightings, and a pair is made of plain stacks of slices"
    if "t" in axes:
        return f"it has {shape['t']} repetitions, and a pair is made of plain stacks of slices"
    if (shown := no_magnitude(scan.info.quantity)) is not None:
        return f"it shows {shown}, and a pair is made of magnitudes"
    if axes != "zyx":
        return "it is a single image without slices"
    if any(_LOCALIZER.search(text) for text in (scan.info.name, scan.info.protocol or "")):
        return "it is a localizer by its name"
    return None


def on_one_view(one: Scan, other: Scan) -> tuple[Scan, Scan]:
    """Let two scans cover the same field of view where neither says how large its voxels are.

    Then the number of rows and columns is all that is known, and the coarser one has voxels that are larger by as much.
    """
    if not (one.info.unsized and other.info.unsized) or {one.info.axes, other.info.axes} != {"zyx"}:
        return one, other
    ratio = np.divide(one.shape[1:], other.shape[1:])
    if np.ptp(ratio) > SAME_SHAPE * ratio.max():
        return one, other
    finest = np.maximum(one.shape[1:], other.shape[1:])
    return _spread_over(one, finest), _spread_over(other, finest)


def _spread_over(scan: Scan, finest: NDArray[np.intp]) -> Scan:
    y, x = (float(count) for count in finest / scan.shape[1:])
    return Scan(scan.data, replace(scan.info, voxel_size=(1.0, y, x), origin=(0.0, (y - 1) / 2, (x - 1) / 2)))


def mismatch(one: Scan, other: Scan) -> tuple[int, str] | None:
    """Say why two scans can't be a pair, with how far the comparison came: the further, the more alike they are."""
    one, other = on_one_view(one, other)
    checks = (direction_mismatch, slice_mismatch, view_mismatch, _contrast_mismatch, _order_mismatch)
    for depth, check in enumerate(checks):
        if (reason := check(one, other)) is not None:
            return depth, reason
    return None


def lr_first(one: Scan, other: Scan) -> tuple[Scan, Scan] | None:
    """Put the coarser of two scans first, or of equally fine ones that with fewer averages; None when neither is."""
    fine = [
        all(a >= b for a, b in zip(x.shape[-2:], y.shape[-2:], strict=True)) for x, y in ((one, other), (other, one))
    ]
    if fine[0] != fine[1]:
        return (other, one) if fine[0] else (one, other)
    averages = one.info.averages, other.info.averages
    if not fine[0] or averages[0] is None or averages[1] is None or averages[0] == averages[1]:
        return None
    return (one, other) if averages[0] < averages[1] else (other, one)


def same_protocol(one: ScanInfo, other: ScanInfo) -> bool:
    """Tell whether repetition time, echo time and kind of sequence are all known of both and the same."""
    return (
        _same_time(one.repetition_time, other.repetition_time)
        and _same_time(one.echo_time, other.echo_time)
        and _family(one) == _family(other)
    )


def contrast_notes(one: ScanInfo, other: ScanInfo) -> list[str]:
    """Name the times that differ between the scans of a pair."""
    times = (("TR", one.repetition_time, other.repetition_time), ("TE", one.echo_time, other.echo_time))
    return [f"{name} {a:g} and {b:g} ms" for name, a, b in times if a and b and not _same_time(a, b)]


def angle_between(one: ScanInfo, other: ScanInfo) -> float | None:
    """Give the angle in degrees between the slices of two scans; None where a direction is unknown."""
    if one.direction is None or other.direction is None:
        return None
    return float(np.degrees(np.arccos(np.clip(abs(np.dot(one.direction[0], other.direction[0])), 0, 1))))


def edges_in(scan: Scan, frame: ScanInfo) -> NDArray[np.float64]:
    """Give the outer edges of a scan in mm along the axes of ``frame``, ``(3, 2)``.

    Both have parallel axes. Where a direction is unknown the axes of the scan are taken for those of the frame.
    """
    edges = np.array(scan.extent)
    if scan.info.direction is None or frame.direction is None:
        return edges
    position = np.asarray(scan.info.origin) @ np.asarray(scan.info.direction)
    moved: NDArray[np.float64] = (
        edges + (np.asarray(frame.direction) @ position - np.asarray(scan.info.origin))[:, None]
    )
    return moved


def direction_mismatch(one: Scan, other: Scan) -> str | None:
    """Say how the directions of two grids differ."""
    a, b = one.info.direction, other.info.direction
    if a is None or b is None:
        return None if a is b else "the orientation of only one of them is known"
    angle = angle_between(one.info, other.info)
    if angle is not None and angle > MAX_ANGLE:
        planes = one.info.plane, other.info.plane
        named = f", {planes[0]} and {planes[1]}" if None not in planes and planes[0] != planes[1] else ""
        return f"the slices stand at {angle:.3g}° to each other{named}"
    for axis, what in ((0, "slices follow each other"), (1, "rows run"), (2, "columns run")):
        turned = float(np.dot(a[axis], b[axis]))
        if turned < 0 and turned < -np.cos(np.radians(MAX_ANGLE)):
            return f"the {what} in opposite directions"
        if turned < np.cos(np.radians(MAX_ANGLE)):
            return "the slices are parallel but turned in their plane"
    return None


def slice_mismatch(one: Scan, other: Scan) -> str | None:
    """Say how the slices of two scans with parallel axes differ in number or place."""
    counts = one.shape[0], other.shape[0]
    if counts[0] != counts[1]:
        return f"the numbers of slices differ, {counts[0]} and {counts[1]}"
    distance = max(one.info.size_of("z"), other.info.size_of("z"))
    centres = []
    for scan in (one, other):
        first, last = edges_in(scan, one.info)[0]
        half = scan.info.size_of("z") / 2
        centres.append(np.array([first + half, last - half]))
    off = float(np.abs(centres[0] - centres[1]).max())
    if off > MAX_SLICE_OFFSET * distance:
        return f"the slices lie {off:.2g} mm apart, at a distance of slices of {distance:.3g} mm"
    return None


def view_mismatch(one: Scan, other: Scan) -> str | None:
    """Say how the fields of view of two scans with parallel axes differ."""
    a, b = edges_in(one, one.info)[1:], edges_in(other, one.info)[1:]
    voxel = np.maximum(one.info.voxel_size[1:], other.info.voxel_size[1:])
    if (np.abs(a - b) <= MAX_EDGE_OFFSET * voxel[:, None] * (1 + 1e-6)).all():
        return None
    widths = [" × ".join(f"{width:.4g}" for width in np.ptp(edges, axis=1)) for edges in (a, b)]
    if widths[0] == widths[1]:
        return f"the fields of view lie {float(np.abs(a - b).max()):.3g} mm apart"
    return f"the fields of view differ, {widths[0]} and {widths[1]} mm"


def _contrast_mismatch(one: Scan, other: Scan) -> str | None:
    families = _family(one.info), _family(other.info)
    if None not in families and families[0] != families[1]:
        return f"the sequences differ, {families[0]} and {families[1]}"
    times = one.info.echo_time, other.info.echo_time
    if times[0] and times[1] and max(times[0], times[1]) > MAX_ECHO_RATIO * min(times[0], times[1]):
        return f"the echo times differ, {times[0]:g} and {times[1]:g} ms"
    return None


def _order_mismatch(one: Scan, other: Scan) -> str | None:
    if lr_first(one, other) is not None:
        return None
    if one.shape != other.shape:
        return "neither is finer than the other in both directions"
    return "neither has a finer matrix or more averages, so that fast and good can't be told apart"


def _family(info: ScanInfo) -> str | None:
    words = re.findall(r"[a-z]+", f"{info.protocol or ''} {info.name}".lower())
    for family, members in _FAMILIES.items():
        if any(word in members for word in words):
            return family
    return None


def _same_time(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= SAME_TIME * max(one, other)
