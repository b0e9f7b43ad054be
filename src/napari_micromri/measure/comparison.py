"""LR, DL and HR side by side: every region on every image, on the image's own pixels.

The contrast-to-noise ratio of a denoised image is large for two reasons that mean different things: contrast that is
kept, and a background that was smoothed. Each row therefore has both parts beside the ratio, also relative to the
reference: ``CNR / CNR_ref = (contrast / contrast_ref) / (sd_b / sd_b_ref)``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from napari_micromri.errors import CancelledError, InputError
from napari_micromri.measure.cautions import Caution
from napari_micromri.measure.measurer import Background, Measurer
from napari_micromri.measure.roi import slice_at, slice_position, slices_of
from napari_micromri.measure.roi_stats import NAN, NOTHING, RoiStats, cnr, contrast, normalised_sd
from napari_micromri.progress import never, no_progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_micromri.measure.coverage import Rule
    from napari_micromri.measure.roi import Box, Roi
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.scan import Scan


@dataclass(frozen=True, eq=False)
class Image:
    """A scan under the name that it has in the table."""

    name: str
    scan: Scan


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that decides what is measured, besides images and regions.

    Parameters
    ----------
    rule
        Which pixels count; see `napari_micromri.measure.coverage`.
    backgrounds
        ``pooled``: all backgrounds of a slice together; ``each``: a row for every one of them.
    reference
        Name of the image that contrast and noise are given relative to, usually HR.
    at
        Which time and diffusion weighting; by default the first.
    crop
        A region that reaches beyond it is marked.
    """

    rule: Rule = "centre"
    backgrounds: Literal["pooled", "each"] = "pooled"
    reference: str | None = None
    at: Mapping[str, int] = field(default_factory=dict)
    crop: Box | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One region on one slice of one image, against a background; the figures are NaN where they can't be given.

    Parameters
    ----------
    position
        Centre in mm of the slice of the first image that has the region; the same for all images, so that their rows
        belong together.
    slice_index
        Slice of this image, counted from 0; None when it has none there.
    background
        Name of the background, or several joined by " + "; None without one on this slice.
    contrast_to_reference, background_sd_to_reference
        Contrast and background SD divided by the reference's.
    best_cnr, best_normalised_sd
        The largest magnitude of the CNR, and the smallest normalised SD, among the images.
    """

    image: str
    roi: Roi
    position: float
    slice_index: int | None
    background: str | None
    stats: RoiStats
    background_stats: RoiStats
    cautions: tuple[Caution, ...] = ()
    contrast_to_reference: float = NAN
    background_sd_to_reference: float = NAN
    best_cnr: bool = False
    best_normalised_sd: bool = False

    @property
    def cnr(self) -> float:
        """See `napari_micromri.measure.roi_stats.cnr`."""
        return cnr(self.stats, self.background_stats)

    @property
    def contrast(self) -> float:
        """Mean of the region minus mean of the background."""
        return contrast(self.stats, self.background_stats)

    @property
    def normalised_sd(self) -> float:
        """See `napari_micromri.measure.roi_stats.normalised_sd`."""
        return normalised_sd(self.background_stats)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare` finds, with everything needed to do it again."""

    rows: tuple[Row, ...]
    images: tuple[Image, ...]
    rois: tuple[Roi, ...]
    settings: Settings


def compare(
    images: Sequence[Image],
    rois: Sequence[Roi],
    settings: Settings | None = None,
    *,
    measurer: Measurer | None = None,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
) -> Comparison:
    """Measure every region on every image, slice by slice.

    Parameters
    ----------
    images
        Of one field of view, of any pixel size; the slices are those of the first one that has the region.
    rois
        Regions and backgrounds; a region is compared with the backgrounds of its plane and slice.
    measurer
        Remembers what was read and measured, for the next call.

    Returns
    -------
    Comparison
        Rows ordered by region, slice, background and image.

    Raises
    ------
    InputError
        Two images have one name, the reference is none of them, or an image lacks a plane.
    CancelledError
        Stopped.
    """
    settings = settings or Settings()
    _check(images, settings)
    measurer = measurer or Measurer()
    regions = [roi for roi in rois if roi.kind == "roi"]
    backgrounds = [roi for roi in rois if roi.kind == "background"]
    rows: list[Row] = []
    for done, roi in enumerate(regions):
        if should_stop():
            raise CancelledError("The measurement was stopped.")
        progress(done, len(regions))
        for position in _positions(roi, images):
            rows += _group(images, roi, position, backgrounds, settings, measurer)
    progress(len(regions), len(regions))
    return Comparison(tuple(rows), tuple(images), tuple(rois), settings)


