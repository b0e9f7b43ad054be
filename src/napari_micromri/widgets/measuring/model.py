"""What the measuring dock decides, without Qt: what it says, what stands in its table, what its bars show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_micromri.measure.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_micromri.measure.comparison_rows import Row
    from napari_micromri.measure.image_comparison import SliceQuality
    from napari_micromri.measure.metrics import ImageQuality
    from napari_micromri.measure.roi import Kind, Roi
    from napari_micromri.measure.roles import Role
    from napari_micromri.scan import Scan
    from napari_micromri.widgets.measuring.place import Place

Quantity: TypeAlias = Literal["CNR", "normalised SD", "contrast", "background SD", "mean"]
WORTH_A_WORD = 1.1
"""A gain in CNR below this is none."""

BEST = "★"
DOUBT = "⚠"
NONE = "–"


@dataclass(frozen=True)
class MeasureState:
    """What the hint and the buttons depend on.

    Parameters
    ----------
    images
        Number of layers that are compared.
    regions, backgrounds
        Drawn, on any slice; ``here`` counts the regions on the slice that is shown.
    volume
        The viewer shows a 3-D view.
    drawing, busy
        A region of this kind is about to be drawn; a thread measures.
    """

    images: int
    regions: int = 0
    backgrounds: int = 0
    here: int = 0
    volume: bool = False
    has_images: bool = True
    drawing: Kind | None = None
    busy: bool = False
    problem: str | None = None

    @property
    def can_draw(self) -> bool:
        """A region can be drawn now."""
        return self.images > 0 and not self.volume

    @property
    def can_export(self) -> bool:
        """There is a table."""
        return self.images > 0 and self.regions > 0

    @property
    def hint(self) -> str:
        """Say what to do next."""
        if not self.has_images:
            return "Open a scan, or File > Open Sample > napari-micromri."
        if self.images == 0:
            return "Tick at least one layer to measure."
        if self.volume:
            return "Switch to the 2-D view (the cube below the layer list) to draw and to see ROIs."
        if self.problem is not None:
            return self.problem
        if self.drawing == "background":
            return "Now Draw background: press the mouse on the tissue or air to compare with, and drag."
        if self.drawing is not None:
            return "Press the mouse on the image and drag: a rectangle appears."
        if self.busy:
            return "Measuring…"
        if self.regions == 0:
            return "Click Draw ROI and drag a rectangle over the tissue of interest."
        if self.backgrounds == 0:
            return "Now Draw background: a rectangle over the tissue or air to compare with."
        if self.here == 0:
            return "No ROI on this slice: draw one, or copy those of another slice with Copy to slices."
        return "Drag the rectangles: the figures follow. Save the table with Export CSV."


@dataclass(frozen=True)
class Column:
    """One column of the table."""

    title: str
    tooltip: str
    text: Callable[[Row], str]


def number(value: float, digits: int = 4) -> str:
    """Write a figure for a person; what can't be given is a dash."""
    return f"{value:.{digits}g}" if math.isfinite(value) else NONE


def percent(value: float) -> str:
    """Write a ratio in per cent."""
    return f"{100 * value:.0f} %" if math.isfinite(value) else NONE


def _slice(row: Row) -> str:
    return NONE if row.slice_index is None else f"{row.slice_index} · {row.position:.4g} mm"


def slice_text(roi: Roi, scan: Scan | None) -> str:
    """Say on which slice a region lies, as napari's slider counts them, and where that is."""
    from napari_micromri.measure.roi import slice_at

    if roi.depth is None:
        return "all"
    place = f"{roi.normal} {roi.depth[0]:.4g} mm"
    index = slice_at(scan, roi.normal, roi.depth[0]) if scan is not None else None
    return place if index is None else f"{index} · {place}"


def _cnr(row: Row) -> str:
    mark = f" {DOUBT}" if row.cautions else f" {BEST}" if row.best_cnr else ""
    return number(row.cnr) + mark


def _normalised_sd(row: Row) -> str:
    return number(row.normalised_sd, 3) + (f" {BEST}" if row.best_normalised_sd else "")


IMAGE_COLUMN = 1
# What the sentence below the table argues with comes first: a narrow dock shows it without scrolling.
COLUMNS = (
    Column("ROI", "Name of the region; click a row to go to it.", lambda row: row.roi.name),
    Column("Image", "The layer that was measured, on its own pixels.", lambda row: row.image),
    Column(
        "CNR",
        f"(mean of ROI − mean of background) / SD of background. {BEST} the largest, {DOUBT} see the text below.",
        _cnr,
    ),
    Column("Norm.\nSD", f"Normalised SD: SD / mean of the background. {BEST} the smallest.", _normalised_sd),
    Column("Contrast\nof HR", "Contrast kept, relative to HR.", lambda row: percent(row.contrast_to_reference)),
    Column(
        "SD bg\nof HR",
        "SD of the background relative to HR. A small one raises the CNR without improving the contrast.",
        lambda row: percent(row.background_sd_to_reference),
    ),
    Column("Slice", "Slice of this layer, counted from 0, and its place in mm.", _slice),
    Column("Contrast", "Mean of the ROI − mean of the background.", lambda row: number(row.contrast)),
    Column("SD bg", "SD of the background.", lambda row: number(row.background_stats.sd)),
    Column("Mean", "Mean of the ROI.", lambda row: number(row.stats.mean)),
    Column("SD", "Population standard deviation of the ROI.", lambda row: number(row.stats.sd)),
    Column("n", "Pixels of the ROI on this layer's own grid.", lambda row: number(row.stats.n)),
    Column("Background", "The background, or several together.", lambda row: row.background or NONE),
)


