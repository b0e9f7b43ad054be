"""b-values and diffusion directions in FSL's text files beside a NIfTI file, ``.bval`` and ``.bvec``.

The directions of ``.bvec`` run along the voxel axes of the file, the first of them reversed where the axes are
right-handed (FSL's "radiological" convention); a `ScanInfo` has them in RAS+ scanner coordinates.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_micromri.io.dates import sidecar_date
from napari_micromri.io.quantity import quantity_of_sidecar
from napari_micromri.io.small_files import read_small

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from napari_micromri.scan import ScanInfo

ENDINGS = (".nii.gz", ".nii", ".hdr", ".img")
_LARGEST = 2**22
_LONGEST_REPETITION = 60.0
_TIMES = (("RepetitionTime", "repetition_time", _LONGEST_REPETITION), ("EchoTime", "echo_time", 2.0))
"""Key, field and the longest time in s that there is; more are milliseconds."""
_UNIT = 0.05


class Weightings(NamedTuple):
    """What a `ScanInfo` says of its b axis, and what could not be used."""

    b_values: tuple[float, ...] | None = None
    b_directions: tuple[tuple[float, float, float], ...] | None = None
    notes: tuple[str, ...] = ()


def stem_of(path: Path) -> str:
    """Name of a file without its NIfTI extension."""
    name = path.name
    return next((name[: -len(ending)] for ending in ENDINGS if name.lower().endswith(ending)), name)


def read_document(path: Path) -> dict[str, Any]:
    """Read the JSON file that BIDS and dcm2niix write beside a NIfTI file; empty when there is none to be read."""
    try:
        document = json.loads(read_small(path.with_name(f"{stem_of(path)}.json"), _LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def said_by(document: Mapping[str, Any], stem: str) -> dict[str, Any]:
    """Give the fields of a `ScanInfo` that such a file tells, whose times are in s."""
    numbers = {field: document[key] for key, field, most in _TIMES if 0 < _number(document, key) <= most}
    averages, protocol = document.get("NumberOfAverages"), document.get("ProtocolName")
    return {name: 1000 * value for name, value in numbers.items()} | {
        "averages": int(averages) if isinstance(averages, (int, float)) and 1 <= averages < 1e6 else None,
        "protocol": protocol.strip() or None if isinstance(protocol, str) else None,
        "date": sidecar_date(document),
        "quantity": quantity_of_sidecar(document, stem),
    }


def doubts_of(document: Mapping[str, Any], time_step: float | None, path: Path) -> list[str]:
    """Say what such a file tells that can't be, or that contradicts the image beside it.

    BIDS defines ``RepetitionTime`` as the time from one volume to the next.
    """
    beside = path.with_name(f"{stem_of(path)}.json")
    doubts = [
        f"{beside} gives {key} = {value:g}, which can't be seconds; it was left out."
        for key, _, most in _TIMES
        if (value := _number(document, key)) > most
    ]
    repetition = _number(document, "RepetitionTime")
    if time_step and 0 < repetition <= _LONGEST_REPETITION and abs(repetition - time_step) > 0.01 * time_step:
        doubts.append(
            f"{beside} gives RepetitionTime = {repetition:g} s, but {path.name} {time_step:g} s from one volume to the "
            "next; the latter is taken as the time per volume."
        )
    return doubts


def _number(document: Mapping[str, Any], key: str) -> float:
    value = document.get(key)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0.0


def sidecars_of(path: Path) -> tuple[Path, Path]:
    """Paths of the b-values and of the directions that belong to a NIfTI file, in FSL's convention."""
    return path.with_name(stem_of(path) + ".bval"), path.with_name(stem_of(path) + ".bvec")


def sidecar_texts(info: ScanInfo, affine: NDArray[np.float64]) -> tuple[str | None, str | None]:
    """Give what stands in both files for a scan that is written with this affine; None where nothing is known."""
    values = None if info.b_values is None else " ".join(f"{b:.10g}" for b in info.b_values) + "\n"
    if info.b_directions is None:
        return values, None
    rows = (np.asarray(info.b_directions) @ _fsl_axes(affine[:3, :3].T).T).T
    return values, "\n".join(" ".join(f"{v + 0.0:.8f}" for v in row) for row in rows) + "\n"


def read_weightings(path: Path, count: int, axes: ArrayLike | None) -> Weightings:
    """Read what stands beside a file of ``count`` volumes.

    Parameters
    ----------
    axes
        (3, 3): for each voxel axis i, j, k of the file its direction in RAS+; None where it is unknown.
    """
    bval, bvec = sidecars_of(path)
    values = _numbers(bval)
    if values is None:
        return Weightings()
    flat = [value for row in values for value in row]
    if len(flat) != count or not np.isfinite(flat).all() or min(flat) < 0:
        return Weightings(notes=(f"{bval} was left out: it isn't a list of {count} b-values, one for each volume.",))
    directions, notes = _directions(bvec, count, axes)
    return Weightings(tuple(flat), directions, notes)


def _directions(
    bvec: Path, count: int, axes: ArrayLike | None
) -> tuple[tuple[tuple[float, float, float], ...] | None, tuple[str, ...]]:
    rows = _numbers(bvec)
    if rows is None:
        return None, ()
    if {len(row) for row in rows} == {3} and len(rows) == count != 3:
        rows = [list(column) for column in zip(*rows, strict=True)]
    if len(rows) != 3 or any(len(row) != count for row in rows):
        return None, (f"{bvec} was left out: it doesn't hold three numbers for each of the {count} volumes.",)
    if axes is None:
        return None, (f"{bvec} was left out: {bvec.stem} doesn't say how its axes are oriented in the scanner.",)
    found = np.nan_to_num(np.asarray(rows).T, posinf=0, neginf=0) @ _fsl_axes(np.asarray(axes))
    length = np.linalg.norm(found, axis=1)
    long = (np.abs(length[length > 0] - 1) > _UNIT).any()
    notes = (f"{bvec} has directions that aren't unit vectors; only where they point is taken.",) if long else ()
    unit = found / np.where(length > 0, length, 1)[:, None] + 0.0
    return tuple((float(x), float(y), float(z)) for x, y, z in unit), notes


def _fsl_axes(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn the voxel axes i, j, k, in rows, into unit vectors along which FSL counts."""
    rows = axes / np.linalg.norm(axes, axis=1)[:, None]
    return np.asarray(rows * [[-1.0 if np.linalg.det(rows) > 0 else 1.0], [1.0], [1.0]])


def _numbers(file: Path) -> Sequence[Sequence[float]] | None:
    """Read the lines of a text file of numbers; None when it isn't there, nothing when it holds something else."""
    try:
        lines = read_small(file, _LARGEST).decode("utf-8-sig").replace(",", " ").splitlines()
        return [[float(word) for word in line.split()] for line in lines if line.strip()]
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return []
