"""Measures regions and remembers it, so that moving one region of a thousand costs one measurement."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import numpy as np

from napari_micromri.measure.cautions import background_cautions, cautions_of
from napari_micromri.measure.coverage import cover, full_mask
from napari_micromri.measure.roi import Grid, read_plane
from napari_micromri.measure.roi_stats import NOTHING, RoiStats, pool, statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from numpy.typing import NDArray

    from napari_micromri.measure.cautions import Caution
    from napari_micromri.measure.coverage import Rule
    from napari_micromri.measure.roi import Box, Roi
    from napari_micromri.scan import Scan

PLANES_BYTES = 256 * 2**20
MOST_REGIONS = 100_000
MOST_BACKGROUNDS = 500
"""Each holds a mask of the whole slice."""

Value = TypeVar("Value")

PlaneKey: TypeAlias = tuple[int, str, str, int, tuple[tuple[str, int], ...]]


@dataclass(frozen=True, eq=False)
class Background:
    """Backgrounds on one slice: their statistics, and where a region would touch them."""

    stats: RoiStats
    cautions: tuple[Caution, ...]
    near: NDArray[np.bool_]
    grid: Grid
    rule: Rule

    def cautions_for(self, roi: Roi, name: str) -> tuple[Caution, ...]:
        """List what is doubtful, for a region that is compared with it."""
        found = cover(roi, self.grid, self.rule)
        touches = bool((self.near[found.window] & (found.weights > 0)).any())
        return (*self.cautions, *background_cautions(name, self.stats, touches=touches, roi_name=roi.name))


class _Recent(Generic[Value]):
    """Keeps the most recently used values, and with each what its key identifies, lest the identity be given anew."""

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

    def forget(self) -> None:
        """Forget everything, since pixels changed."""
        self._planes.clear()
        self._regions.clear()
        self._backgrounds.clear()
        self._bytes = 0

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

    def region(
        self, scan: Scan, roi: Roi, index: int, rule: Rule, at: Mapping[str, int], crop: Box | None = None
    ) -> tuple[RoiStats, tuple[Caution, ...]]:
        """Measure one region on one slice, and say what is doubtful about it."""
        grid = Grid.of(scan, roi.axes)
        key = (roi, grid, rule, crop, _plane_key(scan, roi.axes, index, at))

        def work() -> tuple[RoiStats, tuple[Caution, ...]]:
            found = cover(roi, grid, rule)
            plane = self.plane(scan, roi.axes, index, at)
            stats = statistics(plane[found.window], found.weights, grid.pixel_area)
            return stats, cautions_of(roi, stats, found, crop)

        return self._regions.get(key, work, scan.data)

    def background(
        self,
        scan: Scan,
        rois: tuple[Roi, ...],
        index: int,
        rule: Rule,
        at: Mapping[str, int],
        crop: Box | None = None,
    ) -> Background:
        """Measure backgrounds on one slice, together."""
        if not rois:
            return Background(NOTHING, (), np.zeros((0, 0), dtype=bool), Grid((0, 0), (1.0, 1.0), (0.0, 0.0)), rule)
        axes = rois[0].axes
        grid = Grid.of(scan, axes)
        key = (rois, grid, rule, crop, _plane_key(scan, axes, index, at))

        def work() -> Background:
            weights = pool([full_mask(roi, grid, rule) for roi in rois])
            stats = statistics(self.plane(scan, axes, index, at), weights, grid.pixel_area)
            doubts = {one for roi in rois for one in self.region(scan, roi, index, rule, at, crop)[1]}
            return Background(stats, tuple(sorted(doubts)), _grown(weights > 0), grid, rule)

        return self._backgrounds.get(key, work, scan.data)


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