def labels(names: Sequence[str], roles: Mapping[str, Role]) -> dict[str, str]:
    """Choose short names for layers: the role where only one layer has it, else with the layer's name."""
    given = list(roles.values())
    return {
        name: (roles[name] if given.count(roles[name]) == 1 else f"{roles[name]} {name}") if name in roles else name
        for name in names
    }


def rows_here(rows: Sequence[Row], place: Place) -> list[Row]:
    """Choose the rows of the slice that is shown: those across its axis whose slices hold its position in mm."""
    room = 0.5 * place.thickness * (1 + 1e-6)
    return [row for row in rows if row.roi.normal == place.axis and abs(row.position - place.position) <= room]


def most_telling(rows: Sequence[Row], roles: Mapping[str, Role]) -> Row | None:
    """Choose the row to explain when none is chosen: a denoised one, else the first."""
    return next((row for row in rows if roles.get(row.image) == "DL"), rows[0] if rows else None)


def explain(rows: Sequence[Row], chosen: Row, short: Mapping[str, str], reference: str | None) -> str:
    """Say why a CNR is larger or smaller than the reference's, and what is doubtful."""
    doubts = list(dict.fromkeys(one.text for one in chosen.cautions))
    base = next((row for row in rows if row.image == reference and _same_place(row, chosen)), None)
    if base is None or base is chosen or not math.isfinite(chosen.cnr) or not math.isfinite(base.cnr) or base.cnr == 0:
        return " ".join(doubts)
    name, other = short.get(chosen.image, chosen.image), short.get(base.image, base.image)
    kept, noise = chosen.contrast_to_reference, chosen.background_sd_to_reference
    text = (
        f"'{chosen.roi.name}': the CNR of {name} is {chosen.cnr / base.cnr:.2f} × that of {other}: "
        f"contrast {percent(kept)}, background SD {percent(noise)} of {other}'s."
    )
    said = " ".join([text, *_warning(noise, chosen.cnr / base.cnr), *doubts])
    return said.replace(" %", "\u00a0%")  # the sign stays with its number where the line is broken


def _warning(noise: float, gain: float) -> list[str]:
    """Say so where at least nine tenths of a gain, as powers of ten, are the background's."""
    if gain >= WORTH_A_WORD and noise < 1 and -math.log(noise) >= 0.9 * math.log(gain):
        return ["The gain comes from a smoother background, not from more contrast."]
    return []


def _same_place(one: Row, other: Row) -> bool:
    return (one.roi, one.position, one.background) == (other.roi, other.position, other.background)


def bars(rows: Sequence[Row], quantity: Quantity, short: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Average a quantity over the slices of each region: region -> short name of the image -> value.

    What can't be given is left out.
    """
    take: dict[Quantity, Callable[[Row], float]] = {
        "CNR": lambda row: row.cnr,
        "normalised SD": lambda row: row.normalised_sd,
        "contrast": lambda row: row.contrast,
        "background SD": lambda row: row.background_stats.sd,
        "mean": lambda row: row.stats.mean,
    }
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        value = take[quantity](row)
        if math.isfinite(value):
            found.setdefault(row.roi.name, {}).setdefault(short.get(row.image, row.image), []).append(value)
    return {
        roi: {image: sum(values) / len(values) for image, values in images.items()} for roi, images in found.items()
    }


QUALITY_COLUMNS = tuple((metric.head, f"{metric.label}: {metric.definition}") for metric in METRICS)


def quality_cells(quality: ImageQuality) -> tuple[str, ...]:
    """Write the figures in the order of `QUALITY_COLUMNS`."""
    values = ((metric, float(getattr(quality, metric.name))) for metric in METRICS)
    # In the scanner's own units an MSE can have any size.
    return tuple(number(value) if metric.name == "mse" else metric.shown(value) for metric, value in values)


def quality_summary(
    found: Sequence[SliceQuality],
    reference: str,
    upsampling: str,
    within: str,
    name_slice: Callable[[int], str] = str,
) -> str:
    """Say what the figures stand for."""
    slices = sorted({one.slice_index for one in found})
    ends = [name_slice(index) for index in (slices[0], slices[-1])]
    span = f"slice {ends[0]}" if len(slices) == 1 else f"mean of {len(slices)} slices, {ends[0]} to {ends[1]}"
    missing = sorted(
        {f"{one.image}, slice {name_slice(one.slice_index)}: {one.problem}" for one in found if one.problem}
    )
    left_out = f" Left out: {'; '.join(missing[:5])}." if missing else ""
    return f"Against {reference}, {span}, {within}; coarser layers resampled to its grid by {upsampling}.{left_out}"
