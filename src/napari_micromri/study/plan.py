"""What a study shall be built from: which scan belongs to which, and which scans were left out for what reason."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from napari_micromri.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_micromri.scan import Scan

UNKNOWN = "unknown"
"""Region or plane of a scan that says nothing of it."""

_NAMED = 8


@dataclass(frozen=True)
class Source:
    """A scan on the disk: what `open_scan` is given, and which of the scans there, by name or by number from 1."""

    path: str
    scan: str | None = None

    def __str__(self) -> str:
        return self.path if self.scan is None else f"{self.path}#{self.scan}"

    @classmethod
    def parse(cls, text: str, folder: Path | None = None) -> Source:
        """Understand ``path`` and ``path#scan``; a relative path starts at ``folder``."""
        place = Path() if folder is None else folder
        whole = place / text
        if "#" not in text or whole.exists():
            return cls(os.fspath(whole))
        path, _, scan = text.partition("#")
        return cls(os.fspath(place / path), scan)

    def open(self) -> Scan:
        """Open the scan, reading its header only.

        Raises
        ------
        ReadError
            See `napari_micromri.io.open_scan`.
        InputError
            There are several scans at the path and the source doesn't say which, or there is none of that name.
        """
        from napari_micromri.io import open_scan

        scans = open_scan(self.path)
        if self.scan is None and len(scans) == 1:
            return scans[0]
        named = [scan for scan in scans if scan.info.name == self.scan]
        if len(named) == 1:
            return named[0]
        if self.scan and self.scan.isdecimal() and 1 <= int(self.scan) <= len(scans):
            return scans[int(self.scan) - 1]
        wanted = "" if self.scan is None else f" and none of them is clearly '{self.scan}'"
        raise InputError(
            f"{self.path} holds {len(scans)} scans{wanted}; write # and the name or number of one behind the path: "
            f"{_choices(scans)}."
        )


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """An LR scan that is to be simulated from the HR scan, see `simulate_fast_scan`."""

    factor: float = 2.0
    snr: float = 15.0
    averages: int = 1
    seed: int = 0

    def __str__(self) -> str:
        return f"simulated (factor {self.factor:g}, SNR {self.snr:g}, averages {self.averages}, seed {self.seed})"

    def apply(self, hr: Scan) -> Scan:
        """Simulate the LR scan of ``hr``; lazy."""
        from napari_micromri.simulation.acquisition import simulate_fast_scan

        return simulate_fast_scan(hr, factor=self.factor, snr=self.snr, averages=self.averages, seed=self.seed)

    def for_pair(self, identity: Iterable[str]) -> Simulation:
        """Derive a seed of its own for a pair, the same whatever else is in the plan."""
        digest = hashlib.sha256("\0".join((str(self.seed), *identity)).encode()).digest()
        return replace(self, seed=int.from_bytes(digest[:4], "big"))


LowSource: TypeAlias = "Source | Simulation"


@dataclass(frozen=True, kw_only=True)
class PlannedPair:
    """Two scans that shall become a pair of the study. ``notes`` say what was concluded rather than read."""

    subject: str
    region: str
    plane: str
    session: str | None = None
    lr: LowSource
    hr: Source
    slice_count: int = 0
    notes: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What no two pairs of a study share."""
        return self.subject, self.region, self.plane, self.session or ""

    def __str__(self) -> str:
        return describe_identity(self.identity)


@dataclass(frozen=True)
class Rejected:
    """A scan, or something that can't be read as one, that is in no pair of the plan."""

    path: str
    scan: str | None
    reason: str


@dataclass(frozen=True)
class Plan:
    """Pairs to build, and what was left out."""

    pairs: tuple[PlannedPair, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def describe_identity(identity: Sequence[str]) -> str:
    """Name a pair for a person."""
    subject, region, plane, session = identity
    return f"{subject}, {region}, {plane}" + (f", session {session}" if session else "")


def _choices(scans: Sequence[Scan]) -> str:
    shown = ", ".join(f"{k} '{scan.info.name}'" for k, scan in enumerate(scans[:_NAMED], 1))
    return shown if len(scans) <= _NAMED else f"{shown} and {len(scans) - _NAMED} more"