def _check(images: Sequence[Image], settings: Settings) -> None:
    names = [image.name for image in images]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Several images are named '{twice[0]}'. Give each a name of its own.")
    if settings.reference is not None and settings.reference not in names:
        raise InputError(f"The reference '{settings.reference}' is none of the images ({', '.join(names) or 'none'}).")


def _positions(roi: Roi, images: Sequence[Image]) -> list[float]:
    for image in images:
        chosen = slices_of(roi, image.scan)
        if chosen:
            return [slice_position(image.scan, roi.normal, k) for k in chosen]
    return []


def _group(
    images: Sequence[Image],
    roi: Roi,
    position: float,
    backgrounds: Sequence[Roi],
    settings: Settings,
    measurer: Measurer,
) -> list[Row]:
    """Make the rows of one region at one position: all images, for each background or for all of them together."""
    here = [one for one in backgrounds if one.axes == roi.axes and _is_at(one, position, images)]
    sets = [[one] for one in here] if settings.backgrounds == "each" and here else [here]
    rows: list[Row] = []
    for chosen in sets:
        group = [_row(image, roi, position, tuple(chosen), settings, measurer) for image in images]
        rows += _with_best(_relative_to(group, settings.reference))
    return rows


def _is_at(roi: Roi, position: float, images: Iterable[Image]) -> bool:
    for image in images:
        index = slice_at(image.scan, roi.normal, position)
        if index is not None:
            return index in slices_of(roi, image.scan)
    return False


def _row(
    image: Image, roi: Roi, position: float, backgrounds: tuple[Roi, ...], settings: Settings, measurer: Measurer
) -> Row:
    index = slice_at(image.scan, roi.normal, position)
    name = " + ".join(one.name for one in backgrounds) or None
    if index is None:
        gone = Caution("no-slice", f"'{image.name}' has no slice at {position:.4g} mm.")
        return Row(
            image=image.name,
            roi=roi,
            position=position,
            slice_index=None,
            background=name,
            stats=NOTHING,
            background_stats=NOTHING,
            cautions=(gone,),
        )
    stats, doubts = measurer.region(image.scan, roi, index, settings.rule, settings.at, settings.crop)
    behind = measurer.background(image.scan, backgrounds, index, settings.rule, settings.at, settings.crop)
    return Row(
        image=image.name,
        roi=roi,
        position=position,
        slice_index=index,
        background=name,
        stats=stats,
        background_stats=behind.stats,
        cautions=(*doubts, *_about(behind, name, roi)),
    )


def _about(behind: Background, name: str | None, roi: Roi) -> tuple[Caution, ...]:
    if name is None:
        return (Caution("no-background", f"No background is drawn on this slice, so '{roi.name}' has no CNR."),)
    return behind.cautions_for(roi, name)


def _relative_to(rows: Sequence[Row], reference: str | None) -> list[Row]:
    base = next((row for row in rows if row.image == reference), None)
    if base is None:
        return list(rows)
    return [
        replace(
            row,
            contrast_to_reference=_divide(row.contrast, base.contrast),
            background_sd_to_reference=_divide(row.background_stats.sd, base.background_stats.sd),
        )
        for row in rows
    ]


def _divide(value: float, by: float) -> float:
    return value / by if by and math.isfinite(by) else NAN


def _with_best(rows: Sequence[Row]) -> list[Row]:
    """Mark the best of several images; a single one isn't the best of anything."""
    ratios = [abs(row.cnr) for row in rows if math.isfinite(row.cnr)]
    spreads = [row.normalised_sd for row in rows if math.isfinite(row.normalised_sd)]
    return [
        replace(
            row,
            best_cnr=len(ratios) > 1 and abs(row.cnr) == max(ratios),
            best_normalised_sd=len(spreads) > 1 and row.normalised_sd == min(spreads),
        )
        for row in rows
    ]


def by_image(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Group rows by their image, in order."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.image].append(row)
    return dict(found)
