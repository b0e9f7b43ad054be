"""What DICOM files keep in elements of their makers' own, where the standard's are missing."""

from __future__ import annotations

from typing import Any

import numpy as np

_B_VALUES = (
    ("SIEMENS MR HEADER", 0x0019, 0x0C),
    ("Philips Imaging DD 001", 0x2001, 0x03),
    ("GEMS_PARM_01", 0x0043, 0x39),
)
_GRADIENTS = (
    ("SIEMENS MR HEADER", 0x0019, (0x0E,)),
    ("Philips MR Imaging DD 001", 0x2005, (0xB0, 0xB1, 0xB2)),
)
_MARK_OF_GE = 10**9
"""GE adds it to the b-value of some images."""


def private_b_value(header: Any) -> float | None:
    """b-value in s/mm^2 as Siemens, Philips or GE keep it."""
    for creator, group, element in _B_VALUES:
        found = _numbers_in(header, creator, group, element)
        if found.size and np.isfinite(found[0]) and found[0] >= 0:
            return float(found[0]) % _MARK_OF_GE
    return None


def private_gradient(header: Any) -> tuple[float, ...] | None:
    """Direction of the gradient in the coordinates of the patient (LPS), as Siemens or Philips keep it."""
    for creator, group, elements in _GRADIENTS:
        found = np.concatenate([_numbers_in(header, creator, group, element) for element in elements])
        if found.size == 3 and np.isfinite(found).all():
            return tuple(float(v) for v in found)
    return None


def private_component(header: Any) -> str | None:
    """Name the component as GE does in an element of its own, since its image types are the same for all."""
    element = header.get((0x0043, 0x102F))
    value = None if element is None else element.value
    if isinstance(value, bytes):  # the kind of the element is not told in all transfer syntaxes
        value = int.from_bytes(value[:2], "little")
    return dict(enumerate(("MAGNITUDE", "PHASE", "REAL", "IMAGINARY"))).get(value) if isinstance(value, int) else None


def _numbers_in(header: Any, creator: str, group: int, element: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    if not any(tag >> 16 == group for tag in header.keys()):
        return np.empty(0)
    try:
        value = header.private_block(group, creator)[element].value
        return np.atleast_1d(np.asarray(value, dtype=float))
    except (KeyError, ValueError, TypeError):
        return np.empty(0)
