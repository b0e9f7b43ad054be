"""Read the further formats that nibabel knows: ANALYZE, MGH, MINC and AFNI. nibabel reads the headers."""

from __future__ import annotations

import gzip
import io
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.damage import damage_told
from napari_micromri.io.formats import beside
from napari_micromri.io.geometry import geometry_from_steps
from napari_micromri.io.grid import describe_grid, lazy_grid
from napari_micromri.io.lazy import scale_slice
from napari_micromri.io.small_files import read_small
from napari_micromri.io.telling import complaints
from napari_micromri.io.units import millimetres_or_one
from napari_micromri.io.volume import Volume, check_length, is_compressed
from napari_micromri.quiet import quiet
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_AFNI_SECONDS = {77001: 1e-3, 77002: 1.0}


def read_analyze(path: Path) -> list[Scan]:
    """Open the header of a pair of ANALYZE files, as SPM 2 and nibabel understand it.

    Raises
    ------
    ReadError
        The files are damaged, one of them is missing, or they hold no plain numbers.
    """
    from nibabel import Spm2AnalyzeImage

    matrix, voxels = beside(path, ".hdr", ".mat"), beside(path, ".hdr", ".img")
    with damage_told(path, "ANALYZE"), complaints("nibabel.global") as repaired:
        if matrix.exists():
            read_small(matrix)  # never a device
        image: Any = Spm2AnalyzeImage.from_filename(path)
        header, affine, notes = image.header, image.affine, [f"{path}: {text}." for text in repaired]
        slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)
        if not matrix.is_file():
            affine = np.diag([*(abs(float(s)) for s in header["pixdim"][1:4]), 1])
            notes.append(
                f"{path} is an ANALYZE file, which doesn't say how its axes are oriented, nor which side is left."
            )
        unit = bytes(header["vox_units"]).split(b"\0")[0].decode("ascii", "replace").strip().lower()
        scale, unknown = millimetres_or_one(unit, path)
        notes += unknown
        affine = np.diag([scale, scale, scale, 1]) @ affine
        # nibabel clears the slope in the header of the image once it has read it.
        header_class: Any = Spm2AnalyzeImage.header_class
        stated = float(header_class(read_small(path)[:348], check=False)["scl_slope"])
        if (slope, intercept) != (1, 0) and not (stated and math.isfinite(stated)):
            notes.append(f"{path} states no slope; values are scaled to its cal_min and cal_max, as SPM does.")
        if image.ndim > 3 and image.shape[3] > 1 and float(header["pixdim"][4]) not in (0.0, 1.0):
            notes.append(f"{path} gives a time per volume without a unit, which was left out.")
        scales = [] if (slope, intercept) == (1, 0) else [(slope, intercept)]
        where = (voxels, int(image.dataobj.offset))
        return [_raw_scan(path, header, affine, where, scales, notes, known=matrix.is_file())]


def read_mgh(path: Path) -> list[Scan]:
    """Open a file of FreeSurfer.

    Raises
    ------
    ReadError
        The file is damaged, or its orientation makes no sense.
    """
    from nibabel import MGHImage

    with damage_told(path, "MGH"), complaints("nibabel.global") as repaired:
        with gzip.open(path) if is_compressed(path) else path.open("rb") as stream:
            known = stream.read(30)[28:] != b"\0\0"
            stream.seek(0)
            header_class: Any = MGHImage.header_class
            header = header_class.from_fileobj(stream)
        times = {"repetition_time": float(header["tr"]), "echo_time": float(header["te"])}
        said: dict[str, Any] = {name: value for name, value in times.items() if 0 < value < math.inf}
        if "repetition_time" in said:
            said["time_step"] = float(f"{said['repetition_time'] / 1000:.7g}")
        notes = [f"{path}: {text}." for text in repaired]
        if not known:
            notes.append(f"{path} doesn't give its voxel size or orientation; 1 mm is assumed.")
        return [_raw_scan(path, header, header.get_affine(), (path, 284), [], notes, known=known, **said)]


