"""Read NIfTI files, .nii, .nii.gz, and pairs of .hdr and .img."""

from __future__ import annotations

import gzip
import io
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.damage import damage_told
from napari_micromri.io.describe import KEY, info_from_json
from napari_micromri.io.formats import beside, is_nifti_pair
from napari_micromri.io.geometry import Geometry, geometry_from_steps
from napari_micromri.io.grid import describe_grid, geometry_of_affine, lazy_grid
from napari_micromri.io.lazy import check_dtype, check_sizes, scale_slice
from napari_micromri.io.nifti_sidecars import Weightings, doubts_of, read_document, read_weightings, said_by, stem_of
from napari_micromri.io.telling import complaints
from napari_micromri.io.units import millimetres, seconds
from napari_micromri.io.volume import Volume, check_length, is_compressed
from napari_micromri.quiet import quiet
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LABELS, _STATISTICS = 1002, range(2, 25)  # NIFTI_INTENT_LABEL, and from CORREL to LOG10PVAL
_HEADER_1, _HEADER_2, _LONGEST_HEADER = 348, 540, 2**26
_BEGINNINGS = [n.to_bytes(4, order) for n in (_HEADER_1, _HEADER_2) for order in ("little", "big")]


def read_nifti(path: Path) -> list[Scan]:
    """Open a NIfTI file as one scan; voxels are read when they are looked at.

    The array axes i, j, k and time become ``t z y x`` (reversed). Where the voxels are longest along i or j, that axis
    becomes z, since it is the direction in which the slices were acquired; geometry and what is saved stay right. A
    ``.bval`` file beside it with one number per volume turns time into b, and ``.bvec`` gives the directions; with
    five dimensions the fifth is b. A compressed file can't be read in part: it is read as a whole when its first slice
    is looked at, and kept.

    Raises
    ------
    ReadError
        The file is damaged, cut off, or holds no numbers in two to five dimensions.
    """
    with damage_told(path, "NIfTI"), complaints("nibabel.global") as repaired:
        header, voxels, offset, slope, intercept = _read_header(path)
        stored = np.dtype(header.get_data_dtype())
        check_dtype(stored, path)
        info, file_axes, shape = _describe(header, path)
        check_sizes([shape[axis] for axis in file_axes], path, itemsize=stored.itemsize)
        volume = Volume(voxels, shape, stored, offset)
        notes = check_length(voxels, offset + math.prod(shape) * stored.itemsize)

    def read(index: tuple[Any, ...]) -> NDArray[Any]:
        found = volume.array()[index]
        return found if slope is None else scale_slice(found, slope, intercept)

    dtype = stored.newbyteorder("=") if slope is None else np.dtype(np.float32)
    told = info.with_warnings([*(f"{path}: {text}." for text in repaired), *notes])
    return [Scan(lazy_grid(read, shape, file_axes, dtype, path), told)]


def _read_header(path: Path) -> tuple[Any, Path, int, float | None, float]:
    """Give the header, the file of the voxels and where they begin, slope (None: nothing to scale) and intercept."""
    import nibabel

    _check_name(path)
    opened = gzip.open(path) if is_compressed(path) else path.open("rb")
    with opened as stream, quiet():  # nibabel warns of extensions that it skips
        head = stream.read(_HEADER_2)
        pair, second = is_nifti_pair(head), head[4:8] in (b"n+2\0", b"ni2\0")
        kind: Any = getattr(nibabel, f"Nifti{2 if second else 1}{'Pair' if pair else 'Image'}")
        length = _HEADER_2 if second else _HEADER_1
        begin = int(kind.header_class.from_fileobj(io.BytesIO(head[:length])).get_data_offset())
        if not 0 <= begin <= _LONGEST_HEADER:
            raise ValueError("the header is too long")
        # From memory: a file would reserve as much of it as the damaged length of an extension asks for.
        content = io.BytesIO(head + stream.read(_LONGEST_HEADER if pair else max(0, begin - len(head))))
        header, voxels = nibabel.FileHolder(fileobj=content), beside(path, ".hdr", ".img") if pair else path
        images = nibabel.FileHolder(str(voxels)) if pair else header
        # nibabel clears offset, slope and intercept in the header of the image once it has read them.
        image = kind.from_file_map({"header": header, "image": images})
    stored = image.dataobj
    offset, slope, intercept = int(stored.offset), float(stored.slope), float(stored.inter)
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise ValueError("the scaling makes no sense")
    return image.header, voxels, offset, None if (slope, intercept) == (1.0, 0.0) else slope, intercept


