"""The JSON of a study: what stands in the attributes of its root and of each pair.

Reading takes what it knows and leaves the rest; changing touches only what changes, so that the notes of another tool
or of a later version survive.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_micromri.errors import ReadError, StudyError
from napari_micromri.io.describe import info_from_json, info_to_json
from napari_micromri.io.lazy import check_sizes
from napari_micromri.study.cropping import lr_box
from napari_micromri.study.figures import SliceFigures, columns_of
from napari_micromri.study.model import REASONS, SETS, Crop, Finding, Marks, Pair, PairReport, Reason, Set, StudyImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMAT = 1
ROOT_KEY = "micromri-study"
PAIR_KEY = "micromri-pair"

_NUMBERS = ("extent_difference", "shift_spread", "correlation", "intensity_ratio", "lr_snr", "hr_snr")


def group_document(attributes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give the ``zarr.json`` of a Zarr 3 group."""
    return {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes or {})}


def section(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Give our part of a ``zarr.json``, to be read or changed in place.

    Raises
    ------
    ValueError
        There is none.
    StudyError
        A newer version wrote it.
    """
    attributes = document.get("attributes")
    found = attributes.get(key) if isinstance(attributes, dict) else None
    if not isinstance(found, dict):
        raise ValueError(f"it has no '{key}' in its attributes")
    written_as = found.get("format")
    if not isinstance(written_as, int):
        raise ValueError("it does not say which format it has")
    if written_as > FORMAT:
        raise StudyError(f"It was written by a newer napari-micromri (format {written_as}). Update to open it.")
    return found


def pair_to_json(pair: Pair) -> dict[str, Any]:
    """Describe a pair with everything but its key, which is its place, and its pixels."""
    report = pair.report
    return {
        "format": FORMAT,
        "subject": pair.subject,
        "region": pair.region,
        "plane": pair.plane,
        "session": pair.session,
        "shift": list(pair.shift),
        "digest": pair.digest,
        "lr": _image_to_json(pair.lr),
        "hr": _image_to_json(pair.hr),
        "report": {name: _number(getattr(report, name)) for name in _NUMBERS}
        | {
            "shift": [_number(value) for value in report.shift],
            "findings": [{"error": finding.error, "text": finding.text} for finding in report.findings],
        },
        "quality": columns_of(pair.quality),
        "sources": dict(pair.sources),
        "marks": marks_to_json(pair.marks),
    }


def pair_from_json(key: str, found: Mapping[str, Any]) -> Pair:
    """Restore what `pair_to_json` gave.

    Raises
    ------
    ValueError
        Something is missing or isn't what it should be.
    """
    try:
        pair = Pair(
            key=key,
            subject=_text(found["subject"]),
            region=_text(found["region"]),
            plane=_text(found["plane"]),
            session=None if found.get("session") is None else _text(found["session"]),
            lr=_image_from_json(found["lr"]),
            hr=_image_from_json(found["hr"]),
            shift=_shift(found["shift"]),
            report=_report(found["report"]),
            quality=SliceFigures(found["quality"]),
            sources=dict(found["sources"]),
            digest=_text(found["digest"]),
            marks=marks_from_json(found.get("marks", {})),
        )
        _check_agreement(pair)
    except KeyError as error:
        raise ValueError(f"{error} is missing in it") from error
    except (TypeError, AttributeError, StudyError, ReadError) as error:
        raise ValueError(str(error)) from error
    return pair


def _check_agreement(pair: Pair) -> None:
    if (pair.quality and len(pair.quality) != pair.slice_count) or pair.lr.shape[0] != pair.slice_count:
        raise ValueError("its scans and measurements differ in their number of slices")
    if any(not 0 <= index < pair.slice_count for index in pair.marks.excluded):
        raise ValueError("it excludes slices that it doesn't have")
    if pair.marks.crop is not None:
        lr_box(pair, pair.marks.crop)


def split_from_json(root: Mapping[str, Any]) -> dict[str, Set]:
    """Give the set of each subject that has been assigned to one.

    Raises
    ------
    StudyError
        It holds something else.
    """
    try:
        return {_text(subject): set_name(word) for subject, word in root.get("split", {}).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise StudyError(f"The split of the study is damaged: {error}.") from error


def marks_to_json(marks: Marks) -> dict[str, Any]:
    """Give the marks of a pair, slices in order."""
    excluded = {str(index): marks.excluded[index] for index in sorted(marks.excluded)}
    return {"excluded": excluded, "crop": crop_to_json(marks.crop)}


def marks_from_json(found: Mapping[str, Any]) -> Marks:
    """Restore what `marks_to_json` gave; what isn't a mark raises ValueError."""
    excluded = {int(index): reason(word) for index, word in found.get("excluded", {}).items()}
    return Marks(excluded, crop_from_json(found.get("crop")))


def crop_to_json(crop: Crop | None) -> list[int] | None:
    """Give top, bottom, left and right."""
    return None if crop is None else [crop.top, crop.bottom, crop.left, crop.right]


def crop_from_json(found: Any) -> Crop | None:
    """Restore what `crop_to_json` gave; anything else raises ValueError."""
    if found is None:
        return None
    if not isinstance(found, list) or len(found) != 4 or any(type(edge) is not int for edge in found):
        raise ValueError(f"{found!r} isn't a crop of four whole numbers")
    return Crop(*found)


def reason(word: Any) -> Reason:
    """Check that a word is one of the reasons."""
    if word not in REASONS:
        raise ValueError(f"{word!r} is none of the reasons {', '.join(REASONS)}")
    return cast("Reason", word)


def set_name(word: Any) -> Set:
    """Check that a word is one of the sets."""
    if word not in SETS:
        raise ValueError(f"{word!r} is none of the sets {', '.join(SETS)}")
    return cast("Set", word)


def _image_to_json(image: StudyImage) -> dict[str, Any]:
    return {"shape": list(image.shape), "dtype": image.dtype, "info": info_to_json(image.info)}


def _image_from_json(found: Mapping[str, Any]) -> StudyImage:
    slices, rows, columns = (int(count) for count in found["shape"])
    info = info_from_json(found["info"])
    if info.axes != "zyx":
        raise ValueError("a scan in it has no slices, rows and columns")
    check_sizes((slices, rows, columns), "a scan in it")
    dtype = np.dtype(_text(found["dtype"]))
    if dtype.kind not in "biuf":
        raise ValueError(f"a scan in it holds {dtype}, not numbers")
    return StudyImage((slices, rows, columns), dtype.name, info)


def _report(found: Mapping[str, Any]) -> PairReport:
    numbers = {name: _float(found[name]) for name in _NUMBERS}
    findings = tuple(Finding(bool(line["error"]), _text(line["text"])) for line in found["findings"])
    y, x = (_float(value) for value in found["shift"])
    return PairReport(shift=(y, x), findings=findings, **numbers)


def _shift(found: Iterable[Any]) -> tuple[float, float]:
    y, x = (float(value) for value in found)
    if not (math.isfinite(y) and math.isfinite(x)):
        raise ValueError("its shift is not finite")
    return y, x


def _number(value: float) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return float(value) if math.isfinite(value) else None


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} isn't text")
    return value
