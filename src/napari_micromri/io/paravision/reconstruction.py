"""From one reconstruction folder (``pdata/1``) to scans."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.dates import iso_date
from napari_micromri.io.elsewhere import elsewhere, is_elsewhere
from napari_micromri.io.geometry import LPS_TO_RAS, Geometry, geometry_from_steps, plane_of
from napari_micromri.io.lazy import check_sizes, lazy_slices, scale_slice
from napari_micromri.io.naming import compose_name, plane_in, region_in
from napari_micromri.io.paravision.jcampdx import Parameters, read_parameters
from napari_micromri.io.paravision.visu import Frames, read_frames
from napari_micromri.io.telling import with_warnings
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from pathlib import Path

    import dask.array as da
    from numpy.typing import NDArray

_TURNED = 1e-3


def read_reconstruction(folder: Path) -> list[Scan]:
    """Open the images of a reconstruction folder, one scan per slice package.

    Raises
    ------
    ReadError
        ``2dseq`` or ``visu_pars`` are missing, empty, cut off, damaged, or hold no images.
    """
    images, header = folder / "2dseq", folder / "visu_pars"
    for path, what in ((images, "no images (2dseq)"), (header, "no description of the images (visu_pars)")):
        if not path.is_file():
            raise ReadError(
                f"{folder} has {what}. The scan was not finished or not reconstructed, or not fully copied."
            )
    visu = read_parameters(header)
    frames = read_frames(visu, header)
    check_sizes((frames.count, *frames.size[::-1]), header, itemsize=frames.dtype.itemsize)
    notes = [*frames.notes, *_check_length(images, frames)]
    packages = _packages(visu, frames)
    described = _Description(folder, visu, alone=len(packages) == 1)
    try:
        scans = [
            _scan(images, frames, package, number, described)
            for number in range(len(frames.maps))
            for package in packages
        ]
        return with_warnings(scans, notes)
    except ValueError as error:
        raise ReadError(f"{header} is damaged: {error}. Copy the scan again.") from error


def _check_length(images: Path, frames: Frames) -> list[str]:
    length, expected = images.stat().st_size, frames.count * frames.frame_bytes
    if length == 0:
        raise ReadError(f"{images} is empty: the scan was aborted before an image was reconstructed.")
    if is_elsewhere(images):
        raise ReadError(elsewhere(images))
    if length < expected:
        raise ReadError(
            f"{images} is cut off: {length} bytes instead of {expected}. Copy or reconstruct the scan again."
        )
    more = f"{images} holds {length - expected} bytes more than visu_pars describes; they are left out."
    return [more] if length > expected else []


def _packages(visu: Parameters, frames: Frames) -> list[NDArray[np.intp]]:
    """Give the slices of each package: those that the file names, and where the orientation changes.

    A frame with three dimensions is a package of its own.
    """
    total = frames.table.shape[3]
    if len(frames.size) == 3:
        return [np.array([k]) for k in range(total)]
    starts = {0}
    for entry in visu.structs("VisuCoreSlicePacksSlices"):
        if entry and entry[0].isdigit() and int(entry[0]) < total:
            starts.add(int(entry[0]))
    turns = np.abs(np.diff(frames.orientation, axis=0)).max(axis=(1, 2)) > _TURNED
    starts |= {int(k) + 1 for k in np.flatnonzero(turns)}
    return np.split(np.arange(total), sorted(starts - {0}))


@dataclass(frozen=True)
class _Description:
    """What the parameter files say besides the geometry."""

    folder: Path
    visu: Parameters
    alone: bool

    def beside(self, name: str) -> Parameters:
        """Read a parameter file of the scan that the reconstruction belongs to; empty when there is none."""
        try:
            return read_parameters(self.folder.parent.parent / name)
        except ReadError:
            return Parameters({})

    def info(self, axes: str, geometry: Geometry, b_count: int) -> ScanInfo:
        visu, scan_name = self.visu, self.beside("acqp").text("ACQ_scan_name")
        protocol = visu.text("VisuAcquisitionProtocol") or scan_name or visu.text("VisuAcqSequenceName")
        session = visu.text("VisuStudyId")
        texts = [scan_name, protocol, visu.text("VisuSeriesComment"), session, visu.text("VisuStudyDescription")]
        # A name that says "coronal" knows better than the header, but not for each package of a localizer.
        plane = (plane_in(texts[:3]) if self.alone else None) or plane_of(geometry.direction)
        region = region_in(texts)
        averages = visu.number("VisuAcqNumberOfAverages") or self.beside("method").number("PVM_NAverages")
        return ScanInfo(
            name=compose_name(protocol, plane, region, otherwise=f"scan {self.folder.parent.parent.name}"),
            axes=axes,
            voxel_size=geometry.voxel_size,
            origin=geometry.origin,
            direction=geometry.direction,
            subject=visu.text("VisuSubjectId") or visu.text("VisuSubjectName"),
            session=session,
            region=region,
            plane=plane,
            protocol=protocol,
            repetition_time=_single(visu, "VisuAcqRepetitionTime"),
            echo_time=_single(visu, "VisuAcqEchoTime"),
            averages=int(averages) if averages and 1 <= averages < 1e6 else None,
            date=iso_date(visu.text("VisuAcqDate"), visu.text("VisuCreationDate")),
            quadruped=visu.text("VisuSubjectType") in ("Quadruped", "OtherAnimal"),
            b_values=self.b_values(b_count) if "b" in axes else None,
            source=str(self.folder),
        )

    def b_values(self, count: int) -> tuple[float, ...] | None:
        """Effective b-values as the method states them, else the traces of the b-matrices."""
        method = self.beside("method")
        for name in ("PVM_DwEffBval", "PVM_DwEffBvals"):
            values = method.numbers(name)
            if values.size == count and np.isfinite(values).all():
                return tuple(values.tolist())
        matrices = self.visu.numbers("VisuAcqDiffusionBMatrix")
        if matrices.size == 9 * count and np.isfinite(matrices).all():
            return tuple(np.trace(matrices.reshape(count, 3, 3), axis1=1, axis2=2).tolist())
        return None


def _single(visu: Parameters, name: str) -> float | None:
    """Give a value that is the same for all frames."""
    values = np.unique(visu.numbers(name))
    return float(values[0]) if values.size == 1 and np.isfinite(values[0]) else None


def _scan(images: Path, frames: Frames, slices: NDArray[np.intp], number: int, described: _Description) -> Scan:
    slices, geometry, notes = _place(frames, slices, images)
    table = frames.table[number][:, :, slices]
    axes = ("t" if frames.has_time else "") + ("b" if frames.has_diffusion else "") + "zyx"
    info = described.info(axes, geometry, table.shape[1])
    if "b" in axes and info.b_values is None:
        notes.append(f"{described.folder} doesn't say its b-values.")
    if frames.maps[number]:
        info = replace(info, name=f"{info.name} {frames.maps[number]}")
    info = replace(info, quantity=frames.quantity(number))
    return Scan(_pixels(images, frames, table, axes), info.with_warnings(notes))


def _place(frames: Frames, slices: NDArray[np.intp], images: Path) -> tuple[NDArray[np.intp], Geometry, list[str]]:
    """Sort the slices of a package along their normal and say where they are, and what was guessed.

    ``VisuCorePosition`` is the centre of the first voxel (ParaVision's parameter manual). The distance of slices is
    that of their positions, so that gaps count.
    """
    x, y, normal = frames.orientation[slices[0]]
    notes: list[str] = []
    if len(frames.size) == 3:
        z = normal * frames.step[2]
    else:
        slices, distance, uneven = _stack(frames, slices, normal)
        z = normal * distance
        if uneven:
            notes.append(f"{images}: the slices are unevenly spaced; they are shown {abs(distance):.3g} mm apart.")
    steps = np.array([z, y * frames.step[1], x * frames.step[0]])
    return slices, geometry_from_steps(steps * LPS_TO_RAS, frames.position[slices[0]] * LPS_TO_RAS), notes


def _stack(
    frames: Frames, slices: NDArray[np.intp], normal: NDArray[np.float64]
) -> tuple[NDArray[np.intp], float, bool]:
    """Sort slices along their normal, give their distance, negative when they run against it, and if it varies."""
    if len(slices) == 1:
        return slices, frames.thickness, False
    depth = frames.position[slices] @ normal
    ways = np.diff(depth)
    if np.abs(ways).max() < 1e-4:  # positions that don't follow the normal are seen in edited headers
        apart = float(np.linalg.norm(np.diff(frames.position[slices], axis=0), axis=1).mean())
        return slices, apart if apart > 1e-4 else frames.thickness, True
    if not ((ways > 0).all() or (ways < 0).all()):
        slices, depth = slices[np.argsort(depth, kind="stable")], np.sort(depth)
        ways = np.diff(depth)
    distance = float(ways.mean())
    return slices, distance, bool(np.abs(ways - distance).max() > 0.05 * abs(distance))


def _pixels(images: Path, frames: Frames, table: NDArray[np.intp], axes: str) -> da.Array:
    plain = bool((frames.slope == 1).all() and (frames.offset == 0).all())
    three = len(frames.size) == 3
    outer = (table.shape[0],) * frames.has_time + (table.shape[1],) * frames.has_diffusion
    shape = (*outer, *(frames.size[::-1] if three else (table.shape[2], *frames.size[::-1])))

    def read_slice(index: tuple[int, ...]) -> NDArray[Any]:
        where = dict(zip(axes, index, strict=False))
        z = where["z"]
        frame = int(table[where.get("t", 0), where.get("b", 0), 0 if three else z])
        stored = _read_frame(images, frames, frame)
        if three:
            stored = stored[frames.size[2] - 1 - z if frames.reversed_slices else z]
        stored = np.ascontiguousarray(stored)
        return stored if plain else scale_slice(stored, frames.slope[frame], frames.offset[frame])

    return lazy_slices(read_slice, shape, frames.dtype.newbyteorder("=") if plain else np.dtype(np.float32))


def _read_frame(images: Path, frames: Frames, number: int) -> NDArray[Any]:
    """Map one frame, ``(y, x)`` or ``(z, y, x)``."""
    try:
        stored = np.memmap(images, frames.dtype, "r", number * frames.frame_bytes, (math.prod(frames.size),))
    except (OSError, ValueError) as error:
        raise ReadError(f"{images} can no longer be read: it was removed or changed.") from error
    shape = list(frames.size[::-1])
    exchange = int(frames.transposed[number])
    if exchange > 0:
        # n stands for exchanging the axes n - 1 and n of VisuCoreSize, and the last n for the first and the last axis.
        a, b = (0, len(shape) - 1) if exchange >= len(shape) else (exchange - 1, exchange)
        a, b = len(shape) - 1 - a, len(shape) - 1 - b
        if shape[a] != shape[b]:  # square frames are stored the way that the orientation says
            shape[a], shape[b] = shape[b], shape[a]
            return stored.reshape(shape).swapaxes(a, b)
    return stored.reshape(shape)