def read_afni(path: Path) -> list[Scan]:
    """Open the header of an AFNI dataset: a volume, a time series, or each volume of a bucket.

    Raises
    ------
    ReadError
        The files are damaged, or the volumes are of several types.
    """
    from nibabel import brikhead

    afni: Any = brikhead
    plain = beside(path, ".head", ".brik")
    voxels = plain if plain.is_file() else beside(path, ".head", ".brik.gz")
    if not voxels.is_file():
        voxels = plain.with_name(f"{plain.stem}.BRIK.gz")
    with damage_told(path, "AFNI", (afni.AFNIImageError, afni.AFNIHeaderError)):
        text = read_small(path).decode("latin-1").replace("\r\n", "\n")
        header = afni.AFNIHeader(afni.parse_AFNI_header(io.StringIO(text)))
        axis, times = (np.atleast_1d(header.info.get(key, [])) for key in ("TAXIS_NUMS", "TAXIS_FLOATS"))
        unit = _AFNI_SECONDS.get(int(axis[2]), 0.0) if len(axis) > 2 else 0.0
        step = float(times[1]) * unit if len(times) > 1 else 0.0
        factors = header.get_data_scaling()
        scales = [] if factors is None else [(float(factor), 0.0) for factor in factors]
        said: dict[str, Any] = {"time_step": step} if 0 < step < math.inf else {}
        scan = _raw_scan(path, header, header.get_affine(), (voxels, 0), scales, [], **said)
        labels = header.get_volume_labels() or []
        sizes = np.linalg.norm(header.get_affine()[:3, :3], axis=0)
        if not np.allclose(sizes, np.abs(header.info["DELTA"]), rtol=0.01):
            raise ReadError(f"{path} contradicts itself: DELTA and IJK_TO_DICOM_REAL give two voxel sizes.")
    if len(axis) or "t" not in scan.info.axes:
        return [scan]
    return [part(scan, [k], labels[k] if k < len(labels) else f"#{k}") for k in range(scan.shape[0])]


def part(scan: Scan, volumes: Sequence[int], label: str, **said: Any) -> Scan:
    """Take volumes of a scan as one of its own: a stack of them, or a single one without that axis."""
    info = replace(scan.info, name=f"{scan.info.name} {label}".strip(), **said)
    if len(volumes) > 1:
        return Scan(scan.data[list(volumes)], info)
    return Scan(scan.data[volumes[0]], replace(info, axes=info.axes[1:], time_step=None))


def read_minc(path: Path) -> list[Scan]:
    """Open a MINC file of version 1 or 2.

    Raises
    ------
    ReadError
        The file is damaged or irregular, or is of version 2 while h5py is missing.
    """
    from nibabel import Minc1Image, Minc2Image
    from nibabel.minc1 import MincError

    with path.open("rb") as stream:
        second = stream.read(4) == b"\x89HDF"
    if second:
        needs(path, "h5py")
    with damage_told(path, "MINC", (MincError,)):
        with quiet() as told:
            kind: Any = Minc2Image if second else Minc1Image
            image = kind.from_filename(path) if second else kind.from_file_map(_in_memory(path))
        file = image.dataobj.minc_file  # the library has no other way to tell
        names, notes = list(file._dim_names), _never_written(path, file) if second else []
        spatial = [k for k, name in enumerate(names) if name.endswith("space")]
        outer = {"t": names.index("time")} if "time" in names else {}
        if len(spatial) != 3 or len(outer) + 3 != len(names):
            raise ReadError(f"{path} has the dimensions {', '.join(names)}, and a scan has space and time.")
        geometry = geometry_from_steps(image.affine[:3, :3].T, image.affine[:3, 3])
        step = float(file.get_zooms()[outer["t"]]) if outer else 0.0
        said: dict[str, Any] = {"time_step": step} if 0 < step < math.inf else {}
        info, axes = describe_grid(path, path.stem, geometry, spatial, outer=outer, **said)
        stored = np.dtype(image.get_data_dtype())
        dtype = stored.newbyteorder("=") if stored.kind == "f" else np.dtype(np.float32)

    def read(index: tuple[Any, ...]) -> NDArray[Any]:
        with damage_told(path, "MINC", gone=True), np.errstate(all="ignore"):
            found = np.asarray(image.dataobj[index])
            if stored.kind != "f" and not (np.abs(found) <= np.finfo(np.float32).max).all():
                raise ReadError(
                    f"{path} has an image-min or image-max that isn't a number, so its values can't be known."
                )
            return found

    told_info = info.with_warnings([*notes, *(f"{path}: {text}." for text in told)])
    return [Scan(lazy_grid(read, image.shape, axes, dtype, path), told_info)]


