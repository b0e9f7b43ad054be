"""Save regions in millimetres and load them on another day, for another scan of the same field of view."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import InputError, ReadError, WriteError, describe_os_error
from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.small_files import read_small
from napari_micromri.measure.roi import Roi

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from napari_micromri.scan import Scan

FORMAT = 1
IMAGEJ_ENDINGS = (".roi", ".zip")
LARGEST_BYTES = 200 * 2**20


@dataclass(frozen=True)
class DrawnOn:
    """The scan that regions were drawn on: its name, its animal, and the edges in mm of its field of view by axis."""

    name: str
    subject: str | None
    extent: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, scan: Scan) -> DrawnOn:
        """Take it from a scan."""
        return cls(scan.info.name, scan.info.subject, dict(zip(scan.info.spatial, scan.extent, strict=True)))

    def mismatch(self, scan: Scan) -> str | None:
        """Say in a sentence why regions from there may not fit a scan; None when they do."""
        here = dict(zip(scan.info.spatial, scan.extent, strict=True))
        for axis in sorted(self.extent.keys() & here.keys()):
            room = 0.5 * scan.info.size_of(axis)
            if any(abs(a - b) > room for a, b in zip(self.extent[axis], here[axis], strict=True)):
                return (
                    f"The ROIs were drawn on '{self.name}', whose field of view differs from that of "
                    f"'{scan.info.name}'. Check where they are."
                )
        if None not in (self.subject, scan.info.subject) and self.subject != scan.info.subject:
            animals = f"{self.subject}, not {scan.info.subject}"
            return f"The ROIs were drawn on another animal ({animals}). Check where they are."
        return None


@dataclass(frozen=True)
class RoiFile:
    """What a file of regions holds."""

    rois: tuple[Roi, ...]
    drawn_on: DrawnOn | None = None


def save_rois(
    rois: Sequence[Roi], path: str | PathLike[str], *, scan: Scan | None = None, overwrite: bool = False
) -> Path:
    """Save regions as JSON, or as ImageJ ROIs when the name ends in ``.roi`` or ``.zip``.

    Parameters
    ----------
    scan
        The one that they were drawn on; ImageJ needs it, since its coordinates are pixels.

    Raises
    ------
    OutputExistsError, WriteError
        The file is there already, or can't be written.
    InputError
        Nothing to save, no scan for ImageJ, or several regions for one ``.roi`` file.
    """
    path = Path(path)
    if not rois:
        raise InputError("There is no ROI to save. Draw one first.")
    if path.suffix.lower() in IMAGEJ_ENDINGS:
        from napari_micromri.measure.imagej_rois import write_imagej

        if scan is None:
            raise InputError("ImageJ's ROIs are in pixels: name the scan that they belong to.")
        return write_imagej(rois, path, scan, overwrite=overwrite)
    if path.suffix.lower() != ".json":
        raise WriteError(f"{path} has no file extension for ROIs. Use .json, or .zip for ImageJ.")
    with atomic_output(path, overwrite=overwrite) as temporary:
        text = json.dumps(rois_to_json(rois, scan), indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text, encoding="utf-8")
    return path


def load_rois(path: str | PathLike[str], *, scan: Scan | None = None) -> RoiFile:
    """Load regions from JSON, or from ImageJ's ``.roi`` and ``.zip``, whose pixels are those of ``scan``.

    Raises
    ------
    ReadError
        The file is missing, damaged, or of another kind.
    InputError
        ImageJ's ROIs without the scan that they belong to.
    """
    path = Path(path)
    if path.suffix.lower() in IMAGEJ_ENDINGS:
        from napari_micromri.measure.imagej_rois import read_imagej

        if scan is None:
            raise InputError("ImageJ's ROIs are in pixels: name the scan that they belong to.")
        return RoiFile(read_imagej(path, scan))
    try:
        content = json.loads(read_small(path, LARGEST_BYTES))
    except OSError as error:
        raise ReadError(describe_os_error(error, path)) from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path} isn't a file of ROIs: it isn't JSON, or is damaged.") from error
    return rois_from_json(content, str(path))


def rois_to_json(rois: Sequence[Roi], scan: Scan | None = None) -> dict[str, Any]:
    """Describe regions, and the scan that they were drawn on, with JSON-like values."""
    drawn_on = DrawnOn.of(scan) if scan is not None else None
    return {
        "micromri-rois": FORMAT,
        "units": "mm",
        "drawn_on": None if drawn_on is None else vars(drawn_on),
        "rois": [roi_to_json(roi) for roi in rois],
    }


def roi_to_json(roi: Roi) -> dict[str, Any]:
    """Describe a region with JSON-like values."""
    return {
        "name": roi.name,
        "kind": roi.kind,
        "shape": roi.shape,
        "axes": roi.axes,
        "depth_mm": None if roi.depth is None else list(roi.depth),
        "vertices_mm": [list(point) for point in roi.vertices],
    }


def rois_from_json(content: Any, where: str) -> RoiFile:
    """Understand what `rois_to_json` describes; ``where`` is named in errors.

    Raises
    ------
    ReadError
        It is something else, or of a later version.
    """
    if not isinstance(content, dict) or "micromri-rois" not in content:
        raise ReadError(f"{where} isn't a file of ROIs that micromri wrote.")
    if content["micromri-rois"] != FORMAT:
        raise ReadError(f"{where} was written by a later version. Update napari-micromri to read it.")
    try:
        rois = tuple(_roi(entry) for entry in content["rois"])
        drawn_on = _drawn_on(content.get("drawn_on"))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ReadError(f"{where} is damaged: an entry is missing or not what it should be ({error}).") from error
    except InputError as error:
        raise ReadError(f"{where} is damaged: {error}") from error
    return RoiFile(rois, drawn_on)


def _roi(entry: dict[str, Any]) -> Roi:
    depth = entry.get("depth_mm")
    return Roi(
        name=str(entry["name"]),
        kind=entry["kind"],
        shape=entry["shape"],
        axes=str(entry.get("axes", "yx")),
        depth=None if depth is None else _two(depth),
        vertices=tuple(_two(point) for point in entry["vertices_mm"]),
    )


def _drawn_on(entry: dict[str, Any] | None) -> DrawnOn | None:
    if entry is None:
        return None
    subject = entry.get("subject")
    extent = {str(axis): _two(edges) for axis, edges in entry["extent"].items()}
    return DrawnOn(str(entry["name"]), None if subject is None else str(subject), extent)


def _two(values: Any) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)
