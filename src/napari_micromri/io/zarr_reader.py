"""Read Zarr stores: OME-Zarr 0.5 and 0.4, plain arrays and groups of arrays, Zarr 2 and 3, local and remote."""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import MicroMRIError, ReadError, describe_os_error
from napari_micromri.io.describe import KEY, info_from_json
from napari_micromri.io.formats import is_zarr
from napari_micromri.io.lazy import reordered
from napari_micromri.io.naming import plane_in, region_in
from napari_micromri.io.ome_metadata import read_multiscales
from napari_micromri.io.small_files import check_zarr_metadata
from napari_micromri.io.telling import with_warnings
from napari_micromri.io.units import millimetres_or_one
from napari_micromri.io.zarr_array import lazy_array
from napari_micromri.io.zarr_coordinates import (
    Coordinate,
    along,
    axes_of,
    decoded,
    dimension_names,
    is_coordinate,
    read_coordinate,
)
from napari_micromri.io.zarr_slices import is_stack_of_slices, stacked
from napari_micromri.quiet import quiet
from napari_micromri.scan import AXES, SPATIAL_AXES, Scan, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import dask.array as da
    import zarr

_PLAIN_AXES = {2: "yx", 3: "zyx", 4: "tzyx", 5: "tbzyx"}
_SIZE_KEYS = ("voxel_size_mm", "voxel_size", "spacing", "pixel_size", "resolution")
_DEEPEST, _MOST_SCANS, _MOST_NOTES = 8, 1000, 10


def read_zarr(where: Path | str) -> list[Scan]:
    """Open a Zarr store, given by its folder or by an ``http(s)://`` or ``s3://`` address.

    An OME-Zarr image gives its full-resolution level; several channels give a scan each. A plain array needs 2 to 5
    dimensions, which are ``t b z y x`` from the end unless it names them; its voxels are 1 mm wide unless its
    attributes say otherwise (``voxel_size_mm``, or ``voxel_size``/``spacing`` with ``unit``). A group gives all arrays
    and images in it, named by their paths. Nothing but metadata is read.

    Raises
    ------
    ReadError
        Not a Zarr store, nothing in it, damaged metadata, or values that are no real numbers.
    """
    notes: list[str] = []
    with _problems_told(where):
        node = _open(where)
        scans = list(_scans_in(node, _Place(str(where), notes)))
    if not scans and notes:
        raise ReadError(f"{where} holds nothing that can be read. {notes[0]}")
    if not scans:
        raise ReadError(f"{where} is a Zarr group with no image in it. Choose a store or a group that holds one.")
    return with_warnings(scans, _summed_up(notes))


def _summed_up(notes: list[str]) -> list[str]:
    """List what was left out of a group, briefly."""
    more = f" And {len(notes) - _MOST_NOTES} more were left out." if len(notes) > _MOST_NOTES else ""
    return [" ".join(notes[:_MOST_NOTES]) + more] if notes else []


@dataclass(frozen=True)
class _Place:
    """A node of a store, and what was told of the nodes that are left out."""

    where: str
    notes: list[str]
    path: str = ""
    depth: int = 0

    def __str__(self) -> str:
        return f"{self.where}/{self.path}".rstrip("/")

    def child(self, name: str) -> _Place:
        return replace(self, path=f"{self.path}/{name}".lstrip("/"), depth=self.depth + 1)


def _open(where: Path | str) -> zarr.Array[Any] | zarr.Group:
    import zarr

    if isinstance(where, str) and where.startswith("s3://"):
        return zarr.open(where, mode="r", storage_options={"anon": _no_s3_credentials()})
    if isinstance(where, Path):
        check_zarr_metadata(where)
    return zarr.open(where, mode="r")


def _no_s3_credentials() -> bool:
    import os

    return "AWS_ACCESS_KEY_ID" not in os.environ and "AWS_PROFILE" not in os.environ


@contextmanager
def _problems_told(where: Path | str) -> Iterator[None]:
    """Say in a sentence what zarr raises; damaged metadata make it raise whatever its parser stumbles over."""
    import zarr

    try:
        with quiet("zarr_io"):  # zarr warns of foreign files between the chunks
            yield
    except ImportError as error:
        raise ReadError(f"{where} is a remote store: 'pip install fsspec[http,s3]' to open it.") from error
    except OSError as error:
        raise ReadError(describe_os_error(error, where) if error.errno else _no_store(where)) from error
    except zarr.errors.NodeNotFoundError as error:
        raise ReadError(_no_store(where)) from error
    except _connection_errors() as error:
        raise ReadError(_no_store(where)) from error
    except _damage() as error:
        raise ReadError(f"{where} has damaged Zarr metadata ({str(error) or type(error).__name__}).") from error


def _damage() -> tuple[type[Exception], ...]:
    """List what zarr raises when metadata make no sense."""
    import zarr

    return (
        zarr.errors.BaseZarrError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        NotImplementedError,
        OverflowError,
        RecursionError,
        ZeroDivisionError,
    )


