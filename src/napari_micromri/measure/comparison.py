"""LR, DL and HR side by side: every region on every image, on the image's own pixels."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from napari_micromri.errors import CancelledError, InputError
from napari_micromri.measure.cautions import Caution
from napari_micromri.measure.comparison_rows import Row, rows_of
from napari_micromri.measure.measurer import Backgrounds, Measured, Measurer
from napari_micromri.measure.roi import slice_at, slice_position, slices_of
from napari_micromri.measure.roi_stats import NOTHING
from napari_micromri.progress import never, no_progress

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from napari_micromri.measure.coverage import Rule
    from napari_micromri.measure.roi import Box, Roi
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.scan import Scan


@dataclass(frozen=True, eq=False)
class ComparedImage:
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
        In mm, (y, x): a region in this plane that reaches beyond it is marked.
    """

    rule: Rule = "centre"
    backgrounds: Literal["pooled", "each"] = "pooled"
    reference: str | None = None
    at: Mapping[str, int] = field(default_factory=dict)
    crop: Box | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare` finds, with everything needed to do it again."""

    rows: tuple[Row, ...]
    images: tuple[ComparedImage, ...]
    rois: tuple[Roi, ...]
    settings: Settings


def compare(
    images: Sequence[ComparedImage],
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
    # What neither the images nor the settings nor the region and its backgrounds changed is not computed again.
    asked = tuple((image.name, image.scan) for image in images), settings
    known = measurer.recall(asked)
    made: dict[Hashable, list[Row]] = {}
    rows: list[Row] = []
    for done, roi in enumerate(regions):
        if should_stop():
            raise CancelledError("The measurement was stopped.")
        progress(done, len(regions))
        for leader, index in _places(roi, images):
            backgrounds = behind.get((leader, roi.axes, index), Backgrounds())
            key = roi, leader, index, backgrounds
            if key not in known:
                position = slice_position(images[leader].scan, roi.normal, index)
                known[key] = _group(images, roi, position, backgrounds, settings, measurer)
            made[key] = known[key]
            rows += made[key]
    measurer.keep(asked, made)
    progress(len(regions), len(regions))
    return Comparison(tuple(rows), tuple(images), tuple(rois), settings)


def _check(images: Sequence[ComparedImage], settings: Settings) -> None:
    names = [image.name for image in images]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Several images are named '{twice[0]}'. Give each a name of its own.")
    if settings.reference is not None and settings.reference not in names:
        raise InputError(
            f"The reference '{settings.reference}' isn't one of the images ({', '.join(names) or 'none'})."
        )


def _places(roi: Roi, images: Sequence[ComparedImage]) -> list[tuple[int, int]]:
    """List the slices that a region's rows are made for: which image they are counted in, and their indices."""
    for leader, image in enumerate(images):
        chosen = slices_of(roi, image.scan)
        if chosen:
            return [(leader, k) for k in chosen]
    return []


def _by_slice(backgrounds: Sequence[Roi], images: Sequence[ComparedImage]) -> dict[tuple[int, str, int], Backgrounds]:
    """Sort backgrounds by image, plane and slice, so that each region finds its own at once."""
    found: dict[tuple[int, str, int], list[Roi]] = defaultdict(list)
    for leader, image in enumerate(images):
        for roi in backgrounds:
            for index in slices_of(roi, image.scan):
                found[leader, roi.axes, index].append(roi)
    return {place: Backgrounds(rois) for place, rois in found.items()}


def _group(
    images: Sequence[ComparedImage],
    roi: Roi,
    position: float,
    backgrounds: Backgrounds,
    settings: Settings,
    measurer: Measurer,
) -> list[Row]:
    """Make the rows of one region at one position: all images, for each background or for all of them together."""
    each = settings.backgrounds == "each" and len(backgrounds) > 1
    names = [image.name for image in images]
    rows: list[Row] = []
    for chosen in [Backgrounds([one]) for one in backgrounds] if each else [backgrounds]:
        measured = [_measured(image, roi, chosen, position, settings, measurer) for image in images]
        rows += rows_of(names, roi, position, chosen.name or None, measured, settings.reference)
    return rows


def _measured(
    image: ComparedImage, roi: Roi, backgrounds: Backgrounds, position: float, settings: Settings, measurer: Measurer
) -> tuple[int | None, Measured]:
    index = slice_at(image.scan, roi.normal, position)
    if index is None:
        gone = Caution("no-slice", f"'{image.name}' has no slice at {position:.4g} mm.")
        return None, Measured(NOTHING, NOTHING, (gone,))
    return index, measurer.against(image.scan, roi, backgrounds, index, settings.rule, settings.at, settings.crop)
