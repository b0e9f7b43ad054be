"""The rows of a comparison: one region on one slice, the images related to the reference and to each other.

The contrast-to-noise ratio of a denoised image is large for two reasons that mean different things: contrast that is
kept, and a background that was smoothed. Each row therefore has both parts beside the ratio, also relative to the
reference: ``CNR / CNR_ref = (contrast / contrast_ref) / (sd_b / sd_b_ref)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.measure.roi_stats import NAN, cnr, contrast, normalised_sd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_micromri.measure.cautions import Caution
    from napari_micromri.measure.measurer import Measured
    from napari_micromri.measure.roi import Roi
    from napari_micromri.measure.roi_stats import RoiStats


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


def rows_of(
    names: Sequence[str],
    roi: Roi,
    position: float,
    background: str | None,
    measured: Sequence[tuple[int | None, Measured]],
    reference: str | None,
) -> list[Row]:
    """Relate the images to the reference, and mark the best; a single one isn't the best of anything."""
    ratios = [cnr(one.stats, one.background) for _, one in measured]
    spreads = [normalised_sd(one.background) for _, one in measured]
    base = next((one for name, (_, one) in zip(names, measured, strict=True) if name == reference), None)
    best_ratio, best_spread = _best([-abs(ratio) for ratio in ratios]), _best(spreads)
    return [
        Row(
            image=name,
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
        for name, (index, one), ratio, spread in zip(names, measured, ratios, spreads, strict=True)
    ]


def _best(values: Sequence[float]) -> float | None:
    known = [value for value in values if math.isfinite(value)]
    return min(known) if len(known) > 1 else None


def _ratio(one: Measured, base: Measured | None, take: Callable[[Measured], float]) -> float:
    if base is None:
        return NAN
    by = take(base)
    return take(one) / by if by and math.isfinite(by) else NAN
