"""What the headers of DICOM files say of each slice, classic and enhanced."""

from __future__ import annotations

import math
import mmap
import struct
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.io.lazy import check_sizes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Image:
    """One slice: where it is stored and what its header says."""

    file: Path
    frame: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    slope: float
    offset: float
    series: tuple[Any, ...]
    number: int
    position: NDArray[np.float64] | None
    axes: NDArray[np.float64] | None
    spacing: tuple[float, float]
    thickness: float
    b_value: float | None
    order: tuple[float, ...]
    texts: dict[str, str | None]
    repetition_time: float | None
    echo_time: float | None
    averages: float | None


_TEXTS = (
    "ProtocolName",
    "SeriesDescription",
    "StudyDescription",
    "BodyPartExamined",
    "PatientID",
    "PatientName",
    "StudyID",
)


def images_in(file: Path, *, sure: bool) -> Iterator[Image]:
    """Read the header of a file; what is no DICOM is passed over unless a person asked for this very file (``sure``).

    Raises
    ------
    ReadError
        The file is damaged, cut off, in colours, or compressed in a way that can't be decoded here.
    """
    import pydicom

    broken = f"{file} is damaged or no DICOM file. Copy or export it again."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of every value that breaks a rule
            # Mapped, since a file would reserve as much memory as a damaged length asks for.
            with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as stream:
                header = pydicom.dcmread(stream, stop_before_pixels=True, force=False)  # type: ignore[arg-type]
                remaining = len(stream) - stream.tell()
            if "Rows" not in header:
                if sure:
                    raise ReadError(f"{file} is a DICOM file without an image.")
                return
            _check_pixels(header, file, remaining)
            yield from _frames(header, file)
    except pydicom.errors.BytesLengthException as error:
        raise ReadError(broken) from error
    except pydicom.errors.InvalidDicomError as error:
        if sure:
            raise ReadError(broken) from error
    # Broken headers make pydicom raise whatever its parser stumbles over.
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, EOFError, OverflowError) as error:
        raise ReadError(broken) from error
    except (NotImplementedError, MemoryError, RecursionError, LookupError, ArithmeticError, struct.error) as error:
        raise ReadError(broken) from error


