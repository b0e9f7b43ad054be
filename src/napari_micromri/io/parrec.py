"""Read PAR/REC files of Philips; nibabel reads the header."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.damage import damage_told
from napari_micromri.io.dates import iso_date
from napari_micromri.io.formats import beside
from napari_micromri.io.grid import describe_grid, geometry_of_affine, lazy_grid
from napari_micromri.io.nibabel_reader import part
from napari_micromri.io.quantity import quantity_in
from napari_micromri.io.small_files import read_small
from napari_micromri.io.telling import with_warnings
from napari_micromri.io.volume import Volume, check_length
from napari_micromri.quiet import quiet
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Places = NDArray[np.intp]

_KINDS = {0: "magnitude", 1: "real", 2: "imaginary", 3: "phase"}
_APART = ("image_type_mr", "scanning sequence", "echo number", "label type")


def read_parrec(path: Path) -> list[Scan]:
    """Open the header of a pair of PAR and REC: a scan for each kind of image, sequence, echo and label.

    Values are those that the console shows (slope and intercept of each slice). Volumes that lack slices, since the
    scan was stopped, are left out.

    Raises
    ------
    ReadError
        The files are damaged, one of them is missing, or the header contradicts itself.
    """
    from nibabel.parrec import PARRECError, PARRECHeader

    with damage_told(path, "PAR/REC", (PARRECError,)):
        text = read_small(path).decode("latin-1")
        kind: Any = PARRECHeader
        with quiet() as told:
            header = kind.from_fileobj(io.StringIO(text), permit_truncated=True, strict_sort=True)
        # Which image of the REC file is slice z of volume v.
        count = [*header.get_data_shape()[2:], 1]
        places = np.asarray(header.get_sorted_slice_indices()).reshape(count[:2], order="F")
        [scan] = with_warnings([_whole(path, header, places)], [f"{path}: {text}." for text in told])
        return list(_parts(scan, header, places)) if "t" in scan.info.axes else [scan]


def _whole(path: Path, header: Any, places: Places) -> Scan:
    """Describe all volumes as one stack."""
    slope, intercept = (np.reshape(v, places.shape, order="F") for v in header.get_data_scaling("dv"))
    if not (np.isfinite(slope).all() and np.isfinite(intercept).all() and slope.all()):
        raise ReadError(f"{path} has a slope or intercept that isn't a number, so its values can't be known.")
    shape, rec = (tuple(map(int, size)) for size in (header.get_data_shape(), header.get_rec_shape()))
    stored = np.dtype(header.get_data_dtype())
    general, images = header.general_info, header.image_defs
    repetition = [float(time) for time in np.atleast_1d(general["repetition_time"]) if time > 0]
    info, axes = describe_grid(
        path,
        path.stem,
        geometry_of_affine(header.get_affine()),
        (2, 1, 0),
        outer={"t": 3} if len(shape) > 3 else {},
        protocol=general["protocol_name"].strip() or None,
        subject=general["patient_name"].strip() or None,
        session=general["exam_name"].strip() or None,
        date=iso_date(general["exam_date"].replace(" / ", " ")),
        repetition_time=repetition[0] if len(repetition) == 1 else None,
        echo_time=float(images["echo_time"][places[0, 0]]) or None,
        averages=int(images["number of averages"][places[0, 0]]) or None,
        quantity=quantity_in([_KINDS.get(int(images["image_type_mr"][places[0, 0]]), "")]),
    )
    voxels = Volume(beside(path, ".par", ".rec"), rec, stored, 0)
    plain = (slope == 1).all() and (intercept == 0).all()

    def read(index: tuple[Any, ...]) -> NDArray[Any]:
        at = (*index[2:], 0)[:2]
        found = voxels.array()[index[:2]][..., places[at]]
        return found if plain else np.asarray(found * slope[at] + intercept[at], dtype=np.float32)

    notes = check_length(voxels.path, math.prod(rec) * stored.itemsize)
    data = lazy_grid(read, shape, axes, stored if plain else np.dtype(np.float32), path)
    return Scan(data, info.with_warnings(notes))


def _parts(scan: Scan, header: Any, places: Places) -> Iterator[Scan]:
    """Take apart what isn't a series: magnitude and phase, echoes, labelled and unlabelled volumes."""
    first = header.image_defs[places[0]]
    apart = [name for name in _APART if name in first.dtype.names and len(np.unique(first[name])) > 1]
    keys = [tuple(int(image[name]) for name in apart) for image in first]
    for key in dict.fromkeys(keys):
        volumes = [k for k, one in enumerate(keys) if one == key]
        images = first[volumes]
        label = " ".join(_word(name, number) for name, number in zip(apart, key, strict=True))
        said, notes = _volumes_of(images, header) if len(volumes) > 1 else ({}, [])
        said |= {"quantity": quantity_in([_KINDS.get(int(images["image_type_mr"][0]), "")])}
        one = part(scan, volumes, label, echo_time=float(images["echo_time"][0]) or None, **said)
        yield from with_warnings([one], notes)


def _word(name: str, number: int) -> str:
    return _KINDS.get(number, f"type {number}") if name == "image_type_mr" else f"{name.split()[0]} {number}"


def _volumes_of(images: Any, header: Any) -> tuple[dict[str, Any], list[str]]:
    """Say what the volumes of a series are: b-values and directions, or the time between them."""
    b_values = tuple(float(b) for b in images["diffusion_b_factor"])
    if not header.general_info["diffusion"] or not any(b_values):
        steps = np.diff(images["dyn_scan_begin_time"])
        step = float(np.median(steps))
        return {"time_step": step if 0 < step < math.inf else None}, []
    said: dict[str, Any] = {"axes": "bzyx", "b_values": b_values}
    if "diffusion" not in images.dtype.names or not images["diffusion"].any():
        return said, []
    if header.general_info["angulation"].any():
        return said, ["Diffusion directions were left out: slices are tilted, and PAR files don't say against what."]
    back, head, left = images["diffusion"].T.astype(float)  # Philips counts to posterior, head, left
    ras = np.stack([-left, -back, head], axis=1)
    length = np.linalg.norm(ras, axis=1)
    unit = ras / np.where(length > 0, length, 1)[:, None] + 0.0
    return said | {"b_directions": tuple(tuple(map(float, row)) for row in unit)}, []