def _check_name(path: Path) -> None:
    """Refuse a file that is compressed where its name denies it, or the other way round, as browsers leave it."""
    with path.open("rb") as stream:
        beginning = stream.read(4)
    if beginning[:2] == b"\x1f\x8b" and not is_compressed(path):
        raise ReadError(f"{path} is compressed, which its name doesn't say. Rename it to {path.name}.gz.")
    if beginning in _BEGINNINGS and is_compressed(path):
        raise ReadError(f"{path} isn't compressed, though its name says so. Rename it to {path.stem}.")


def _own_extension(header: Any) -> dict[str, Any] | None:
    for extension in header.extensions:
        content = extension.get_content()
        text = content if isinstance(content, bytes) else str(content).encode()
        if extension.get_code() == 6 and KEY.encode() in text:
            try:
                document = json.loads(text.rstrip(b"\0"))
            except (ValueError, RecursionError):
                continue
            if isinstance(document, dict) and isinstance(document.get(KEY), dict):
                return dict(document[KEY])
    return None


def _describe(header: Any, path: Path) -> tuple[ScanInfo, list[int], tuple[int, ...]]:
    """Describe the scan, and tell for each of its axes which axis of the file it is; also the shape in the file."""
    shape = tuple(int(n) for n in header.get_data_shape())
    if not 2 <= len(shape) <= 7:
        raise ReadError(f"{path} has {len(shape)} dimensions, and a scan has two to five.")
    geometry, known = _geometry(header, min(len(shape), 3), path)
    step, notes = _time_step(header, path) if len(shape) > 3 else (None, ())
    contradictions = _contradictions(header, shape, path) if known else []
    own = _own_info(_own_extension(header), geometry, shape)
    if own is not None:
        later = iter(range(3, len(shape)))
        own = replace(own, time_step=step or own.time_step)
        return own, ["xyz".index(a) if a in "xyz" else next(later) for a in own.axes], shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    info, file_axes = _describe_foreign(geometry, known, shape, path)
    info = replace(info, quantity=info.quantity or _intent(header)).with_warnings(contradictions)
    volumes = bool(set(info.axes) & set("tb"))
    if volumes:
        info = replace(info, time_step=step).with_warnings(notes)
    return info.with_warnings(doubts_of(read_document(path), step if volumes else None, path)), file_axes, shape


def _describe_foreign(
    geometry: Geometry, known: bool, shape: tuple[int, ...], path: Path
) -> tuple[ScanInfo, list[int]]:
    spatial = min(len(shape), 3)
    outer, weightings = _outer_axes(shape, geometry.direction[::-1] if known and geometry.direction else None, path)
    info, file_axes = describe_grid(
        path,
        stem_of(path),
        geometry,
        range(spatial)[::-1],
        known=known,
        outer=outer,
        b_values=weightings.b_values,
        b_directions=weightings.b_directions,
        **said_by(read_document(path), stem_of(path)),
    )
    return info.with_warnings(weightings.notes), file_axes


def _outer_axes(shape: tuple[int, ...], axes: Any, path: Path) -> tuple[dict[str, int], Weightings]:
    """Name the axes of the file after the third, with what is known of their volumes."""
    if len(shape) <= 3:
        return {}, Weightings()
    weightings = read_weightings(path, shape[-1], axes)
    if len(shape) == 4:
        return {"b" if weightings.b_values else "t": 3}, weightings
    if len(shape) > 5 or not weightings.b_values:
        raise ReadError(
            f"{path} has {len(shape)} dimensions ({' x '.join(map(str, shape))}), and nothing says what those after "
            "the fourth are. Save what it holds as files of up to four dimensions."
        )
    return {"t": 3, "b": 4} if shape[3] > 1 else {"b": 4}, weightings


