"""What makes a measurement doubtful, as data: a table can mark it, a file can keep it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_micromri.measure.coverage import crosses_itself

if TYPE_CHECKING:
    from napari_micromri.measure.coverage import Coverage
    from napari_micromri.measure.roi import Box, Roi
    from napari_micromri.measure.roi_stats import RoiStats
    from napari_micromri.scan import Scan

Code: TypeAlias = Literal[
    "no-slice", "empty", "few", "outside", "crop", "not-finite", "self-crossing", "no-background", "touches", "zero-sd"
]
FEWEST_PIXELS = 20


@dataclass(frozen=True, order=True)
class Caution:
    """One doubt: a code for programs and a sentence for people."""

    code: Code
    text: str


_VOLUMES = {"t": "volumes along t", "b": "diffusion weightings"}


def cautions_of(roi: Roi, stats: RoiStats, found: Coverage, crop: Box | None = None) -> tuple[Caution, ...]:
    """List what is doubtful about one region on one scan; a crop is a box in mm in the plane ``yx``."""
    doubts: list[Caution] = []
    name = f"'{roi.name}'"
    if stats.n == 0:
        doubts.append(Caution("empty", f"{name} contains no pixel of this image."))
    elif stats.n < FEWEST_PIXELS:
        doubts.append(Caution("few", f"{name} has {stats.n:.4g} pixels, fewer than {FEWEST_PIXELS}."))
    if found.outside:
        doubts.append(Caution("outside", f"{name} reaches beyond the image; only the part inside was measured."))
    if crop is not None and roi.axes == "yx" and leaves(roi.box, crop):
        doubts.append(Caution("crop", f"{name} reaches beyond the crop."))
    if stats.not_finite:
        doubts.append(Caution("not-finite", f"{stats.not_finite} pixels of {name} aren't numbers and were left out."))
    if crosses_itself(roi):
        doubts.append(Caution("self-crossing", f"The outline of {name} crosses itself, so what is inside is unclear."))
    return tuple(doubts)


def background_cautions(name: str, stats: RoiStats, *, touches: bool, roi_name: str) -> tuple[Caution, ...]:
    """List what is doubtful about a background in relation to a region."""
    doubts: list[Caution] = []
    if touches:
        doubts.append(Caution("touches", f"'{name}' touches '{roi_name}'."))
    if stats.n and stats.sd == 0:
        doubts.append(Caution("zero-sd", f"'{name}' has no noise at all (SD 0), so there is no CNR."))
    return tuple(doubts)


def no_background(roi_name: str) -> Caution:
    """Say that a region has nothing to be compared with."""
    return Caution("no-background", f"No background is drawn on this slice, so '{roi_name}' has no CNR.")


def one_of_several(scan: Scan) -> str | None:
    """Say of a scan of several volumes that the first alone is measured unless another one is chosen."""
    sizes = dict(zip(scan.info.axes, scan.shape, strict=True))
    counts = [f"{sizes[axis]} {word}" for axis, word in _VOLUMES.items() if sizes.get(axis, 1) > 1]
    return f"It holds {' and '.join(counts)}; only the first volume was measured." if counts else None


def leaves(box: Box, crop: Box) -> bool:
    """Tell whether a box reaches beyond another."""
    return any(low < first or high > last for (low, high), (first, last) in zip(box, crop, strict=True))
