"""Measures regions and remembers it, so that moving one region of a thousand costs one measurement."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np

from napari_micromri.measure.cautions import background_cautions, cautions_of, no_background
from napari_micromri.measure.coverage import cover
from napari_micromri.measure.roi import Grid, read_plane
from napari_micromri.measure.roi_stats import NOTHING, RoiStats, statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from numpy.typing import NDArray

    from napari_micromri.measure.cautions import Caution
    from napari_micromri.measure.coverage import Coverage, Rule
    from napari_micromri.measure.roi import Box, Roi
    from napari_micromri.scan import Scan

PLANES_BYTES = 256 * 2**20
MOST_REGIONS = 100_000
MOST_BACKGROUNDS = 500
"""Each holds a mask of the whole slice."""

MOST_COVERAGES = 2000
"""A region over many slices covers the same pixels of each."""

Value = TypeVar("Value")

PlaneKey: TypeAlias = tuple[int, str, str, int, tuple[tuple[str, int], ...]]


class Backgrounds(tuple["Roi", ...]):
    """The backgrounds of one slice; every region there asks for their hash and name, so they are found once."""

    def __hash__(self) -> int:
        """Hash the regions."""
        return self._hash

    @cached_property
    def name(self) -> str:
        """Names of all, joined."""
        return " + ".join(roi.name for roi in self)

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()


@dataclass(frozen=True, eq=False)
class Background:
    """Backgrounds on one slice: their statistics, and the pixels that a region would touch them with."""

    stats: RoiStats
    cautions: tuple[Caution, ...]
    near: NDArray[np.bool_]


@dataclass(frozen=True)
class Measured:
    """A region on one slice against its backgrounds; without any, ``background`` is empty."""

    stats: RoiStats
    background: RoiStats
    cautions: tuple[Caution, ...]


class _Recent(Generic[Value]):
    """Keeps the most recently used values, and with each what its key identifies, lest the identity be reused."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, tuple[Value, object]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value], owner: object) -> Value:
        """Give what is kept under a key, made now if it isn't there."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        value = make()
        self._kept[key] = (value, owner)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return value

    def clear(self) -> None:
        self._kept.clear()


class Measurer:
    """Reads each slice once and measures each region once, as long as neither changes.

    What it remembers is bounded, so that it can live as long as a window.
    """

    def __init__(self) -> None:
        self._planes: OrderedDict[PlaneKey, tuple[object, NDArray[np.float64]]] = OrderedDict()
        self._bytes = 0
        self._regions: _Recent[tuple[RoiStats, tuple[Caution, ...]]] = _Recent(MOST_REGIONS)
        self._backgrounds: _Recent[Background] = _Recent(MOST_BACKGROUNDS)
        self._coverages: _Recent[Coverage] = _Recent(MOST_COVERAGES)
        self._asked: object = None
        self._made: dict[Hashable, Any] = {}

    def forget(self) -> None:
        """Forget everything, since pixels changed."""
        self._planes.clear()
        self._regions.clear()
        self._backgrounds.clear()
        self._bytes = 0
        self._asked, self._made = None, {}

    def recall(self, asked: object) -> dict[Hashable, Any]:
        """Give what was made of the same images and settings the last time; nothing when they are others."""
        return self._made if asked == self._asked else {}

    def keep(self, asked: object, made: dict[Hashable, Any]) -> None:
        """Keep what was made, until the next time."""
        self._asked, self._made = asked, made

    def knows_plane(self, scan: Scan, axes: str, index: int, at: Mapping[str, int]) -> bool:
        """Tell whether a slice was read already."""
        return _plane_key(scan, axes, index, at) in self._planes

    def plane(self, scan: Scan, axes: str, index: int, at: Mapping[str, int]) -> NDArray[np.float64]:
        """Give one slice, read now if it wasn't before."""
        key = _plane_key(scan, axes, index, at)
        if key in self._planes:
            self._planes.move_to_end(key)
            return self._planes[key][1]
        plane = read_plane(scan, axes, index, at)
        # The array is kept with its slice: its identity is the key, and must not be given to another one.
        self._planes[key] = (scan.data, plane)
        self._bytes += plane.nbytes
        while self._bytes > PLANES_BYTES and len(self._planes) > 1:
            self._bytes -= self._planes.popitem(last=False)[1][1].nbytes
        return plane

    def against(
        self,
        scan: Scan,
        roi: Roi,
        backgrounds: Backgrounds,
        index: int,
        rule: Rule,
        at: Mapping[str, int],
        crop: Box | None = None,
    ) -> Measured:
        """Measure one region and its backgrounds on one slice, and say what is doubtful."""
        on = _Slice(scan, roi.axes, index, at)
        stats, doubts = self._region(on, roi, rule, crop)
        if not backgrounds:
            return Measured(stats, NOTHING, (*doubts, no_background(roi.name)))
        behind = self._background(on, backgrounds, rule, crop)
        found = self._cover(roi, on.grid, rule)
        touches = bool((behind.near[found.window] & (found.weights > 0)).any())
        more = background_cautions(backgrounds.name, behind.stats, touches=touches, roi_name=roi.name)
        return Measured(stats, behind.stats, (*doubts, *behind.cautions, *more))

    def _cover(self, roi: Roi, grid: Grid, rule: Rule) -> Coverage:
        return self._coverages.get((roi, grid, rule), lambda: cover(roi, grid, rule), None)

    def _region(self, on: _Slice, roi: Roi, rule: Rule, crop: Box | None) -> tuple[RoiStats, tuple[Caution, ...]]:
        """Measure one region on one slice, and say what is doubtful about it."""

        def work() -> tuple[RoiStats, tuple[Caution, ...]]:
            found = self._cover(roi, on.grid, rule)
            plane = self.plane(on.scan, on.axes, on.index, on.at)
            stats = statistics(plane[found.window], found.weights, on.grid.pixel_area)
            return stats, cautions_of(roi, stats, found, crop)

        return self._regions.get((roi, rule, crop, on.grid, on.key), work, on.scan.data)

    def _background(self, on: _Slice, rois: Backgrounds, rule: Rule, crop: Box | None) -> Background:
        """Measure backgrounds on one slice, together."""

        def work() -> Background:
            weights = pool([self._cover(roi, on.grid, rule) for roi in rois], on.grid.shape)
            stats = statistics(self.plane(on.scan, on.axes, on.index, on.at), weights, on.grid.pixel_area)
            doubts = {one for roi in rois for one in self._region(on, roi, rule, crop)[1]}
            return Background(stats, tuple(sorted(doubts)), _grown(weights > 0))

        return self._backgrounds.get((rois, rule, crop, on.grid, on.key), work, on.scan.data)


class _Slice:
    """One slice of a scan, with what identifies it."""

    def __init__(self, scan: Scan, axes: str, index: int, at: Mapping[str, int]) -> None:
        self.scan, self.axes, self.index, self.at = scan, axes, index, at
        self.grid = Grid.of(scan, axes)
        self.key = _plane_key(scan, axes, index, at)


def pool(coverages: Iterable[Coverage], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Unite regions on one grid: a pixel in two of them counts once."""
    weights = np.zeros(shape)
    for found in coverages:
        weights[found.window] = np.maximum(weights[found.window], found.weights)
    return weights


def _plane_key(scan: Scan, axes: str, index: int, at: Mapping[str, int]) -> PlaneKey:
    return id(scan.data), scan.info.axes, axes, index, tuple(sorted(at.items()))


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the pixels that share an edge with a mask."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
