"""Read DICOM: single files, folders of one or several series, enhanced multi-frame files."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError, ReadError
from napari_micromri.io.dicom_headers import Image, images_in, read_pixels
from napari_micromri.io.geometry import LPS_TO_RAS, Geometry, geometry_from_steps, plane_of
from napari_micromri.io.lazy import check_dtype, check_sizes, lazy_slices, scale_slice
from napari_micromri.io.naming import compose_name, plane_in, region_in, with_unique_names
from napari_micromri.scan import Scan, ScanInfo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

_MOST_FILES = 100_000


def read_dicom(path: Path) -> list[Scan]:
    """Open the series in a folder (and the folders in it), or in one file.

    Slices are sorted by their position along the normal. Several images at one position become the axis b, when they
    differ in b-value, or else t, sorted by time position, echo time, acquisition and instance number. A file is read
    when one of its slices is looked at.

    Raises
    ------
    ReadError
        No image is found, or none can be read; the message says why.
    """
    problems: list[str] = []
    images: dict[tuple[Any, ...], list[Image]] = defaultdict(list)
    for file in [path] if path.is_file() else _files(path):
        try:
            for image in images_in(file, sure=path.is_file()):
                images[image.series].append(image)
        except ReadError as error:
            problems.append(str(error))
    scans, labels = [], []
    for series in sorted(images.values(), key=lambda found: found[0].number):
        try:
            scans.append(_scan(series, path))
            labels.append(str(series[0].number))
        except (ReadError, InputError) as error:
            problems.append(str(error))
    if not scans:
        raise ReadError(problems[0] if problems else f"{path} holds no DICOM images. Choose the folder of a series.")
    if problems:
        _log.warning("%d problems in %s: %s", len(problems), path, " ".join(problems[:20]))
    labels = [f"{label}.{k}" if labels.count(label) > 1 else label for k, label in enumerate(labels)]
    return with_unique_names(scans, labels)


def _files(folder: Path) -> Iterator[Path]:
    files = sorted(p for depth in ("*", "*/*") for p in folder.glob(depth) if p.is_file() and p.name != "DICOMDIR")
    if len(files) > _MOST_FILES:
        raise ReadError(f"{folder} holds more than {_MOST_FILES} files. Choose the folder of one series.")
    yield from files


def _scan(images: list[Image], path: Path) -> Scan:
    """Arrange the images of a series on a grid of time or diffusion, and slices."""
    stacks = _stacks(images)
    first = stacks[0][0]
    where = first.file if path.is_file() else first.file.parent
    if len({len(stack) for stack in stacks}) > 1:
        raise ReadError(f"The series {first.number} in {where} is incomplete: some slices have more images.")
    repeats = len(stacks[0])
    b_values = _b_values(stacks)
    plain = all(i.slope == 1 and i.offset == 0 for i in images)
    axes = ("b" if b_values else "t") + "zyx" if repeats > 1 else "zyx"
    shape = ((repeats,) if repeats > 1 else ()) + (len(stacks), *first.shape)
    check_sizes(shape, where, itemsize=first.dtype.itemsize)
    dtype = first.dtype if plain else np.dtype(np.float32)
    check_dtype(dtype, where)

    def read_slice(index: tuple[int, ...]) -> NDArray[Any]:
        image = stacks[index[-1]][index[0] if len(index) > 1 else 0]
        pixels = read_pixels(image)
        return pixels if plain else scale_slice(pixels, image.slope, image.offset)

    info = _info(first, axes, _geometry(stacks), b_values if repeats > 1 else None, where)
    return Scan(lazy_slices(read_slice, shape, dtype), info)


def _stacks(images: list[Image]) -> list[list[Image]]:
    """Group images by their depth along the normal, shallowest first, in order within a group."""
    by_depth: dict[float, list[Image]] = defaultdict(list)
    for image in images:
        if image.position is None or image.axes is None:
            by_depth[image.order[-2] * 1e4 + image.frame].append(image)
        else:
            by_depth[round(float(image.position @ np.cross(*image.axes)), 3) + 0.0].append(image)
    return [
        sorted(by_depth[depth], key=lambda image: (image.b_value or 0.0, image.order, str(image.file)))
        for depth in sorted(by_depth)
    ]


def _b_values(stacks: list[list[Image]]) -> tuple[float, ...] | None:
    values = tuple(image.b_value for image in stacks[0])
    known = [b for b in values if b is not None]
    return tuple(known) if len(known) == len(values) and len(set(known)) > 1 else None


def _geometry(stacks: list[list[Image]]) -> tuple[Geometry, bool]:
    """Geometry in the order z y x, and whether the files know the direction."""
    first, last = stacks[0][0], stacks[-1][0]
    rows, columns = first.spacing
    if first.axes is None or first.position is None or last.position is None:
        return geometry_from_steps(np.diag([first.thickness, rows, columns])[:, ::-1], np.zeros(3)), False
    x, y = first.axes
    normal = np.cross(x, y)
    depth = float((last.position - first.position) @ normal)
    distance = depth / (len(stacks) - 1) if len(stacks) > 1 else first.thickness
    places = [float(stack[0].position @ normal) for stack in stacks if stack[0].position is not None]
    if len(places) > 1 and np.abs(np.diff(places) - distance).max() > 0.05 * abs(distance):
        _log.warning("%s: slices are missing or unevenly spaced; they are shown %.3g mm apart.", first.file, distance)
    steps = np.array([normal * distance, y * rows, x * columns])
    return geometry_from_steps(steps * LPS_TO_RAS, first.position * LPS_TO_RAS), True


def _info(
    image: Image, axes: str, placed: tuple[Geometry, bool], b_values: tuple[float, ...] | None, where: Path
) -> ScanInfo:
    said, (geometry, known) = image.texts, placed
    direction = geometry.direction if known else None
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
        b_values=b_values,
        source=str(where),
    )