def _connection_errors() -> tuple[type[Exception], ...]:
    """List what the remote stores' libraries raise of their own, of those that are loaded."""
    names = {"aiohttp": ("ClientError",), "botocore.exceptions": ("BotoCoreError", "ClientError")}
    return tuple(getattr(sys.modules[m], name) for m, those in names.items() if m in sys.modules for name in those)


def _no_store(where: Path | str) -> str:
    return f"{where} is no Zarr store, or can't be reached. Choose a folder with a zarr.json, .zarray or .zgroup in it."


def _scans_in(node: Any, place: _Place, coordinates: Mapping[str, Coordinate] | None = None) -> Iterator[Scan]:
    """Walk over a store and yield what can be shown as a scan; of a group, what can't be read is left out and told."""
    import zarr

    if isinstance(node, zarr.Array):
        yield _plain_scan(node, place, coordinates or {})
        return
    attributes: dict[str, Any] = dict(node.attrs)
    ome = attributes.get("ome", attributes)
    if not isinstance(ome, dict):
        raise TypeError("the ome attribute is no object")
    _refuse_special(ome, place)
    if ome.get("multiscales"):
        yield from _ome_scans(node, attributes, ome, place)
    elif place.depth < _DEEPEST:
        yield from _members(node, place)


def _members(group: zarr.Group, place: _Place) -> Iterator[Scan]:
    import zarr

    damage: tuple[type[Exception], ...] = (*_damage(), MicroMRIError, OSError)
    children: dict[str, Any] = {}
    for name in sorted(_names(group), key=_natural):
        try:
            children[name] = group[name]
        except damage as error:
            place.notes.append(
                f"{place.child(name)} was left out: it is damaged ({str(error) or type(error).__name__})."
            )
    if is_stack_of_slices(children):
        yield _stack_scan(children, place)
        return
    axes = {name: child for name, child in children.items() if isinstance(child, zarr.Array) and is_coordinate(child)}
    coordinates = {name: found for name, child in axes.items() if (found := read_coordinate(child)) is not None}
    count = 0
    for name, child in children.items():
        if name in axes:
            continue
        try:
            for scan in _scans_in(child, place.child(name), coordinates):
                count += 1
                if count > _MOST_SCANS:
                    raise _TooManyError(
                        f"{place} holds more than {_MOST_SCANS} images. Open one of its groups instead."
                    )
                yield scan
        except _TooManyError:
            raise
        except damage as error:
            place.notes.append(f"{place.child(name)} was left out: {error}")


class _TooManyError(ReadError):
    """A store holds more images than a person means to open."""


def _names(group: zarr.Group) -> list[str]:
    """Names of the nodes in a group; of a local one by its folders, as zarr stops at the first that is damaged."""
    from zarr.storage import LocalStore

    if not isinstance(group.store, LocalStore):
        return [name for name, _ in group.members()]
    folder = Path(group.store.root, group.path)
    check_zarr_metadata(folder)
    return [child.name for child in folder.iterdir() if is_zarr(child)]


