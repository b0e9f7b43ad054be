"""Where the pairs of a study come from, so that a later build knows them again and sees what has changed."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import ReadError, StudyError, describe_os_error
from napari_micromri.study.naming import composed
from napari_micromri.study.plan import Simulation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.study.model import Pair
    from napari_micromri.study.plan import Plan, PlannedPair
    from napari_micromri.study.store import Study


def identity_of(entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Give the identity of an entry of `Study.planned`."""
    subject, region, plane, session = (str(entry.get(name) or "") for name in ("subject", "region", "plane", "session"))
    return composed(subject), composed(region), composed(plane), session


def identity(pair: Pair | PlannedPair) -> tuple[str, str, str, str]:
    """Give what no two pairs of a study share. Unicode writes some names in two ways; the study has them composed."""
    return composed(pair.subject), composed(pair.region), composed(pair.plane), pair.session or ""


class Existing:
    """The pairs that were in the study before, by what they are and by where they come from."""

    def __init__(self, study: Study, plan: Plan) -> None:
        planned = {identity(pair) for pair in plan.pairs}
        self._by_identity = {identity(pair): pair for pair in study.pairs_by_key.values()}
        others = (pair for key, pair in self._by_identity.items() if key not in planned)
        self._by_origin = {_origin(pair.sources): pair for pair in others}

    def find(self, planned: PlannedPair, sources: Mapping[str, Any]) -> Pair | None:
        """Give the pair that was planned, also when it was renamed since it was built."""
        return self._by_identity.get(identity(planned)) or self._by_origin.get(_origin(sources))

    def renamed(self, planned: PlannedPair) -> bool:
        """Tell whether the planned pair stands there under other names."""
        return identity(planned) not in self._by_identity and _origin(_places(planned)) in self._by_origin


def _places(planned: PlannedPair) -> dict[str, dict[str, Any]]:
    """Say where the two scans of a pair come from, JSON-like."""
    lr, hr = planned.lr, planned.hr
    low = {"simulated": asdict(lr)} if isinstance(lr, Simulation) else {"path": _absolute(lr.path), "scan": lr.scan}
    return {"lr": low, "hr": {"path": _absolute(hr.path), "scan": hr.scan}}


def _absolute(path: str) -> str:
    return os.path.abspath(path) if os.path.exists(path) else path  # what isn't there is an address on a network


def _origin(sources: Mapping[str, Any]) -> str:
    """Reduce sources to what identifies them."""
    kept = ("simulated", "path", "scan")
    found = {which: {k: v for k, v in dict(sources.get(which, {})).items() if k in kept} for which in ("lr", "hr")}
    return json.dumps(found, sort_keys=True)


def sources_of(planned: PlannedPair) -> dict[str, Any]:
    """Describe where a pair comes from, so that a later build sees whether that has changed."""
    found = {which: place | _stamp(place.get("path")) for which, place in _places(planned).items()}
    return {**found, "notes": list(planned.notes)}


def _stamp(path: str | None) -> dict[str, int]:
    """Size and time of a file; a folder counts with all its files. Nothing for an address or a simulation."""
    if path is None:
        return {}
    place = Path(path)
    try:
        files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
        stats = [file.stat() for file in files]
    except OSError as error:
        raise ReadError(describe_os_error(error, place)) from error
    return {"size": sum(s.st_size for s in stats), "modified": max(int(s.st_mtime) for s in stats)} if stats else {}


def check_unchanged(old: Pair, sources: Mapping[str, Any]) -> None:
    """Refuse to take a pair that is there for one that comes from elsewhere."""
    for which in ("lr", "hr"):
        before, now = old.sources.get(which, {}), sources[which]
        if before == now:
            continue
        other = any(before.get(name) != now.get(name) for name in ("path", "scan", "simulated"))
        what = "was built from another source" if other else f"was built before {now['path']} changed"
        raise StudyError(
            f"{which.upper()} of {old.key} {what}; the pair was left as it is. To build it again, remove its folder "
            "from the study."
        )
