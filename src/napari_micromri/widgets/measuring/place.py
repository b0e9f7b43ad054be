"""Where the viewer is, in the words of a scan: plane, position in mm, time and diffusion weighting. Needs no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_micromri.plugin.layers import Placement, mm_per

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_micromri.measure.roi import Roi
    from napari_micromri.scan import Scan


@dataclass(frozen=True)
class Place:
    """What is shown: the axis across the plane, the position along it in mm, and the thickness of a slice in mm."""

    axis: str = "z"
    position: float = 0.0
    thickness: float = 1.0

    def shapes(self, rois: Sequence[Roi | None]) -> list[int]:
        """Choose the regions that were drawn on the slice that is shown."""
        return [
            k
            for k, roi in enumerate(rois)
            if roi is not None
            and roi.normal == self.axis
            and roi.depth is not None
            and abs(roi.depth[0] - self.position) <= 0.5 * self.thickness
        ]


def place_of(viewer: ViewerModel, scan: Scan | None) -> Place:
    """Find the slice of a scan that is shown."""
    if scan is None or len(scan.info.spatial) < 3:
        return Place()
    dims = viewer.dims
    first = dims.ndim - 3
    hidden = [k for k in range(3) if first + k not in dims.displayed]
    across = hidden[0] if hidden else 0
    units = viewer.layers.units
    millimetres = mm_per(units[first + across]) if units is not None and len(units) == dims.ndim else 1.0
    return Place("zyx"[across], float(dims.point[first + across]) * millimetres, scan.info.voxel_size[across])


def time_and_weighting(viewer: ViewerModel, layers: Iterable[tuple[Layer, Scan]]) -> dict[str, int]:
    """Find the time and the diffusion weighting that are shown, as the layer with the most axes counts them."""
    layer, scan = max(layers, key=lambda one: len(one[1].info.axes), default=(None, None))
    if layer is None or scan is None or not set(scan.info.axes) & set("tb"):
        return {}
    placement = Placement.of_layer(layer.as_layer_data_tuple()[1], scan)
    found = placement.indices_at(viewer.dims.point, viewer.layers.units, scan.shape)
    return {axis: index for axis, index in found.items() if axis in "tb"}
