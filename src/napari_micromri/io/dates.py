"""Dates of acquisition as files write them, in ISO 8601."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PARAVISION = re.compile(r"(\d{1,2}):(\d\d):(\d\d)\s+(\d{1,2})\s+([A-Za-z]{3})[a-z]*\s+(\d{4})")
_DICOM = re.compile(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)(?:[T ]?(\d\d)(?::?(\d\d)(?::?(\d\d))?)?)?(?!\d)")


def iso_date(*texts: str | None) -> str | None:
    """Give the first date that can be understood, ``2013-11-05T11:59:49`` or without the time; else None.

    It understands ParaVision 5 (``11:59:49  5 Nov 2013``, in English whatever the language of the system),
    ParaVision 6 and 360 and NIfTI sidecars (ISO 8601), and DICOM (``20131105115949.123``). Fractions of a second and
    time zones are left aside: it is the time on the scanner's clock.
    """
    for text in texts:
        old, new = _PARAVISION.search(text or ""), _DICOM.search(text or "")
        try:
            if old and old[5].lower() in _MONTHS:
                hour, minute, second, day, year = (int(old[k]) for k in (1, 2, 3, 4, 6))
                return datetime(year, _MONTHS.index(old[5].lower()) + 1, day, hour, minute, second).isoformat()
            if new:
                year, month, day, hour, minute, second = (int(part or 0) for part in new.groups())
                when = datetime(year, month, day, hour, minute, second)
                return when.date().isoformat() if new[4] is None else when.isoformat()
        except ValueError:  # no such day
            continue
    return None


def sidecar_date(said: Mapping[str, Any]) -> str | None:
    """Find the date in the JSON file that BIDS and dcm2niix write beside a NIfTI file."""
    return iso_date(*(str(said[key]) for key in ("AcquisitionDateTime", "AcquisitionDate") if said.get(key)))
