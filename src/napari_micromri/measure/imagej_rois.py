"""Regions to and from ImageJ's ROI files, whose coordinates are pixel edges of one scan and slices counted from 1.

A background is known by its name, which begins with "background" or "bg".
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import InputError, ReadError, describe_os_error
from napari_micromri.io.atomic import atomic_output
from napari_micromri.measure.roi import Grid, Roi, outline, slice_position, slices_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from roifile import ImagejRoi

    from napari_micromri.measure.roi import Kind, Shape
    from napari_micromri.scan import Scan

BACKGROUND_NAMES = ("background", "bg")


def read_imagej(path: Path, scan: Scan) -> tuple[Roi, ...]:
    """Read a ``.roi`` or a ``.zip`` of them; lines, points and the like, which have no area, are left out.

    Raises
    ------
    ReadError
        The file is missing or damaged, holds no area, or one that is combined of several shapes.
    """
    from roifile import roiread

    try:
        found = roiread(path)
    except OSError as error:
        raise ReadError(describe_os_error(error, path)) from error
    except (ValueError, IndexError, KeyError, TypeError, AssertionError, zipfile.BadZipFile, MemoryError) as error:
        raise ReadError(f"{path} isn't an ImageJ ROI file, or is damaged.") from error
    entries = found if isinstance(found, list) else [found]
    if combined := [entry.name or entry.autoname for entry in entries if entry.composite and not _is_polygon(entry)]:
        raise ReadError(
            f"'{combined[0]}' in {path} is combined of several shapes, or has a hole or curved edges. Save each part "
            "as a ROI of its own (ROI Manager > More > Split in ImageJ), without holes."
        )
    rois = tuple(roi for entry in entries for roi in _from_imagej(entry, scan))
    if not rois:
        raise ReadError(f"{path} holds no rectangle, ellipse or polygon.")
    return rois


def write_imagej(rois: Sequence[Roi], path: Path, scan: Scan, *, overwrite: bool = False) -> Path:
    """Write regions as a ``.zip`` for ImageJ's ROI manager, or a single one as ``.roi``.

    A region over several slices becomes one ROI per slice. What ImageJ doesn't know, a turned rectangle or ellipse, is
    written as its outline.

    Raises
    ------
    InputError
        A region lies in another plane than the scan's slices, beside the scan, or ``.roi`` is asked for several.
    """
    entries = [_to_imagej(roi, scan, index) for roi in rois for index in slices_of(roi, scan)]
    if not entries:
        raise InputError(f"None of the ROIs is on a slice of '{scan.info.name}'.")
    if path.suffix.lower() == ".roi" and len(entries) > 1:
        raise InputError(f"A .roi file holds one ROI, not {len(entries)}. Save them as .zip.")
    with atomic_output(path, overwrite=overwrite) as temporary:
        if path.suffix.lower() == ".roi":
            temporary.write_bytes(entries[0].tobytes())
        else:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
                for number, entry in enumerate(entries, 1):
                    # Two ROIs may have one name, but not two members of a zip.
                    member = "".join(c if c.isalnum() or c in " _-" else "_" for c in entry.name)
                    archive.writestr(f"{number:04}-{member}.roi", entry.tobytes())
    return path


def _from_imagej(entry: ImagejRoi, scan: Scan) -> list[Roi]:
    from roifile import ROI_TYPE

    shapes: dict[ROI_TYPE, Shape] = {
        ROI_TYPE.RECT: "rectangle",
        ROI_TYPE.OVAL: "ellipse",
        ROI_TYPE.POLYGON: "polygon",
        ROI_TYPE.FREEHAND: "polygon",
        ROI_TYPE.TRACED: "polygon",
    }
    shape = shapes.get(entry.roitype)
    if shape is None:
        return []
    corners = _unclosed(_corners(entry))
    if len(corners) < 3:
        return []
    grid = Grid.of(scan, "yx")
    # ImageJ counts from the outer edge of the first pixel, x before y.
    millimetres = (corners[:, ::-1] - 0.5) * grid.size + grid.origin
    if entry.composite:
        shape = "polygon"
    return [
        Roi(
            name=entry.name or entry.autoname,
            kind=_kind(entry.name),
            shape=shape,
            vertices=tuple((float(y), float(x)) for y, x in millimetres),
            depth=_depth(entry, scan),
        )
    ]


def _is_polygon(entry: ImagejRoi) -> bool:
    """Tell whether a combination of shapes came to a single polygon; roifile would give the largest of several."""
    try:
        return len(entry.coordinates(multi=True)) == 1
    except (NotImplementedError, RuntimeError, IndexError):  # curves, or damaged
        return False


def _corners(entry: ImagejRoi) -> NDArray[np.float64]:
    from roifile import ROI_TYPE

    if entry.roitype in (ROI_TYPE.RECT, ROI_TYPE.OVAL) and not entry.composite:
        left, top, right, bottom = float(entry.left), float(entry.top), float(entry.right), float(entry.bottom)
        if entry.subpixelrect:
            left, top = entry.xd, entry.yd
            right, bottom = left + entry.widthd, top + entry.heightd
        return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    return np.asarray(entry.coordinates(), dtype=np.float64)


def _unclosed(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    return corners[:-1] if len(corners) > 3 and (corners[0] == corners[-1]).all() else corners


def _kind(name: str) -> Kind:
    return "background" if name.strip().lower().startswith(BACKGROUND_NAMES) else "roi"


def _depth(entry: ImagejRoi, scan: Scan) -> tuple[float, float] | None:
    number = entry.position or entry.z_position
    if not number:
        return None
    position = slice_position(scan, "z", number - 1)
    return position, position


def _to_imagej(roi: Roi, scan: Scan, index: int) -> ImagejRoi:
    from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

    if roi.axes != "yx":
        raise InputError(f"'{roi.name}' is in the plane {roi.axes}; ImageJ only knows regions on slices (yx).")
    grid = Grid.of(scan, "yx")
    name = roi.name if _kind(roi.name) == roi.kind else f"background {roi.name}"
    points = grid.pixels(outline(roi)) + 0.5
    entry = ImagejRoi.frompoints(points[:, ::-1].astype(np.float32), name=name)
    entry.roitype = ROI_TYPE.POLYGON
    if roi.shape != "polygon" and _is_upright(roi):
        corners = grid.pixels(np.asarray(roi.vertices)) + 0.5
        (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0)
        entry = ImagejRoi()
        entry.name = name
        entry.roitype = ROI_TYPE.RECT if roi.shape == "rectangle" else ROI_TYPE.OVAL
        entry.options = ROI_OPTIONS.SUB_PIXEL_RESOLUTION
        entry.xd, entry.yd, entry.widthd, entry.heightd = map(float, (left, top, right - left, bottom - top))
        entry.left, entry.top = int(np.floor(left)), int(np.floor(top))
        entry.right, entry.bottom = int(np.ceil(right)), int(np.ceil(bottom))
    entry.position = entry.z_position = index + 1
    return entry


def _is_upright(roi: Roi) -> bool:
    corners = np.asarray(roi.vertices)
    edges = np.diff(corners, axis=0)
    return bool((np.isclose(edges, 0).any(axis=1)).all())