def _contradictions(header: Any, shape: tuple[int, ...], path: Path) -> list[str]:
    """Tell where the two places that a header can state differ, of which one is taken; or their voxel sizes."""
    if header["sform_code"] <= 0:
        return []
    if header["qform_code"] <= 0:
        return _other_sizes(header, min(3, len(shape)), path)
    try:
        places = [np.asarray(place, dtype=float) for place in (header.get_sform(), header.get_qform())]
    except ValueError:
        return []
    corners = np.array([[0, 0, 0, 1], [*(n - 1 for n in (*shape, 1)[:3]), 1]], dtype=float)
    apart = np.linalg.norm(corners @ (places[0] - places[1]).T, axis=1).max()
    smallest = np.linalg.norm(places[0][:3, :3], axis=0).min()
    if not apart > smallest / 2:
        return []
    return [f"{path} states two places (sform and qform) that lie up to {apart:.3g} mm apart; the sform is taken."]


def _other_sizes(header: Any, spatial: int, path: Path) -> list[str]:
    """Tell where pixdim, which an sform alone makes superfluous, has another voxel size."""
    taken = np.linalg.norm(np.asarray(header.get_sform(), dtype=float)[:3, :spatial], axis=0)
    other = np.abs(np.asarray(header["pixdim"][1 : spatial + 1], dtype=float))
    if not (other > 0).all() or np.allclose(taken, other, rtol=0.01):
        return []
    sizes = [" x ".join(f"{size:.4g}" for size in those) for those in (taken, other)]
    return [f"{path} states two voxel sizes, {sizes[0]} by its sform and {sizes[1]} by pixdim; the sform is taken."]


def _intent(header: Any) -> str | None:
    """Name what the voxels are where the header says that they are labels or statistics."""
    code = int(header["intent_code"])
    return "labels" if code == _LABELS else "map" if code in _STATISTICS else None


def _time_step(header: Any, path: Path) -> tuple[float | None, tuple[str, ...]]:
    """Time in s from one volume to the next, and what was guessed."""
    unit, value = header.get_xyzt_units()[1], float(header["pixdim"][4])
    second = 1.0 if unit == "unknown" else seconds(unit)
    if second is None or not 0 < value < math.inf or (unit == "unknown" and value == 1):
        return None, ()  # 1 without a unit is what programs write that know nothing
    guessed = f"{path} gives {value:g} as the time per volume, without a unit; seconds are taken."
    return float(f"{value * second:.7g}"), (guessed,) if unit == "unknown" else ()


def _geometry(header: Any, spatial: int, path: Path) -> tuple[Geometry, bool]:
    """Geometry in the order z y x, and whether the file knows the direction at all."""
    scale = millimetres(header.get_xyzt_units()[0]) or 1.0
    known = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    affine = np.asarray(header.get_best_affine(), dtype=float) * scale
    sizes = [abs(float(s)) * scale for s in header["pixdim"][1:4]]
    if known:
        try:
            return geometry_of_affine(affine, spatial), True
        except ValueError:
            pass  # a matrix of zeros is not rare in the wild; the voxel size stands a second time in pixdim
    if not all(0 < s < 1e9 for s in sizes[:spatial]):
        raise ReadError(f"{path} states no usable voxel size ({sizes[:spatial]}). Give it when you open the file.")
    return geometry_from_steps(np.diag(sizes)[:spatial][::-1], np.zeros(3)), False


def _own_info(document: dict[str, Any] | None, found: Geometry, shape: tuple[int, ...]) -> ScanInfo | None:
    """Restore what `save_scan` wrote, unless another program has changed the grid since."""
    try:
        info = info_from_json(document) if document else None
    except ValueError:
        info = None
    if info is None or len(shape) != file_dimensions(info) or ("z" not in info.axes and shape[2:3] not in ((), (1,))):
        return None
    rows = [k - 3 + len(found.voxel_size) for k, a in enumerate("zyx") if a in info.spatial]
    if not np.allclose(info.voxel_size, np.array(found.voxel_size)[rows], rtol=1e-4):
        return None
    if info.direction is not None and found.direction is not None:
        if not np.allclose(info.direction, np.array(found.direction)[rows], atol=1e-3):
            return None
        if not np.allclose(info.origin, np.array(found.origin)[rows], rtol=1e-4, atol=1e-3):
            return None
    return info


def file_dimensions(info: ScanInfo) -> int:
    """Give the number of dimensions in a NIfTI file; x, y, z come first, only a single slice goes without z."""
    return 2 if info.axes == "yx" else 3 + len(info.axes) - len(info.spatial)
