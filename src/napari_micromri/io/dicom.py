"""Read DICOM: single files, folders of one or several series, enhanced multi-frame files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError, ReadError
from napari_micromri.io.dicom_headers import SETTINGS, DicomImage, date_in, images_in
from napari_micromri.io.dicom_pixels import read_pixels, read_plain
from napari_micromri.io.dicom_series import Series, series_in, stacks_of
from napari_micromri.io.formats import DEEPEST
from napari_micromri.io.geometry import LPS_TO_RAS, Geometry, geometry_from_steps, plane_of
from napari_micromri.io.lazy import check_dtype, check_sizes, lazy_slices, scale_slice
from napari_micromri.io.naming import compose_name, plane_in, region_in, with_unique_names
from napari_micromri.io.quantity import quantity_of_dicom
from napari_micromri.io.telling import with_warnings
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_micromri.scan import Direction

_MOST_FILES = 100_000
_MOST_NOTES = 20
_MOST_VALUES = 8
_TIMES = ("echo_time", "repetition_time")


def read_dicom(path: Path) -> list[Scan]:
    """Open the series in a folder (and the folders in it), or in one file.

    Slices are sorted by their position along the normal. Several images at one position become the axis b, when they
    differ in b-value, or else t, sorted by time position, echo time, acquisition and instance number, and in one
    file by the indices of its dimensions. A file is read when one of its slices is looked at.

    Raises
    ------
    ReadError
        No image is found, or none can be read; the message says why.
    """
    notes: list[str] = []
    images: list[DicomImage] = []
    for file in [path] if path.is_file() else _files(path):
        try:
            images += images_in(file, sure=path.is_file())
        except ReadError as error:
            notes.append(str(error))
    series, copies = series_in(images)
    scans, labels = [], []
    for one in series:
        try:
            scans.append(_scan(one, path))
            labels.append(str(one.images[0].number))
        except (ReadError, InputError) as error:
            notes.append(str(error))
    if not scans:
        raise ReadError(notes[0] if notes else f"{path} holds no DICOM images. Choose the folder of a series.")
    labels = [f"{label}.{k}" if labels.count(label) > 1 else label for k, label in enumerate(labels)]
    return with_warnings(with_unique_names(scans, labels), [*notes[:_MOST_NOTES], *copies])


def _files(folder: Path) -> Iterator[Path]:
    files: list[Path] = []
    for current, folders, names in os.walk(folder):
        here = Path(current)
        if len(here.relative_to(folder).parts) >= DEEPEST:
            folders.clear()
        folders[:] = [name for name in sorted(folders) if not name.startswith(".")]
        files += [here / name for name in sorted(names) if name != "DICOMDIR" and (here / name).is_file()]
    if len(files) > _MOST_FILES:
        raise ReadError(f"{folder} holds more than {_MOST_FILES} files. Choose the folder of one series.")
    yield from files


def _scan(series: Series, path: Path) -> Scan:
    """Arrange the images of a series on a grid of time or diffusion, and slices."""
    stacks, notes = stacks_of(series.images)
    first = stacks[0][0]
    where = first.file if path.is_file() else first.file.parent
    repeats = len(stacks[0])
    weightings = _weightings(stacks, where)
    plain = all(i.slope == 1 and i.offset == 0 for i in series.images)
    axes = ("b" if weightings else "t") + "zyx" if repeats > 1 else "zyx"
    shape = ((repeats,) if repeats > 1 else ()) + (len(stacks), *first.shape)
    stored = np.result_type(*{image.dtype for image in series.images})
    check_sizes(shape, where, itemsize=stored.itemsize)
    dtype = stored if plain else np.dtype(np.float32)
    check_dtype(dtype, where)

    def read_slice(index: tuple[int, ...]) -> NDArray[Any]:
        image = stacks[index[-1]][index[0] if len(index) > 1 else 0]
        pixels = _read(image)
        return pixels if plain else scale_slice(pixels, image.slope, image.offset)

    geometry, direction, guesses = _geometry(stacks)
    info = _info(first, axes, geometry, direction, where)
    several: dict[str, Any] = {name: None for name in _TIMES if len({getattr(i, name) for i in stacks[0]}) > 1}
    info = replace(info, **several)
    if series.part:
        info = replace(info, name=f"{info.name} {series.part}")
    if weightings:
        info = replace(info, b_values=weightings[0], b_directions=weightings[1])
    elif repeats > 1 and (silent := sum(i.b_value is None for i in series.images)) < len(series.images) and silent:
        notes.append(f"The b-values in {where} were left out: {silent} of {len(series.images)} images state none.")
    told = [*dict.fromkeys([*notes, *guesses]), *_settings_along(stacks[0], where), *_notes_of_files(series.images)]
    return Scan(lazy_slices(read_slice, shape, dtype), info.with_warnings(told[:_MOST_NOTES], where))


def _settings_along(images: Sequence[DicomImage], where: Path) -> Iterator[str]:
    """Say what differs between the images at one place, so that their axis isn't just time."""
    for name, setting in zip(SETTINGS, zip(*(image.settings for image in images), strict=True), strict=True):
        if len(found := list(dict.fromkeys(setting))) > 1:
            values = ", ".join("none" if value is None else f"{value:g}" for value in found[:_MOST_VALUES])
            more, unit = ", ..." if len(found) > _MOST_VALUES else "", "degrees" if name == "flip angles" else "ms"
            yield f"The series in {where} has {len(found)} {name} ({values}{more} {unit}), one after the other."