def _never_written(path: Path, file: Any) -> list[str]:
    """Tell which parts of a file of HDF5 nobody wrote, since reading them gives zeros without an error.

    Raises
    ------
    ReadError
        The scale of the values was never written, or the voxels lie in other files, which may be missing as silently.
    """
    if file._image.is_virtual or file._image.external:
        raise ReadError(f"{path} keeps its voxels in other files, which isn't supported. Save it as one file.")
    lost = {name: _lost_pieces(getattr(file, f"_{name}")) for name in ("image", "image_max", "image_min")}
    if lost["image_max"][0] or lost["image_min"][0]:
        raise ReadError(f"{path} lacks a part of image-max or image-min, so its values can't be known.")
    missing, count = lost["image"]
    told = f"{path}: {missing} of {count} pieces of the image were never written, and are read as one value."
    return [told] if missing else []


def _lost_pieces(data: Any) -> tuple[int, int]:
    """Count the pieces of an HDF5 dataset that are not in the file, and all of them."""
    if data.chunks is None:
        return int(data.id.get_storage_size() == 0 and data.size > 0), 1
    count = math.prod(-(-n // piece) for n, piece in zip(data.shape, data.chunks, strict=True))
    return count - int(data.id.get_num_chunks()), count


def _in_memory(path: Path) -> dict[str, Any]:
    """Read all of a file, as nibabel does with MINC 1; from a file it would reserve what damaged lengths ask for."""
    from nibabel import FileHolder

    return {"image": FileHolder(fileobj=io.BytesIO(path.read_bytes()))}


def needs(path: Path, module: str) -> None:
    """Refuse a file whose library is not installed.

    Raises
    ------
    ReadError
        Says how to install it.
    """
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise ReadError(f"{path} needs {module}. Install it with: pip install 'napari-micromri[formats]'.")


def _raw_scan(
    path: Path,
    header: Any,
    affine: NDArray[Any],
    where: tuple[Path, int],
    scales: Sequence[tuple[float, float]],
    notes: Iterable[str],
    *,
    known: bool = True,
    **said: Any,
) -> Scan:
    """Describe voxels that lie in a row; ``scales`` holds slope and intercept for each volume, or for all."""
    shape = tuple(int(n) for n in header.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if not 2 <= len(shape) <= 4 or (len(scales) > 1 and len(scales) != math.prod(shape[3:])):
        raise ReadError(f"{path} has the size {' x '.join(map(str, shape))}, and a scan has two to four dimensions.")
    spatial = range(min(3, len(shape)))[::-1]
    geometry = geometry_from_steps([affine[:3, k] for k in spatial], affine[:3, 3])
    if len(shape) < 4:
        said.pop("time_step", None)
    outer = {"t": 3} if len(shape) == 4 else {}
    info, axes = describe_grid(path, path.name.rsplit(".", 1)[0], geometry, spatial, known=known, outer=outer, **said)
    voxels, offset = where
    if offset < 0:
        raise ReadError(f"{path} is damaged: its voxels begin before their file. Copy or export it again.")
    stored = np.dtype(header.get_data_dtype())
    volume = Volume(voxels, shape, stored, offset)

    def read(index: tuple[Any, ...]) -> NDArray[Any]:
        found = volume.array()[index]
        return scale_slice(found, *scales[index[3] if len(scales) > 1 else 0]) if scales else found

    dtype = np.dtype(np.float32) if scales else stored.newbyteorder("=")
    data = lazy_grid(read, shape, axes, dtype, path)
    longer = check_length(voxels, offset + math.prod(shape) * stored.itemsize)
    # A FreeSurfer file continues after its voxels.
    return Scan(data, info.with_warnings([*notes, *(longer if voxels != path else [])]))