def _check_pixels(header: Any, file: Path, remaining: int) -> None:
    """Make sure that the pixels are there and can be decoded, without reading them."""
    from pydicom.pixels.decoders.base import get_decoder

    rows, columns, count = int(header.Rows), int(header.Columns), int(header.get("NumberOfFrames") or 1)
    if int(header.get("SamplesPerPixel") or 1) != 1:
        raise ReadError(f"{file} is a colour picture, not a scan.")
    bits = int(header.BitsAllocated)
    check_sizes((count, rows, columns), file, itemsize=max(1, bits // 8))
    syntax = header.file_meta.TransferSyntaxUID
    if not syntax.is_compressed:
        # The element of the pixels begins with its tag, type and length.
        expected = (8 if syntax.is_implicit_VR else 12) + count * rows * columns * bits // 8
        if remaining < expected:
            raise ReadError(f"{file} is cut off: it lacks {expected - remaining} bytes of its image. Copy it again.")
    elif not get_decoder(syntax).is_available:
        raise ReadError(f"{file} is compressed as {syntax.name}: 'pip install pylibjpeg[all]' to open it.")


def _frames(header: Any, file: Path) -> Iterator[Image]:
    shared = _first(header, "SharedFunctionalGroupsSequence")
    own = header.get("PerFrameFunctionalGroupsSequence") or []
    for frame in range(int(header.get("NumberOfFrames") or 1)):
        yield _image(header, file, frame, [own[frame] if frame < len(own) else None, shared])


def _image(header: Any, file: Path, frame: int, groups: list[Any]) -> Image:
    places = [(group, name) for group in groups if group is not None for name in _GROUPS]
    scopes = [item for group, name in places if (item := _first(group, name)) is not None]
    scopes += [item for scope in list(scopes) if (item := _first(scope, "MRDiffusionGradientDirectionSequence"))]
    scopes.append(header)

    orientation = _numbers(scopes, "ImageOrientationPatient", 6)
    spacing = _numbers(scopes, "PixelSpacing", 2)
    position = _numbers(scopes, "ImagePositionPatient", 3)
    thickness = _number(scopes, "SpacingBetweenSlices") or _number(scopes, "SliceThickness") or 1.0
    shape = (int(header.Rows), int(header.Columns))
    return Image(
        file=file,
        frame=frame,
        shape=shape,
        dtype=_dtype(header),
        slope=_finite(_number(scopes, "RescaleSlope"), 1.0),
        offset=_finite(_number(scopes, "RescaleIntercept"), 0.0),
        series=_series(header, shape, orientation, spacing, scopes),
        number=int(_number([header], "SeriesNumber") or 0),
        position=position,
        axes=None if orientation is None else orientation.reshape(2, 3),
        spacing=(1.0, 1.0) if spacing is None or not (spacing > 0).all() else (float(spacing[0]), float(spacing[1])),
        thickness=abs(thickness),
        b_value=_number(scopes, "DiffusionBValue"),
        order=_order(header, scopes, frame),
        texts={name: _text(header, name) for name in _TEXTS},
        repetition_time=_number(scopes, "RepetitionTime"),
        echo_time=_first_number(scopes, "EffectiveEchoTime", "EchoTime"),
        averages=_number(scopes, "NumberOfAverages"),
    )


def _series(
    header: Any,
    shape: tuple[int, int],
    orientation: NDArray[np.float64] | None,
    spacing: NDArray[np.float64] | None,
    scopes: list[Any],
) -> tuple[Any, ...]:
    """Collect what is the same for all slices of one stack."""
    return (
        str(header.get("SeriesInstanceUID", "")),
        shape,
        tuple(np.round(orientation, 3)) if orientation is not None else None,
        tuple(np.round(spacing, 5)) if spacing is not None else None,
        _kind_of_image(scopes),
    )


def _order(header: Any, scopes: list[Any], frame: int) -> tuple[float, ...]:
    """Place among the images at one position."""
    times = ("TemporalPositionIdentifier", "TemporalPositionIndex", "EffectiveEchoTime", "EchoTime")
    numbers = ("AcquisitionNumber", "InstanceNumber")
    return (
        *(_number(scopes, name) or 0.0 for name in times),
        *(_number([header], name) or 0.0 for name in numbers),
        float(frame),
    )


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
    "MRImageFrameTypeSequence",
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


def _finite(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _kind_of_image(scopes: Iterable[Any]) -> str:
    """Magnitude, phase, real or imaginary part; these don't belong into one stack."""
    for scope in scopes:
        kind = scope.get("ComplexImageComponent")
        if kind:
            return str(kind)
    for scope in scopes:
        words = scope.get("ImageType") or scope.get("FrameType") or ()
        found = {"P": "PHASE", "R": "REAL", "I": "IMAGINARY"}.keys() & {str(w) for w in words}
        if found:
            return found.pop()
    return "MAGNITUDE"


def _dtype(header: Any) -> np.dtype[Any]:
    bits = int(header.BitsAllocated)
    if bits not in (8, 16, 32):
        raise ValueError(f"{bits} bits per voxel")
    return np.dtype(f"{'i' if int(header.get('PixelRepresentation') or 0) else 'u'}{bits // 8}")


def read_pixels(image: Image) -> NDArray[Any]:
    """Read one slice as it is stored, not rescaled.

    Raises
    ------
    ReadError
        The file was changed, removed or is damaged.
    """
    import pydicom
    from pydicom.pixels.utils import pixel_array

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = pixel_array(image.file, index=image.frame)
    except (
        OSError,
        ValueError,
        RuntimeError,
        AttributeError,
        KeyError,
        TypeError,
        EOFError,
        pydicom.errors.InvalidDicomError,
        pydicom.errors.BytesLengthException,
    ) as error:
        raise ReadError(f"The image in {image.file} can't be read ({error}). Copy or export it again.") from error
    if pixels.shape != image.shape:
        raise ReadError(f"{image.file} was changed since it was opened. Open the scan again.")
    return np.asarray(pixels)