def _notes_of_files(images: Sequence[DicomImage]) -> Iterator[str]:
    """Say once what holds for several files."""
    files: dict[str, dict[Path, None]] = {}
    for image in images:
        for note in image.notes:
            files.setdefault(note.removeprefix(str(image.file)), {})[image.file] = None
    for note, (first, *others) in files.items():
        text = note if not note.startswith(" ") else f"{first}{note}"
        yield f"{text} The same holds for {len(others)} more files of this series." if others else text


def _read(image: DicomImage) -> NDArray[Any]:
    if image.plain is not None and image.tile is None:
        plain = read_plain(image.file, image.plain, image.frame, image.shape, image.dtype)
        if plain is not None:
            return plain
    pixels = read_pixels(image.file, image.frame)
    if image.tile is not None:
        row, column = image.tile
        pixels = pixels[row : row + image.shape[0], column : column + image.shape[1]]
    if pixels.shape != image.shape:
        raise ReadError(f"{image.file} was changed since it was opened. Open the scan again.")
    return pixels


def _weightings(stacks: list[list[DicomImage]], where: Path) -> tuple[tuple[float, ...], Any] | None:
    """Give b-values, and directions in RAS+ where all images have one; None when nothing differs."""
    table = [[image.b_value for image in stack] for stack in stacks]
    if any(b is None for b in table[0]):
        return None
    if any(row != table[0] for row in table):
        raise ReadError(f"The slices of the series in {where} were measured with different b-values.")
    values = tuple(float(b) for b in table[0] if b is not None)
    gradients = [np.zeros(3) if i.gradient is None and not i.b_value else i.gradient for i in stacks[0]]
    directions = None
    if all(g is not None for g in gradients) and any(np.any(g) for g in gradients):
        directions = tuple(tuple(float(v) + 0.0 for v in g * LPS_TO_RAS) for g in gradients if g is not None)
    differ = len(set(values)) > 1 or (directions is not None and len(set(directions)) > 1)
    return (values, directions) if differ else None


def _geometry(stacks: list[list[DicomImage]]) -> tuple[Geometry, Direction | None, list[str]]:
    """Geometry in the order z y x, the direction where the files know it, and what was guessed."""
    first, last = stacks[0][0], stacks[-1][0]
    guesses = []
    if first.spacing is None:
        guesses.append(f"{first.file} doesn't say how large its pixels are; 1 mm is taken.")
    rows, columns = first.spacing or (1.0, 1.0)
    placed = first.axes is not None and first.position is not None and last.position is not None
    if first.thickness is None and (len(stacks) == 1 or not placed):
        guesses.append(f"{first.file} doesn't say how thick its slices are; 1 mm is taken.")
    thickness = first.thickness or 1.0
    if first.axes is None or first.position is None or last.position is None:
        return geometry_from_steps(np.diag([thickness, rows, columns])[:, ::-1], np.zeros(3)), None, guesses
    x, y = first.axes
    normal = np.cross(x, y)
    way = last.position - first.position
    depth = float(way @ normal)
    distance = depth / (len(stacks) - 1) if len(stacks) > 1 else thickness
    places = [float(stack[0].position @ normal) for stack in stacks if stack[0].position is not None]
    if len(places) > 1 and np.abs(np.diff(places) - distance).max() > 0.05 * abs(distance):
        guesses.append(f"{first.file}: slices are missing or unevenly spaced; they are shown {distance:.3g} mm apart.")
    if len(places) > 1 and np.linalg.norm(way - depth * normal) > 0.05 * abs(depth):
        guesses.append(f"{first.file}: each slice is shifted against the one before, which is not shown.")
    steps = np.array([normal * distance, y * rows, x * columns])
    geometry = geometry_from_steps(steps * LPS_TO_RAS, first.position * LPS_TO_RAS)
    return geometry, geometry.direction, guesses


def _info(image: DicomImage, axes: str, geometry: Geometry, direction: Direction | None, where: Path) -> ScanInfo:
    said = image.texts
    protocol = said["ProtocolName"] or said["SeriesDescription"]
    texts = [protocol, said["SeriesDescription"], said["StudyDescription"]]
    plane = plane_in(texts[:2]) or plane_of(direction)
    region = region_in([*texts, said["BodyPartExamined"]])
    return ScanInfo(
        name=compose_name(protocol, plane, region, otherwise=where.stem),
        axes=axes,
        voxel_size=geometry.voxel_size,
        origin=geometry.origin,
        direction=direction,
        subject=said["PatientID"] or said["PatientName"],
        session=said["StudyID"] or said["StudyDescription"],
        region=region,
        plane=plane,
        protocol=protocol,
        repetition_time=image.repetition_time,
        echo_time=image.echo_time,
        averages=int(image.averages) if image.averages and image.averages >= 1 else None,
        date=date_in(said),
        quantity=quantity_of_dicom(image.kind),
        quadruped=said["AnatomicalOrientationType"] == "QUADRUPED",
        source=str(where),
    )
