"""The metadata of OME-Zarr images, versions 0.4 and 0.5: axes, units, and where the voxels are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_micromri.io.units import millimetres, seconds
from napari_micromri.scan import AXES, SPATIAL_AXES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_micromri.scan import ScanInfo


@dataclass(frozen=True)
class OmeImage:
    """What the metadata of one image say; ``axes`` as they stand in the file, one letter each, c for channels."""

    path: str
    axes: str
    voxel_size: tuple[float, ...]
    origin: tuple[float, ...]
    name: str | None
    time_step: float | None = None
    notes: tuple[str, ...] = ()


def read_multiscales(attributes: Mapping[str, Any]) -> OmeImage | None:
    """Read the full-resolution level of the first image; None when the attributes describe no image.

    Voxel size and origin are in mm, for the spatial axes in the order of the file.

    Raises
    ------
    ValueError
        The metadata contradict the standard.
    """
    found = attributes.get("multiscales") if isinstance(attributes, dict) else None
    if not found:
        return None
    try:
        image = found[0]
        level = image["datasets"][0]
        axes = image.get("axes") or "tczyx"  # before version 0.4 there were no choices
        entries = [{"name": a} if isinstance(a, str) else dict(a) for a in axes]
        letters = [_letter(entry) for entry in entries]
        transforms = [*level.get("coordinateTransformations", ()), *image.get("coordinateTransformations", ())]
        scale, shift = _combined(transforms, len(letters))
        units = [millimetres(entry.get("unit")) or 1.0 for entry in entries]
        spatial = [k for k, letter in enumerate(letters) if letter in SPATIAL_AXES]
        name = image.get("name")
        notes = []
        if not any(transform.get("type") == "scale" for transform in transforms):
            notes.append("doesn't say how large its voxels are; 1 mm is taken. Give voxel_size to set it.")
        elif any(millimetres(entries[k].get("unit")) is None for k in spatial):
            notes.append("doesn't say in which unit its voxel size is; mm is taken.")
        if any(scale[k] < 0 for k in spatial):
            notes.append("has axes that run backwards, which is not shown.")
        return OmeImage(
            path=str(level["path"]),
            axes="".join(letters),
            voxel_size=tuple(abs(scale[k]) * units[k] for k in spatial),
            origin=tuple(shift[k] * units[k] for k in spatial),
            name=name if isinstance(name, str) and name not in ("", "/") else None,
            time_step=_time_step(entries, letters, scale),
            notes=tuple(notes),
        )
    except (TypeError, KeyError, IndexError, AttributeError, ValueError, OverflowError) as error:
        raise ValueError(f"its OME metadata are damaged ({_reason(error)})") from error


def _time_step(entries: Sequence[Mapping[str, Any]], letters: Sequence[str], scale: Sequence[float]) -> float | None:
    if "t" not in letters:
        return None
    k = letters.index("t")
    second = seconds(entries[k].get("unit"))
    return None if second is None or scale[k] <= 0 else scale[k] * second


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _letter(entry: Mapping[str, Any]) -> str:
    name = str(entry["name"]).lower()
    if name not in (*AXES, "c"):
        raise ValueError(f"unknown axis '{name}'")
    return name


def _combined(transforms: Sequence[Mapping[str, Any]], ndim: int) -> tuple[list[float], list[float]]:
    """Apply the transforms one after the other, the dataset's own ones first."""
    scale, shift = [1.0] * ndim, [0.0] * ndim
    for transform in transforms:
        kind = transform["type"]
        if kind == "identity":
            continue
        values = [float(v) for v in transform[kind]]
        if kind not in ("scale", "translation") or len(values) != ndim or not all(map(math.isfinite, values)):
            raise ValueError(f"unusable transformation '{kind}'")
        for k, value in enumerate(values):
            if kind == "scale":
                scale[k], shift[k] = scale[k] * value, shift[k] * value
            else:
                shift[k] += value
    return scale, shift


def write_multiscales(info: ScanInfo) -> dict[str, Any]:
    """Give the content of the ``ome`` attribute, version 0.5, of an image with one level named ``0``."""
    types = {"t": "time", "b": "diffusion"}
    axes = [
        {"name": a, "type": "space", "unit": "millimeter"} if a in SPATIAL_AXES else {"name": a, "type": types[a]}
        for a in info.axes
    ]
    steps = {"t": info.time_step or 1.0}
    if "t" in info.axes and info.time_step:
        axes[info.axes.index("t")]["unit"] = "second"
    outer = len(info.axes) - len(info.spatial)
    transforms = [
        {"type": "scale", "scale": [*(steps.get(a, 1.0) for a in info.axes[:outer]), *info.voxel_size]},
        {"type": "translation", "translation": [0.0] * outer + list(info.origin)},
    ]
    level = {"path": "0", "coordinateTransformations": transforms}
    return {"version": "0.5", "multiscales": [{"name": info.name, "axes": axes, "datasets": [level]}]}
