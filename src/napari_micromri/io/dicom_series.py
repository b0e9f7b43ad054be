"""Sort the images of DICOM files into series, and those of a series into slices and repetitions."""

from __future__ import annotations

import filecmp
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.dicom_pixels import read_pixels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_micromri.io.dicom_headers import DicomImage

_SAME_DIRECTION = 2e-3
_SAME_SPACING = 1e-3

# Of the smaller of the slice distance that the header states and the largest gap between two images: what lies nearer
# to each other was meant to be one slice, and what moved by more than half of it has no slice.
_ONE_SLICE, _LOST = 0.1, 0.5
# Images of one slice alone have no gap to compare with; nothing in the header is as small as this part of a voxel.
_JITTER = 0.02


class Series(NamedTuple):
    """Images that make one scan, and the words that tell them from other parts of the same series."""

    images: list[DicomImage]
    part: str | None


def series_in(images: Iterable[DicomImage]) -> tuple[list[Series], list[str]]:
    """Split images by what they are: series, kind of image (magnitude, phase, map), orientation and voxel size.

    Returns
    -------
    The series, sorted by number, and what a person should know of what was left out.
    """
    distinct, notes = _distinct(images)
    kinds: dict[Any, dict[tuple[str, ...], list[list[DicomImage]]]] = defaultdict(lambda: defaultdict(list))
    for image in distinct:
        alike = kinds[image.series][image.kind]
        stack = next((stack for stack in alike if _same_grid(stack[0], image)), None)
        if stack is None:
            alike.append([image])
        else:
            stack.append(image)
    found = [Series(stack, _part(kind, parts)) for parts in kinds.values() for kind, g in parts.items() for stack in g]
    return sorted(found, key=lambda series: series.images[0].number), notes


def _part(kind: tuple[str, ...], kinds: Iterable[tuple[str, ...]]) -> str | None:
    """Name a part of a series by the words that not all parts have."""
    shared = set.intersection(*(set(words) for words in kinds))
    return " ".join(word for word in dict.fromkeys(kind) if word not in shared) or None


def _same_grid(one: DicomImage, other: DicomImage) -> bool:
    if one.shape != other.shape or (one.axes is None) != (other.axes is None):
        return False
    if one.axes is not None and other.axes is not None and np.abs(one.axes - other.axes).max() > _SAME_DIRECTION:
        return False
    if one.spacing is None or other.spacing is None:
        return one.spacing is other.spacing
    return bool(np.allclose(one.spacing, other.spacing, rtol=_SAME_SPACING))


def _distinct(images: Iterable[DicomImage]) -> tuple[list[DicomImage], list[str]]:
    """Count an image once that is there several times: under one identifier, or in files that are the same."""
    kept: dict[Any, list[DicomImage]] = defaultdict(list)
    copies: list[str] = []
    contradictions: list[str] = []
    for image in images:
        # Anonymised files may all have one identifier, so that everything else must be the same, too.
        place = None if image.position is None else tuple(image.position)
        known = kept[(image.uid, image.series, image.kind, image.frame, image.tile, place, image.order)]
        same = [k for k in known if image.uid or filecmp.cmp(k.file, image.file, shallow=False)]
        if not same:
            known.append(image)
        elif _same_pixels(same[0], image):
            copies.append(image.file.name)
        else:
            contradictions.append(f"{image.file.name} has the identifier of {same[0].file.name}, but is another image.")
    notes = [f"{_listed(copies)} left out: there are copies of the same images."] if copies else []
    return [image for known in kept.values() for image in known], notes + contradictions


def _same_pixels(one: DicomImage, other: DicomImage) -> bool:
    if filecmp.cmp(one.file, other.file, shallow=False):
        return True
    # Saved again, maybe with another header or compression.
    try:
        return np.array_equal(read_pixels(one.file, one.frame), read_pixels(other.file, other.frame))
    except ReadError:
        return False


def _listed(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{shown} {'was' if len(names) == 1 else 'were'}"


def stacks_of(images: list[DicomImage]) -> tuple[list[list[DicomImage]], list[str]]:
    """Group the images of a series by slice, in the order along their normal, and sort each group by b-value and time.

    Raises
    ------
    ReadError
        The slices move by more than half their distance, or some have more images than others.
    """
    depth, tolerance, notes = _depths(images)
    ways = np.argsort(depth, kind="stable")
    gaps = np.diff(depth[ways])
    groups = np.split(ways, np.flatnonzero(gaps > tolerance) + 1)
    width = max(np.ptp(depth[group]) for group in groups)
    where = f"series {images[0].number} in {images[0].file.parent}"
    if len(groups) > 1 and width > _LOST * gaps[gaps > tolerance].min():
        raise ReadError(f"The {where} has slices that move by {width:.3g} mm, so that it can't be told which is which.")
    stacks = [[images[k] for k in group] for group in groups]
    if len({len(stack) for stack in stacks}) > 1:
        raise ReadError(f"The {where} is incomplete: some slices have more images than others.")
    return [sorted(stack, key=_sequence) for stack in stacks], notes


def _sequence(image: DicomImage) -> tuple[Any, ...]:
    return (image.b_value or 0.0, image.order, _natural(image))


def _natural(image: DicomImage) -> list[Any]:
    words = re.split(r"(\d+)", str(image.file))
    return [(0, int(word), "") if word.isdecimal() else (1, 0, word) for word in words]


def _depths(images: list[DicomImage]) -> tuple[NDArray[np.float64], float, list[str]]:
    """Give the place of each image along the normal, how much is still one slice, and what was guessed."""
    axes, positions = images[0].axes, [image.position for image in images]
    if axes is not None and all(position is not None for position in positions):
        # One normal for all: that of each image would turn what little the directions differ into millimetres.
        depth = np.array(positions) @ np.cross(*axes)
        return depth, _tolerance(depth, images[0]), []
    notes = [f"The files of series {images[0].number} don't say where their slices lie in space"]
    for k, name in enumerate(("SliceLocation", "InStackPositionNumber", "InstanceNumber")):
        found = [image.locations[k] for image in images]
        if all(value is not None for value in found) and len(set(found)) > 1:
            depth = np.array(found, dtype=float)
            tolerance = _tolerance(depth, images[0]) if name == "SliceLocation" else 0.5
            return depth, tolerance, [f"{notes[0]}; they are sorted by {name}."]
    depth = np.empty(len(images))
    depth[sorted(range(len(images)), key=lambda k: (*_natural(images[k]), (0, images[k].frame, "")))] = np.arange(
        len(images)
    )
    return depth, 0.5, notes if len(images) == 1 else [f"{notes[0]}; they are sorted by the names of the files."]


def _tolerance(depth: NDArray[np.float64], image: DicomImage) -> float:
    largest = float(np.diff(np.sort(depth)).max(initial=0))
    sides = [*(image.spacing or ()), *([image.thickness] if image.thickness else ())]
    stated = image.thickness or max(sides, default=largest)
    return max(_ONE_SLICE * min(largest, stated), _JITTER * min(sides, default=0.0))
