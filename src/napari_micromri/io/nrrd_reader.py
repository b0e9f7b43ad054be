"""Read NRRD files, with pynrrd."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.damage import damage_told
from napari_micromri.io.geometry import LPS_TO_RAS, geometry_from_steps
from napari_micromri.io.grid import describe_grid, lazy_grid
from napari_micromri.io.units import millimetres_or_one, seconds
from napari_micromri.io.volume import Volume, check_length
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.io.grid import Reader

_TO_RAS = {
    **dict.fromkeys(("left-posterior-superior", "lps"), LPS_TO_RAS),
    **dict.fromkeys(("right-anterior-superior", "ras"), np.array([1.0, 1, 1])),
    **dict.fromkeys(("left-anterior-superior", "las"), np.array([-1.0, 1, 1])),
}
_SERIES = ("list", "time", "???", "none", "domain", "space")
_RATIOS = {"gzip": 1100, "gz": 1100, "bzip2": 50_000, "bz2": 50_000}
"""By how much a compression can shrink data at most."""


def read_nrrd(path: Path) -> list[Scan]:
    """Open a ``.nrrd`` file, or an ``.nhdr`` with its data in a file beside it, as one scan.

    An axis outside of space is b where the file has the gradients of a diffusion series (``DWMRI_...``), else time.
    Raw data are read slice by slice, others as a whole when the first slice is looked at.

    Raises
    ------
    ReadError
        The files are damaged or cut off, or hold vectors, matrices or colours.
    """
    import nrrd

    with damage_told(path, "NRRD", (nrrd.NRRDError,)):
        with path.open("rb") as stream:
            header: Any = nrrd.read_header(stream)
            begin = stream.tell()
        sizes, dtype = [int(n) for n in header["sizes"]], nrrd.reader._determine_datatype(header)
        if header["dimension"] != len(sizes) or min(sizes) < 1:
            raise ReadError(f"{path} states {header['dimension']} dimensions and the sizes {sizes}.")
        spatial, outer = _axes(path, header, sizes)
        steps, first, to_ras, notes = _grid(path, header, spatial)
        if {"old min", "oldmin"} & header.keys():
            notes.append(f"{path} says that its values were quantized; the numbers are kept as they are stored.")
        said = {} if outer is None else _series(header, outer, sizes[outer], to_ras)
        info, axes = describe_grid(
            path,
            path.name.rsplit(".", 1)[0],
            geometry_from_steps(steps, first),
            spatial,
            known=to_ras is not None,
            outer={} if outer is None else {"b" if "b_values" in said else "t": outer},
            **said,
        )
        data = lazy_grid(_voxels(path, header, begin, dtype), sizes, axes, dtype.newbyteorder("="), path)
    return [Scan(data, info.with_warnings(notes))]


def _axes(path: Path, header: Any, sizes: Sequence[int]) -> tuple[list[int], int | None]:
    """Tell which axes of the file lie in space, slowest first, and which other one is longer than 1."""
    count = len(sizes)
    kinds = [kind.lower() for kind in header.get("kinds", ["???"] * count)]
    if "space directions" in header:
        inside = [bool(np.isfinite(row).all()) for row in np.asarray(header["space directions"], dtype=float)]
    elif "kinds" in header:
        inside = [kind in ("domain", "space") for kind in kinds]
    else:
        inside = [count <= 3 or bool(np.isfinite(header.get("spacings", [math.nan] * count)[k])) for k in range(count)]
    spatial = [k for k in range(count)[::-1] if inside[k]]
    others = [k for k in range(count) if not inside[k] and sizes[k] > 1]
    if len(inside) != count or len(kinds) != count or len(spatial) not in (2, 3) or len(others) > 1:
        raise ReadError(f"{path} doesn't say which of its {count} axes lie in space. Save it with space directions.")
    if others and kinds[others[0]] not in _SERIES:
        raise ReadError(f"{path} holds {sizes[others[0]]} values per voxel ({kinds[others[0]]}), not an image.")
    return spatial, others[0] if others else None


def _grid(
    path: Path, header: Any, spatial: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None, list[str]]:
    """Give steps, first position, the signs that lead to RAS+ (None: orientation unknown), and what was guessed."""
    space, directions = header.get("space"), np.asarray(header.get("space directions", np.zeros((0, 0))), dtype=float)
    to_ras = _TO_RAS.get(str(space).lower())
    if not directions.size:
        units, spacings = (header.get(key, [other] * 9) for key, other in (("units", ""), ("spacings", math.nan)))
        lengths, notes = _lengths([units[k] for k in spatial], path)
        sizes = np.array([float(spacings[k]) for k in spatial]) * lengths
        if not np.isfinite(sizes).all():
            notes.append(f"{path} doesn't say how large its voxels are; 1 mm is taken.")
            sizes = np.where(np.isfinite(sizes), sizes, 1)
        return np.eye(3)[: len(spatial)] * np.abs(sizes)[:, None], np.zeros(3), None, notes
    lengths, notes = _lengths(header.get("space units", [""] * directions.shape[1]), path)
    steps = directions[spatial] * lengths
    if to_ras is not None and len(lengths) == 3:
        first = np.asarray(header.get("space origin", np.zeros(3)), dtype=float)
        return steps * to_ras, first * lengths * to_ras, to_ras, notes
    where = f"counts in '{space}'" if space else "doesn't say in which directions it counts"
    notes.append(f"{path} {where}, so that nobody knows how its axes lie in the animal, nor which side is left.")
    return np.eye(3)[: len(spatial)] * np.linalg.norm(steps, axis=1)[:, None], np.zeros(3), None, notes


def _lengths(units: Sequence[str], path: Path) -> tuple[NDArray[np.float64], list[str]]:
    """Give the length in mm of each unit, and which of them are unknown."""
    found = [millimetres_or_one(unit, path) for unit in units]
    return np.array([length for length, _ in found]), [note for _, notes in found for note in notes]


def _series(header: Any, outer: int, count: int, to_ras: NDArray[np.float64] | None) -> dict[str, Any]:
    """Say what the volumes of a series are: b-values and directions, or the time between them."""
    if "DWMRI_b-value" not in header or "DWMRI_gradient_0000" not in header:
        spacing, unit = (header.get(key, [None] * 9)[outer] for key in ("spacings", "units"))
        step = float(spacing or 0) * (seconds(unit) or 0.0)
        return {"time_step": step} if 0 < step < math.inf else {}
    texts = [header["DWMRI_gradient_0000"]]
    for k in range(1, count):  # DWMRI_NEX_... says that the next ones are the same, and leaves them out
        texts.append(header.get(f"DWMRI_gradient_{k:04d}", texts[-1]))
    gradients = np.array([[float(word) for word in text.split()] for text in texts])
    length = np.linalg.norm(gradients, axis=1)
    b_values = float(header["DWMRI_b-value"]) * (length / max(length.max(), 1e-12)) ** 2
    said: dict[str, Any] = {"b_values": tuple(float(f"{b:.6g}") for b in b_values)}
    if to_ras is not None:
        frame = np.asarray(header.get("measurement frame", np.eye(3)), dtype=float)
        found = (gradients @ frame) * to_ras
        found = found / np.maximum(np.linalg.norm(found, axis=1), 1e-12)[:, None] * (length > 0)[:, None] + 0.0
        said["b_directions"] = tuple((float(x), float(y), float(z)) for x, y, z in found)
    return said


def _voxels(path: Path, header: Any, begin: int, dtype: np.dtype[Any]) -> Reader:
    """Check that all data are there, and give what reads them."""
    import nrrd

    name = header.get("data file", header.get("datafile"))
    if name is not None and (name.startswith("LIST") or "%" in name):
        raise ReadError(f"{path} keeps its data in several files, which isn't supported. Save it as one .nrrd file.")
    file, begin = (path, begin) if name is None else (path.parent / name, 0)
    if not file.is_file():
        raise ReadError(f"{path} keeps its voxels in {file}, which is not there. Copy both files.")
    shape, encoding = tuple(int(n) for n in header["sizes"]), header["encoding"].lower()
    expected, size = math.prod(shape) * dtype.itemsize, file.stat().st_size
    lines, skip = (int(header.get(key, header.get(key.replace(" ", ""), 0))) for key in ("line skip", "byte skip"))
    if encoding == "raw" and not lines:
        volume = Volume(file, shape, dtype, size - expected if skip == -1 else begin + skip)
        check_length(file, volume.offset + expected if volume.offset >= 0 else size + 1)
        return lambda index: volume.array()[index]
    if size * _RATIOS.get(encoding, dtype.itemsize) < expected:
        raise ReadError(f"{file} is cut off: it can't hold the {expected} bytes that its header announces.")
    kept: list[NDArray[Any]] = []
    lock = threading.Lock()

    def read(index: tuple[Any, ...]) -> NDArray[Any]:
        with lock, damage_told(path, "NRRD", gone=True):
            if not kept:
                with path.open("rb") as stream:
                    nrrd.read_header(stream)
                    kept.append(nrrd.read_data(header, stream, str(path)))
            return np.asarray(kept[0][index])

    return read
