"""`ScanInfo` as JSON, the way it stands in the files that we write."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import InputError
from napari_micromri.scan import ScanInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "micromri"
FORMAT = 2
"""From 2 on a Zarr array holds all its slices, also empty ones."""

_TEXTS = ("name", "axes", "subject", "session", "region", "plane", "protocol", "date", "quantity", "source")
_NUMBERS = ("repetition_time", "echo_time", "time_step")
_LISTS = ("voxel_size", "origin", "b_values")


def info_to_json(info: ScanInfo) -> dict[str, Any]:
    """Give everything that is known of a scan as plain JSON; unknown things are left out."""
    values = {f.name: _plain(getattr(info, f.name)) for f in fields(info)}
    return {"format": FORMAT} | {name: v for name, v in values.items() if not (v is None or v is False)}


def info_from_json(document: Mapping[str, Any]) -> ScanInfo:
    """Restore what `info_to_json` gave; things that a later version added are left aside.

    Raises
    ------
    ValueError
        The document is not one that `info_to_json` wrote, or was damaged since.
    """
    try:
        return ScanInfo(**_known(document))
    except (TypeError, KeyError, OverflowError, InputError) as error:
        raise ValueError(f"the description of the scan is damaged ({error})") from error


def _known(document: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in document.items():
        if name in _TEXTS:
            found[name] = _checked(value, str)
        elif name in _NUMBERS:
            found[name] = float(value)
        elif name == "averages":
            found[name] = _checked(value, int)
        elif name in ("quadruped", "unsized"):
            found[name] = _checked(value, bool)
        elif name in _LISTS:
            found[name] = tuple(float(v) for v in value)
        elif name in ("direction", "b_directions"):
            found[name] = tuple(tuple(float(v) for v in row) for row in value)
        elif name == "provenance":
            found[name] = tuple(_checked(step, dict) for step in value)
    return found


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} isn't a {kind.__name__}")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return _plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)  # JSON has no NaN
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return str(value)
