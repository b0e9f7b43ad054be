"""What the headers of DICOM files say of each slice, classic and enhanced."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.dates import iso_date
from napari_micromri.io.dicom_pixels import Stored, check_pixels, plainly, read_header, scaling
from napari_micromri.io.dicom_private import private_b_value, private_component, private_gradient
from napari_micromri.io.elsewhere import elsewhere, is_elsewhere
from napari_micromri.io.siemens_mosaic import tiles_of
from napari_micromri.io.telling import complaints
from napari_micromri.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class DicomImage:
    """One slice: where it is stored and what its header says."""

    file: Path
    frame: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    slope: float
    offset: float
    uid: str
    series: tuple[Any, ...]
    number: int
    kind: tuple[str, ...]
    position: NDArray[np.float64] | None
    axes: NDArray[np.float64] | None
    locations: tuple[float | None, ...]
    spacing: tuple[float, float] | None
    thickness: float | None
    b_value: float | None
    gradient: NDArray[np.float64] | None
    order: tuple[float, ...]
    settings: tuple[float | None, ...]
    texts: dict[str, str | None]
    repetition_time: float | None
    echo_time: float | None
    averages: float | None
    notes: tuple[str, ...] = ()
    tile: tuple[int, int] | None = None
    plain: Stored | None = None


_DATES = (("AcquisitionDateTime", ""), ("AcquisitionDate", "AcquisitionTime"), ("SeriesDate", "SeriesTime"))
"""Tags of day and time, the most telling first."""

_TEXTS = (
    "ProtocolName",
    "SeriesDescription",
    "StudyDescription",
    "BodyPartExamined",
    "PatientID",
    "PatientName",
    "StudyID",
    "AnatomicalOrientationType",
    *(name for pair in _DATES for name in pair if name),
)


_MOST_KNOWN = 10_000
"""Files of one slice whose headers are kept, at 3 kB each: a study is planned, and built later, from the same ones."""

_known: dict[tuple[Path, int, int], list[DicomImage]] = {}


def images_in(file: Path, *, sure: bool) -> list[DicomImage]:
    """Give what the header of a file says, read once as long as the file stays the same.

    What isn't DICOM is passed over unless a person asked for this very file (``sure``).

    Raises
    ------
    ReadError
        The file is damaged, cut off, in colours, or compressed in a way that can't be decoded here.
    """
    try:
        now = file.stat()
    except OSError:
        return _read_images(file, sure=sure)  # which says so
    key = file, now.st_size, now.st_mtime_ns
    if (found := _known.get(key)) is None:
        found = _read_images(file, sure=sure)
        if len(found) == 1:
            if len(_known) >= _MOST_KNOWN:
                _known.clear()
            _known[key] = found
    return found


def _read_images(file: Path, *, sure: bool) -> list[DicomImage]:
    import pydicom

    broken = f"{file} is damaged or no DICOM file. Copy or export it again."
    try:
        with quiet(), complaints("pydicom"):  # pydicom warns of every value that breaks a rule, and logs it
            header, stored = read_header(file)
            if "Rows" in header:
                dtype, doubts = check_pixels(header, stored, file)
                pixels = _Pixels(file, dtype, stored, tuple(doubts))
                return list(_frames(header, pixels))
        if sure:
            raise ReadError(f"{file} is a DICOM file without an image.")
    except pydicom.errors.BytesLengthException as error:
        raise ReadError(broken) from error
    except pydicom.errors.InvalidDicomError as error:
        if is_elsewhere(file):
            raise ReadError(elsewhere(file)) from error
        if sure:
            raise ReadError(broken) from error
    # Broken headers make pydicom raise whatever its parser stumbles over.
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, EOFError, OverflowError) as error:
        raise ReadError(broken) from error
    except (NotImplementedError, MemoryError, RecursionError, LookupError, ArithmeticError) as error:
        raise ReadError(broken) from error
    except (struct.error, zlib.error, AssertionError) as error:
        raise ReadError(broken) from error
    return []


def date_in(texts: Mapping[str, str | None]) -> str | None:
    """Tell when an image was acquired, from its ``texts``."""
    return iso_date(*(f"{texts.get(day) or ''}{texts.get(time) or ''}" for day, time in _DATES))


class _Pixels(NamedTuple):
    """What is the same for all frames of a file."""

    file: Path
    dtype: np.dtype[Any]
    stored: Stored | None
    notes: tuple[str, ...]


def _frames(header: Any, pixels: _Pixels) -> Iterator[DicomImage]:
    shared = _first(header, "SharedFunctionalGroupsSequence")
    own = header.get("PerFrameFunctionalGroupsSequence") or []
    for frame in range(int(header.get("NumberOfFrames") or 1)):
        image = _image(header, pixels, frame, [own[frame] if frame < len(own) else None, shared])
        yield from tiles_of(image, header) if "MOSAIC" in image.kind else [image]


def _image(header: Any, pixels: _Pixels, frame: int, groups: list[Any]) -> DicomImage:
    places = [(group, name) for group in [*groups, header] if group is not None for name in _GROUPS]
    scopes = [item for group, name in places if (item := _first(group, name)) is not None]
    scopes += [item for scope in list(scopes) if (item := _first(scope, "DiffusionGradientDirectionSequence"))]
    scopes.append(header)

    orientation = _numbers(scopes, "ImageOrientationPatient", 6)
    if orientation is not None and not _at_right_angles(orientation.reshape(2, 3)):
        orientation = None
    spacing = _numbers(scopes, "PixelSpacing", 2)
    spacing = spacing if spacing is not None and (spacing > 0).all() else None
    thickness = _number(scopes, "SpacingBetweenSlices") or _number(scopes, "SliceThickness")
    own = {"DiffusionGradientOrientation": private_gradient(header)}
    slope, offset, notes = scaling(scopes, pixels.stored.keyword if pixels.stored else "", pixels.file)
    return DicomImage(
        file=pixels.file,
        frame=frame,
        shape=(int(header.Rows), int(header.Columns)),
        dtype=pixels.dtype,
        slope=slope,
        offset=offset,
        uid=str(header.get("SOPInstanceUID") or ""),
        series=_series(header, scopes, pixels.file),
        number=int(_number([header], "SeriesNumber") or 0),
        kind=_kind_of_image(scopes),
        position=_numbers(scopes, "ImagePositionPatient", 3),
        axes=None if orientation is None else orientation.reshape(2, 3),
        locations=tuple(_number(scopes, name) for name in _LOCATIONS),
        spacing=None if spacing is None else (float(spacing[0]), float(spacing[1])),
        thickness=abs(thickness) if thickness else None,
        b_value=_b_value(scopes),
        gradient=_numbers([*scopes, own], "DiffusionGradientOrientation", 3),
        order=_order(scopes, frame),
        settings=tuple(_first_number(scopes, *names) for names in SETTINGS.values()),
        texts={name: _text(header, name) for name in _TEXTS},
        repetition_time=_number(scopes, "RepetitionTime"),
        echo_time=_first_number(scopes, "EffectiveEchoTime", "EchoTime"),
        averages=_number(scopes, "NumberOfAverages"),
        notes=pixels.notes + notes,
        plain=plainly(header, pixels.stored, pixels.dtype),
    )


def _at_right_angles(axes: NDArray[np.float64]) -> bool:
    return bool(np.abs(axes @ axes.T - np.eye(2)).max() < 0.01)


def _series(header: Any, scopes: list[Any], file: Path) -> tuple[Any, ...]:
    """Collect what is the same for all images of one series.

    Anonymised files lack the identifier, or all have the same one, so that number, study and patient count, too; and
    where there is none, all that tells one series from another.
    """
    names = ["SeriesInstanceUID", "SeriesNumber", "StudyInstanceUID", "PatientID", "Rows", "Columns"]
    if not header.get("SeriesInstanceUID"):
        names += ["SeriesDescription", "ProtocolName", "SequenceName", "SeriesDate", "SeriesTime", "PatientName"]
    said = tuple(str(header.get(name) or "") for name in names)
    stack = next((str(scope.get("StackID")) for scope in scopes if scope.get("StackID")), "")
    return (*said, stack, "" if header.get("SeriesInstanceUID") else str(file.parent))


def _b_value(scopes: list[Any]) -> float | None:
    """Give the b-value in s/mm^2, which is 0 where the image is said to have no direction at all."""
    stated = _number(scopes, "DiffusionBValue")
    if stated is None and any(scope.get("DiffusionDirectionality") == "NONE" for scope in scopes):
        return 0.0
    return private_b_value(scopes[-1]) if stated is None else stated


def _order(scopes: list[Any], frame: int) -> tuple[float, ...]:
    """Place among the images at one position; frames of one file may lie in it in any order."""
    places = next((scope.get("DimensionIndexValues") for scope in scopes if "DimensionIndexValues" in scope), None)
    indices = np.atleast_1d(np.asarray([] if places is None else places, dtype=float))
    return (*(_number(scopes, name) or 0.0 for name in _ORDER), *indices.tolist(), float(frame))


SETTINGS = {
    "echo times": ("EffectiveEchoTime", "EchoTime"),
    "inversion times": ("InversionTime", "InversionTimes"),
    "repetition times": ("RepetitionTime",),
    "flip angles": ("FlipAngle",),
}
"""What may differ between the images at one place, and where it stands, classic and enhanced."""

_ORDER = (
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "EffectiveEchoTime",
    "EchoTime",
    "InversionTime",
    "InversionTimes",
    "AcquisitionNumber",
    "InstanceNumber",
)
_LOCATIONS = ("SliceLocation", "InStackPositionNumber", "InstanceNumber")
_GROUPS = (
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "MRDiffusionSequence",
    "MREchoSequence",
    "FrameContentSequence",
    "MRTimingAndRelatedParametersSequence",
    "MRAveragesSequence",
    "MRModifierSequence",
    "MRImageFrameTypeSequence",
    "RealWorldValueMappingSequence",
)


def _first(dataset: Any, name: str) -> Any:
    items = dataset.get(name)
    return items[0] if items else None


def _numbers(scopes: Iterable[Any], name: str, count: int) -> NDArray[np.float64] | None:
    for scope in scopes:
        value = scope.get(name)
        if value is not None:
            numbers = np.atleast_1d(np.asarray(value, dtype=float))
            if numbers.size == count and np.isfinite(numbers).all():
                return numbers
    return None


def _text(header: Any, name: str) -> str | None:
    value = header.get(name)
    return str(value).strip() or None if value is not None else None


def _first_number(scopes: Iterable[Any], *names: str) -> float | None:
    return next((number for name in names if (number := _number(scopes, name)) is not None), None)


def _number(scopes: Iterable[Any], name: str) -> float | None:
    for scope in scopes:
        value = scope.get(name)
        if value is not None and value != "":
            number = float(np.atleast_1d(np.asarray(value, dtype=float))[0])
            if math.isfinite(number):
                return number
    return None


def _kind_of_image(scopes: Iterable[Any]) -> tuple[str, ...]:
    """Magnitude, phase, a map and the like, in the words of the file; images of several kinds aren't one stack."""
    scopes = list(scopes)
    component = next((str(s.get("ComplexImageComponent")) for s in scopes if s.get("ComplexImageComponent")), None)
    component = component or private_component(scopes[-1])
    words = next((w for s in scopes for name in ("FrameType", "ImageType") if (w := s.get(name))), ())
    words = [words] if isinstance(words, str) else list(words)
    return tuple(str(word).upper() for word in [*words, component] if word)
