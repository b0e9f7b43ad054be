"""LR, DL and HR side by side: every region on every image, on the image's own pixels.

The contrast-to-noise ratio of a denoised image is large for two reasons that mean different things: contrast that is
kept, and a background that was smoothed. Each row therefore has both parts beside the ratio, also relative to the
reference: ``CNR / CNR_ref = (contrast / contrast_ref) / (sd_b / sd_b_ref)``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from napari_micromri.errors import CancelledError, InputError
from napari_micromri.measure.cautions import Caution
from napari_micromri.measure.measurer import Measured, Measurer, joined
from napari_micromri.measure.roi import slice_at, slice_position, slices_of
from napari_micromri.measure.roi_stats import NAN, NOTHING, RoiStats, cnr, contrast, normalised_sd
from napari_micromri.progress import never, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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
    behind = _by_slice([roi for roi in rois if roi.kind == "background"], images)
    rows: list[Row] = []
    for done, roi in enumerate(regions):
        if should_stop():
            raise CancelledError("The measurement was stopped.")
        progress(done, len(regions))
        for leader, index in _places(roi, images):
            position = slice_position(images[leader].scan, roi.normal, index)
            rows += _group(images, roi, position, behind.get((leader, roi.axes, index), []), settings, measurer)
    progress(len(regions), len(regions))
    return Comparison(tuple(rows), tuple(images), tuple(rois), settings)


def _check(images: Sequence[Image], settings: Settings) -> None:
    names = [image.name for image in images]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Several images are named '{twice[0]}'. Give each a name of its own.")
    if settings.reference is not None and settings.reference not in names:
        raise InputError(f"The reference '{settings.reference}' is none of the images ({', '.join(names) or 'none'}).")


def _places(roi: Roi, images: Sequence[Image]) -> list[tuple[int, int]]:
    """List the slices that a region's rows are made for: which image they are counted in, and their indices."""
    for leader, image in enumerate(images):
        chosen = slices_of(roi, image.scan)
        if chosen:
            return [(leader, k) for k in chosen]
    return []


def _by_slice(backgrounds: Sequence[Roi], images: Sequence[Image]) -> dict[tuple[int, str, int], list[Roi]]:
    """Sort backgrounds by image, plane and slice, so that each region finds its own at once."""
    found: dict[tuple[int, str, int], list[Roi]] = defaultdict(list)
    for leader, image in enumerate(images):
        for roi in backgrounds:
            for index in slices_of(roi, image.scan):
                found[leader, roi.axes, index].append(roi)
    return found


def _group(
    images: Sequence[Image],
    roi: Roi,
    position: float,
    backgrounds: Sequence[Roi],
    settings: Settings,
    measurer: Measurer,
) -> list[Row]:
    """Make the rows of one region at one position: all images, for each background or for all of them together."""
    each = settings.backgrounds == "each" and len(backgrounds) > 1
    rows: list[Row] = []
    for chosen in [(one,) for one in backgrounds] if each else [tuple(backgrounds)]:
        measured = [_measured(image, roi, chosen, position, settings, measurer) for image in images]
        rows += _rows(images, roi, position, joined(chosen) or None, measured, settings.reference)
    return rows


def _measured(
    image: Image, roi: Roi, backgrounds: tuple[Roi, ...], position: float, settings: Settings, measurer: Measurer
) -> tuple[int | None, Measured]:
    index = slice_at(image.scan, roi.normal, position)
    if index is None:
        gone = Caution("no-slice", f"'{image.name}' has no slice at {position:.4g} mm.")
        return None, Measured(NOTHING, NOTHING, (gone,))
    return index, measurer.against(image.scan, roi, backgrounds, index, settings.rule, settings.at, settings.crop)


def _rows(
    images: Sequence[Image],
    roi: Roi,
    position: float,
    background: str | None,
    measured: Sequence[tuple[int | None, Measured]],
    reference: str | None,
) -> list[Row]:
    """Relate the images to the reference, and mark the best; a single one isn't the best of anything."""
    ratios = [cnr(one.stats, one.background) for _, one in measured]
    spreads = [normalised_sd(one.background) for _, one in measured]
    base = next((one for image, (_, one) in zip(images, measured, strict=True) if image.name == reference), None)
    best_ratio, best_spread = _best([-abs(ratio) for ratio in ratios]), _best(spreads)
    return [
        Row(
            image=image.name,
            roi=roi,
            position=position,
            slice_index=index,
            background=background,
            stats=one.stats,
            background_stats=one.background,
            cautions=one.cautions,
            contrast_to_reference=_ratio(one, base, lambda it: contrast(it.stats, it.background)),
            background_sd_to_reference=_ratio(one, base, lambda it: it.background.sd),
            best_cnr=-abs(ratio) == best_ratio,
            best_normalised_sd=spread == best_spread,
        )
        for image, (index, one), ratio, spread in zip(images, measured, ratios, spreads, strict=True)
    ]


def _best(values: Sequence[float]) -> float | None:
    known = [value for value in values if math.isfinite(value)]
    return min(known) if len(known) > 1 else None


def _ratio(one: Measured, base: Measured | None, take: Callable[[Measured], float]) -> float:
    if base is None:
        return NAN
    by = take(base)
    return take(one) / by if by and math.isfinite(by) else NAN


def by_image(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Group rows by their image, in order."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.image].append(row)
    return dict(found)