def _natural(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isascii() and name.isdigit() else (1, 0, name)


def _refuse_special(ome: Mapping[str, Any], place: _Place) -> None:
    if "plate" in ome or "well" in ome:
        raise ReadError(f"{place} is a plate of wells, not a scan. Open one of the images in it.")
    if "image-label" in ome or ("labels" in ome and not ome.get("multiscales")):
        raise ReadError(f"{place} holds the labels of an image, not a scan. Open the image instead.")


def _ome_scans(
    group: zarr.Group, attributes: Mapping[str, Any], ome: Mapping[str, Any], place: _Place
) -> Iterator[Scan]:
    image = read_multiscales(ome)
    if image is None:
        return
    found = lazy_array(group[image.path], str(place), whole=_is_whole(attributes))
    data = found.data
    if data.ndim != len(image.axes):
        raise ValueError(f"{data.ndim} dimensions but {len(image.axes)} axes")
    own = _own_info(attributes, data.shape)
    if own is not None:
        yield Scan(data, own.with_warnings(found.notes, place))
        return
    name = image.name or place.path or _store_name(place.where)
    letters = image.axes
    info = ScanInfo(
        name=name,
        axes=_ordered(letters),
        voxel_size=_by_zyx(image.voxel_size, letters),
        origin=_by_zyx(image.origin, letters),
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
        yield None, reordered(data, [letters.index(a) for a in _ordered(letters)])
        return
    axis = letters.index("c")
    omero = ome.get("omero")
    described = omero.get("channels", []) if isinstance(omero, dict) else []
    rest = letters.replace("c", "")
    for k in range(data.shape[axis]):
        label = described[k].get("label") if k < len(described) and isinstance(described[k], dict) else None
        channel = reordered(data[(slice(None),) * axis + (k,)], [rest.index(a) for a in _ordered(rest)])
        yield (str(label or f"channel {k}") if data.shape[axis] > 1 else None), channel


def _plain_scan(array: zarr.Array[Any], place: _Place, coordinates: Mapping[str, Coordinate]) -> Scan:
    attributes = dict(array.attrs)
    found = lazy_array(array, str(place), whole=_is_whole(attributes))
    own = _own_info(attributes, found.data.shape)
    if own is not None:
        return Scan(found.data, own.with_warnings(found.notes, place))
    data, notes = decoded(found.data, attributes, str(place)), list(found.notes)
    if data.ndim not in _PLAIN_AXES:
        raise ReadError(f"{place} has {data.ndim} dimensions, and a scan has two to five.")
    named, stated = axes_of(array), dimension_names(array)
    letters = named or _PLAIN_AXES[data.ndim]
    if named is None and stated:
        notes.append(f"{place} names its dimensions {', '.join(stated)}; they are taken for {', '.join(letters)}.")
    spatial = [k for k, a in enumerate(letters) if a in SPATIAL_AXES]
    (sizes, unknown), origin = _voxel_size(attributes, len(spatial), place), (0.0,) * len(spatial)
    notes += unknown
    known = [coordinates.get(stated[k]) for k in spatial] if stated and named else []
    if sizes is None and known and None not in known:
        data, sizes, origin = along(data, spatial, [c for c in known if c is not None])
    if sizes is None:
        notes.append(f"{place} doesn't say how large its voxels are; 1 mm is taken. Give voxel_size to set it.")
    name = place.path or _store_name(place.where)
    info = ScanInfo(
        name=name,
        axes=_ordered(letters),
        voxel_size=_by_zyx(sizes or (1.0,) * len(spatial), letters),
        unsized=sizes is None,
        origin=_by_zyx(origin, letters),
        plane=plane_in([name]),
        region=region_in([name]),
        source=str(place),
    ).with_warnings(notes)
    return Scan(reordered(data, [letters.index(a) for a in info.axes]), info)


def _stack_scan(slices: Mapping[str, zarr.Array[Any]], place: _Place) -> Scan:
    """Make a scan of arrays that hold a slice each."""
    data, notes = stacked(slices, str(place))
    name = place.path or _store_name(place.where)
    info = ScanInfo(
        name=name,
        axes="zyx",
        voxel_size=(1.0, 1.0, 1.0),
        unsized=True,
        plane=plane_in([name]),
        region=region_in([name]),
        source=str(place),
    )
    silent = f"{place.where} doesn't say how large its voxels are; 1 mm is taken. Give voxel_size to set it."
    return Scan(data, info.with_warnings([*notes, silent]))


def _voxel_size(attributes: Mapping[str, Any], count: int, place: _Place) -> tuple[tuple[float, ...] | None, list[str]]:
    """Voxel size in mm of the last ``count`` axes, None when no attribute makes sense; and what to tell."""
    for key in _SIZE_KEYS:
        values = attributes.get(key)
        values = [values] * count if isinstance(values, (int, float)) else values
        if isinstance(values, list) and len(values) >= count and all(isinstance(v, (int, float)) for v in values):
            unit = attributes.get("unit", attributes.get("units", "mm"))
            unit = unit[-1] if isinstance(unit, list) and unit else unit
            factor, unknown = (1.0, []) if key.endswith("_mm") else millimetres_or_one(unit, place)
            sizes = tuple(float(v) * factor for v in values[-count:])
            if all(0 < size < math.inf for size in sizes):
                return sizes, unknown
    return None, []


def _is_whole(attributes: Mapping[str, Any]) -> bool:
    """Tell whether `create_ome_zarr` wrote an array with all its pieces, also empty ones, so that none may lack."""
    document = attributes.get(KEY)
    return isinstance(document, dict) and document.get("format") not in (None, 1)


def _own_info(attributes: Mapping[str, Any], shape: tuple[int, ...]) -> ScanInfo | None:
    """Restore what `create_ome_zarr` wrote."""
    document = attributes.get(KEY)
    if not isinstance(document, dict):
        return None
    info = info_from_json(document)
    if len(info.axes) != len(shape):
        raise ValueError(f"{len(shape)} dimensions but the axes '{info.axes}'")
    return info


def _ordered(letters: str) -> str:
    return "".join(a for a in AXES if a in letters)


def _by_zyx(values: tuple[float, ...], letters: str) -> tuple[float, ...]:
    spatial = [a for a in letters if a in SPATIAL_AXES]
    return tuple(values[spatial.index(a)] for a in SPATIAL_AXES if a in spatial)


def _store_name(where: str) -> str:
    name = Path(where.rstrip("/")).name
    for ending in (".ome.zarr", ".zarr"):
        name = name.removesuffix(ending)
    return name or where
