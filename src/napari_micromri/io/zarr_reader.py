"""Read Zarr stores: OME-Zarr 0.5 and 0.4, plain arrays and groups of arrays, Zarr 2 and 3, local and remote."""

from __future__ import annotations

import math
import sys
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import ReadError, describe_os_error
from napari_micromri.io.describe import KEY, info_from_json
from napari_micromri.io.lazy import reordered
from napari_micromri.io.naming import plane_in, region_in
from napari_micromri.io.ome_metadata import MILLIMETRES, read_multiscales
from napari_micromri.io.small_files import check_zarr_metadata
from napari_micromri.io.zarr_array import lazy_array
from napari_micromri.scan import AXES, SPATIAL_AXES, Scan, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import dask.array as da
    import zarr

_PLAIN_AXES = {2: "yx", 3: "zyx", 4: "tzyx", 5: "tbzyx"}
_SIZE_KEYS = ("voxel_size_mm", "voxel_size", "spacing", "pixel_size", "resolution")
_DEEPEST, _MOST_SCANS = 8, 1000


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
    with _problems_told(where):
        node = _open(where)
        scans = list(_scans_in(node, str(where), "", 0))
    if not scans:
        raise ReadError(f"{where} is a Zarr group with no image in it. Choose a store or a group that holds one.")
    return scans


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zarr warns of foreign files between the chunks
            yield
    except ImportError as error:
        raise ReadError(f"{where} is a remote store: 'pip install fsspec[http,s3]' to open it.") from error
    except OSError as error:
        raise ReadError(describe_os_error(error, where) if error.errno else _no_store(where)) from error
    except zarr.errors.NodeNotFoundError as error:
        raise ReadError(_no_store(where)) from error
    except _connection_errors() as error:
        raise ReadError(_no_store(where)) from error
    except (
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
    ) as error:
        raise ReadError(f"{where} has damaged Zarr metadata ({str(error) or type(error).__name__}).") from error


def _connection_errors() -> tuple[type[Exception], ...]:
    """List what the remote stores' libraries raise of their own, of those that are loaded."""
    names = {"aiohttp": ("ClientError",), "botocore.exceptions": ("BotoCoreError", "ClientError")}
    return tuple(getattr(sys.modules[m], name) for m, those in names.items() if m in sys.modules for name in those)


def _no_store(where: Path | str) -> str:
    return f"{where} is no Zarr store, or can't be reached. Choose a folder with a zarr.json, .zarray or .zgroup in it."


def _scans_in(node: Any, where: str, path: str, depth: int) -> Iterator[Scan]:
    """Walk over a store and yield what can be shown as a scan."""
    import zarr

    if isinstance(node, zarr.Array):
        yield _plain_scan(node, where, path)
        return
    attributes: dict[str, Any] = dict(node.attrs)
    ome = attributes.get("ome", attributes)
    if not isinstance(ome, dict):
        raise TypeError("the ome attribute is no object")
    _refuse_special(ome, where, path)
    if ome.get("multiscales"):
        yield from _ome_scans(node, attributes, ome, where, path)
    elif depth < _DEEPEST:
        count = 0
        for name, child in sorted(node.members(), key=lambda item: _natural(item[0])):
            for scan in _scans_in(child, where, f"{path}/{name}".lstrip("/"), depth + 1):
                count += 1
                if count > _MOST_SCANS:
                    raise ReadError(f"{where} holds more than {_MOST_SCANS} images. Open one of its groups instead.")
                yield scan


def _natural(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isascii() and name.isdigit() else (1, 0, name)


def _refuse_special(ome: Mapping[str, Any], where: str, path: str) -> None:
    place = f"{where}/{path}".rstrip("/")
    if "plate" in ome or "well" in ome:
        raise ReadError(f"{place} is a plate of wells, not a scan. Open one of the images in it.")
    if "image-label" in ome or ("labels" in ome and not ome.get("multiscales")):
        raise ReadError(f"{place} holds the labels of an image, not a scan. Open the image instead.")


def _ome_scans(
    group: zarr.Group, attributes: Mapping[str, Any], ome: Mapping[str, Any], where: str, path: str
) -> Iterator[Scan]:
    image = read_multiscales(ome)
    if image is None:
        return
    array = group[image.path]
    data = lazy_array(array, where)
    if data.ndim != len(image.axes):
        raise ValueError(f"{data.ndim} dimensions but {len(image.axes)} axes")
    own = _own_info(attributes, data.shape)
    if own is not None:
        yield Scan(data, own)
        return
    name = image.name or path or _store_name(where)
    letters = image.axes
    info = ScanInfo(
        name=name,
        axes=_ordered(letters),
        voxel_size=_by_zyx(image.voxel_size, letters),
        origin=_by_zyx(image.origin, letters),
        plane=plane_in([name]),
        region=region_in([name]),
        source=where,
    )
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


def _plain_scan(array: zarr.Array[Any], where: str, path: str) -> Scan:
    data = lazy_array(array, f"{where}/{path}".rstrip("/"))
    attributes = dict(array.attrs)
    own = _own_info(attributes, data.shape)
    if own is not None:
        return Scan(data, own)
    if data.ndim not in _PLAIN_AXES:
        raise ReadError(f"{where}/{path} has {data.ndim} dimensions, and a scan has two to five.".replace("/ ", " "))
    letters = _named_axes(array, attributes) or _PLAIN_AXES[data.ndim]
    axes = _ordered(letters)
    name = path or _store_name(where)
    info = ScanInfo(
        name=name,
        axes=axes,
        voxel_size=_by_zyx(_voxel_size(attributes, sum(a in SPATIAL_AXES for a in axes)), letters),
        plane=plane_in([name]),
        region=region_in([name]),
        source=f"{where}/{path}".rstrip("/"),
    )
    return Scan(reordered(data, [letters.index(a) for a in axes]), info)


def _named_axes(array: zarr.Array[Any], attributes: Mapping[str, Any]) -> str | None:
    """Axes that the array itself names, when they are ours: Zarr 3's, xarray's, or an attribute ``axes``."""
    names = getattr(array.metadata, "dimension_names", None) or attributes.get("_ARRAY_DIMENSIONS")
    for candidate in (names, attributes.get("axes")):
        letters = "".join(candidate).lower() if candidate is not None and _all_texts(candidate) else ""
        if len(letters) == array.ndim == len(set(letters)) and set("yx") <= set(letters) <= set(AXES):
            return letters
    return None


def _all_texts(value: Any) -> bool:
    return isinstance(value, (str, list, tuple)) and all(isinstance(item, str) for item in value)


def _voxel_size(attributes: Mapping[str, Any], count: int) -> tuple[float, ...]:
    """Voxel size in mm of the last ``count`` axes, 1 mm when the attributes give none that makes sense."""
    for key in _SIZE_KEYS:
        values = attributes.get(key)
        values = [values] * count if isinstance(values, (int, float)) else values
        if isinstance(values, list) and len(values) >= count and all(isinstance(v, (int, float)) for v in values):
            unit = attributes.get("unit", attributes.get("units", "mm"))
            unit = unit[-1] if isinstance(unit, list) and unit else unit
            factor = 1.0 if key.endswith("_mm") else MILLIMETRES.get(str(unit).lower(), 1.0)
            sizes = tuple(float(v) * factor for v in values[-count:])
            if all(0 < size < math.inf for size in sizes):
                return sizes
    return (1.0,) * count


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
