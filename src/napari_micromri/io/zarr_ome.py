"""The images of OME-Zarr groups."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_micromri.io.lazy import reordered
from napari_micromri.io.naming import plane_in, region_in
from napari_micromri.io.ome_metadata import read_multiscales
from napari_micromri.io.zarr_array import lazy_array
from napari_micromri.io.zarr_node import by_zyx, is_whole, ordered, own_info
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import dask.array as da
    import zarr

    from napari_micromri.io.zarr_node import Place


def ome_scans(group: zarr.Group, attributes: Mapping[str, Any], ome: Mapping[str, Any], place: Place) -> Iterator[Scan]:
    """Give the first image that the attribute ``ome`` of a group describes, a scan for each of its channels."""
    image = read_multiscales(ome)
    if image is None:
        return
    if (more := len(ome["multiscales"]) - 1) > 0:
        place.notes.append(f"{place} describes {more} more images, which were left out.")
    found = lazy_array(group[image.path], str(place), whole=is_whole(attributes))
    data = found.data
    if data.ndim != len(image.axes):
        raise ValueError(f"{data.ndim} dimensions but {len(image.axes)} axes")
    own = own_info(attributes, data.shape)
    if own is not None:
        yield Scan(data, own.with_warnings(found.notes, place))
        return
    name = image.name or place.name
    letters = image.axes
    info = ScanInfo(
        name=name,
        axes=ordered(letters),
        voxel_size=by_zyx(image.voxel_size, letters),
        origin=by_zyx(image.origin, letters),
        plane=plane_in([name]),
        region=region_in([name]),
        time_step=image.time_step,
        source=place.where,
    ).with_warnings([*found.notes, *(f"{place} {note}" for note in image.notes)])
    for label, channel in _channels(data, letters, ome):
        yield Scan(channel, info if label is None else replace(info, name=f"{name} {label}"))


def _channels(data: da.Array, letters: str, ome: Mapping[str, Any]) -> Iterator[tuple[str | None, da.Array]]:
    """Yield one array per channel in the order ``t b z y x``; without a label when there is one only."""
    if "c" not in letters:
        yield None, reordered(data, [letters.index(a) for a in ordered(letters)])
        return
    axis = letters.index("c")
    omero = ome.get("omero")
    described = omero.get("channels", []) if isinstance(omero, dict) else []
    rest = letters.replace("c", "")
    for k in range(data.shape[axis]):
        label = described[k].get("label") if k < len(described) and isinstance(described[k], dict) else None
        channel = reordered(data[(slice(None),) * axis + (k,)], [rest.index(a) for a in ordered(rest)])
        yield (str(label or f"channel {k}") if data.shape[axis] > 1 else None), channel
