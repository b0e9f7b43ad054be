"""Read Zarr stores: OME-Zarr 0.5 and 0.4, plain arrays and groups of arrays, Zarr 2 and 3, local and remote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import MicroMRIError, ReadError
from napari_micromri.io.formats import is_zarr
from napari_micromri.io.small_files import check_zarr_metadata
from napari_micromri.io.telling import with_warnings
from napari_micromri.io.zarr_coordinates import Coordinate, is_coordinate, letter_of, read_coordinate
from napari_micromri.io.zarr_node import Place
from napari_micromri.io.zarr_ome import ome_scans
from napari_micromri.io.zarr_opening import kinds_of_damage, open_store, problems_told
from napari_micromri.io.zarr_plain import plain_scan, stack_scan
from napari_micromri.io.zarr_slices import is_stack_of_slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import zarr

    from napari_micromri.scan import Scan

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
        Not a Zarr store, nothing in it, damaged metadata, or values that aren't real numbers.
    """
    notes: list[str] = []
    with problems_told(where):
        node = open_store(where)
        scans = list(_scans_in(node, Place(str(where), notes)))
    if not scans and notes:
        raise ReadError(f"{where} holds nothing that can be read. {notes[0]}")
    if not scans:
        raise ReadError(f"{where} is a Zarr group with no image in it. Choose a store or a group that holds one.")
    return with_warnings(scans, _summed_up(notes))


def _summed_up(notes: list[str]) -> list[str]:
    """List what was left out of a group, briefly."""
    more = f" And {len(notes) - _MOST_NOTES} more were left out." if len(notes) > _MOST_NOTES else ""
    return [" ".join(notes[:_MOST_NOTES]) + more] if notes else []


def _scans_in(node: Any, place: Place, coordinates: Mapping[str, Coordinate] | None = None) -> Iterator[Scan]:
    """Walk over a store and yield what can be shown as a scan; of a group, what can't be read is left out and told."""
    import zarr

    if isinstance(node, zarr.Array):
        yield plain_scan(node, place, coordinates or {})
        return
    attributes: dict[str, Any] = dict(node.attrs)
    ome = attributes.get("ome", attributes)
    if not isinstance(ome, dict):
        raise TypeError("the ome attribute isn't an object")
    _refuse_special(ome, place)
    if ome.get("multiscales"):
        yield from ome_scans(node, attributes, ome, place)
    elif place.depth < _DEEPEST:
        yield from _members(node, place)


def _members(group: zarr.Group, place: Place) -> Iterator[Scan]:
    import zarr

    damage: tuple[type[Exception], ...] = (*kinds_of_damage(), MicroMRIError, OSError)
    children: dict[str, Any] = {}
    for name in sorted(_names(group), key=_natural):
        try:
            children[name] = group[name]
        except damage as error:
            place.notes.append(
                f"{place.child(name)} was left out: it is damaged ({str(error) or type(error).__name__})."
            )
    if is_stack_of_slices(children):
        yield stack_scan(children, place)
        return
    axes = {name: child for name, child in children.items() if isinstance(child, zarr.Array) and is_coordinate(child)}
    coordinates = {name: found for name, child in axes.items() if (found := read_coordinate(child)) is not None}
    lost = [name for name in axes if name not in coordinates and letter_of(name) in ("t", "b")]
    place.notes.extend(f"{place.child(name)} was left out: it holds no numbers in a known unit." for name in lost)
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


def _refuse_special(ome: Mapping[str, Any], place: Place) -> None:
    if "plate" in ome or "well" in ome:
        raise ReadError(f"{place} is a plate of wells, not a scan. Open one of the images in it.")
    if "image-label" in ome or ("labels" in ome and not ome.get("multiscales")):
        raise ReadError(f"{place} holds the labels of an image, not a scan. Open the image instead.")
