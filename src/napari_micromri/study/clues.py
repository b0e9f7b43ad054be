"""What speaks against a slice: one clue per kind of fault, each from a few stored figures.

A clue is a number of at least 0 for every slice; at 1 it is enough by itself that a person should look. Most clues
compare a figure x with its neighbours' median: ``d = x - median``, and take the smaller one of ``d / effect``, the
change that a person would see, and ``d / (5 spread)``, how unusual it is in this pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_micromri.study.model import Reason
    from napari_micromri.study.slice_table import Column, SliceTable

UNUSUAL = 5.0
"""Robust standard deviations."""

SCANS = ("lr", "hr")
EFFECTS = {
    "noise": 0.45,
    "ghost": 0.45,
    "lines": 0.9,
    "spike": 1.0,
    "continuity": 0.6,
    "signal": 0.7,
    "residual": 0.25,
    "match": 0.15,
    "offset_gain": 0.3,
    "empty": 2.5,
    "snr": 1.4,
}
"""How much is enough, in natural logarithms: 0.45 is a factor of 1.6."""

TINIEST = 1e-30
OFFSET = 1.0
"""LR pixels."""

GHOST = 2.5
"""Least amplitude over noise that a person sees."""


@dataclass(frozen=True, eq=False)
class Clue:
    """Strength of one clue for every slice, what it would be excluded for, and how to say it of slice n."""

    strength: Column
    reason: Reason
    words: Callable[[int], str]


def clues(table: SliceTable) -> Iterator[Clue]:
    """Weigh all clues for all slices."""
    for scan in SCANS:
        yield _noise(table, scan)
        yield _ghost(table, scan)
        yield _lines(table, scan)
        yield _spike(table, scan)
        yield _continuity(table, scan)
        yield _match(table, scan)
    yield _signal(table)
    yield _residual(table)
    yield _offset(table)
    yield _empty(table)
    yield _snr(table)


def _against_neighbours(table: SliceTable, values: Column, effect: float, *, either_way: bool = False) -> Column:
    deviation = values - table.neighbours(values)
    size = np.abs(deviation) if either_way else deviation
    return np.fmin(size / effect, size / (UNUSUAL * np.fmax(table.spread(deviation), effect / 20)))


def _log(values: Column, least: float = 1e-6) -> Column:
    return np.log(np.maximum(values, least))


def _log_of_pair(table: SliceTable, name: str) -> Column:
    """Logarithm of a figure with a unit; what is below a thousandth of the pair's median counts as that much."""
    values = table.column(name)
    return np.log(np.fmax(np.fmax(values, table.of_pair(values) / 1000), TINIEST))


def _noise(table: SliceTable, scan: str) -> Clue:
    noise = _log_of_pair(table, f"{scan}_noise")
    factor = np.exp(noise - table.neighbours(noise))
    strength = _against_neighbours(table, noise, EFFECTS["noise"])
    return Clue(strength, "noise", lambda n: f"noise {factor[n]:.1f} times that of the neighbours in {scan.upper()}")


def _ghost(table: SliceTable, scan: str) -> Clue:
    ghost = table.column(f"{scan}_ghost")
    strength = np.minimum(_against_neighbours(table, _log(ghost + 1), EFFECTS["ghost"]), ghost / GHOST)
    return Clue(strength, "ghost", lambda n: f"background ghost {ghost[n]:.0f} times the noise in {scan.upper()}")


def _lines(table: SliceTable, scan: str) -> Clue:
    strength = _against_neighbours(table, table.column(f"{scan}_lines"), EFFECTS["lines"])
    return Clue(strength, "other", lambda n: f"a row or column stands out in {scan.upper()}: lost lines?")


def _spike(table: SliceTable, scan: str) -> Clue:
    spike = table.column(f"{scan}_spike")
    strength = _against_neighbours(table, _log(spike), EFFECTS["spike"])
    return Clue(strength, "other", lambda n: f"stripes over the image in {scan.upper()}: a spike in k-space?")


def _continuity(table: SliceTable, scan: str) -> Clue:
    unlike = _log(1 - table.column(f"{scan}_continuity"), 1e-4)
    strength = _against_neighbours(table, unlike, EFFECTS["continuity"])
    return Clue(strength, "motion", lambda n: f"{scan.upper()} is unlike its neighbours: motion?")


def _signal(table: SliceTable) -> Clue:
    """Signal that only one of the scans lost: anatomy changes in both."""
    ratio = _log_of_pair(table, "lr_signal") - _log_of_pair(table, "hr_signal")
    change = ratio - table.neighbours(ratio)
    strength = _against_neighbours(table, ratio, EFFECTS["signal"], either_way=True)

    def words(n: int) -> str:
        weaker, other = ("LR", "HR") if change[n] < 0 else ("HR", "LR")
        return f"{weaker} lost signal against {other}: {np.exp(abs(change[n])):.1f} times weaker than in the neighbours"

    return Clue(strength, "other", words)


def _match(table: SliceTable, scan: str) -> Clue:
    gain, partner = table.column(f"{scan}_match_gain"), table.column(f"{scan}_match")
    other = "HR" if scan == "lr" else "LR"
    words = f"{scan.upper()} fits {other} better when its slice %d is taken: swapped?"
    strength = np.where(np.isfinite(partner), gain / EFFECTS["match"], np.nan)
    return Clue(strength, "other", lambda n: words % partner[n])


def _residual(table: SliceTable) -> Clue:
    residual = _log(table.column("residual"))
    factor = np.exp(residual - table.neighbours(residual))
    strength = _against_neighbours(table, residual, EFFECTS["residual"])
    return Clue(strength, "motion", lambda n: f"LR and HR differ {factor[n]:.1f} times as much as in the neighbours")


def _offset(table: SliceTable) -> Clue:
    size = np.zeros(len(table))
    for axis, place in (("y", 1), ("x", 2)):
        pixels = table.column(f"offset_{axis}")
        factor = np.array([pair.hr.shape[place] / pair.lr.shape[place] for pair in table.pairs])
        size = np.hypot(size, (pixels - table.of_pair(pixels)) / factor[table.pair])
    strength = np.fmin(size / OFFSET, table.column("offset_gain") / EFFECTS["offset_gain"])
    return Clue(strength, "motion", lambda n: f"LR lies {size[n]:.1f} LR pixels off HR, unlike the rest of the pair")


def _empty(table: SliceTable) -> Clue:
    part = (table.column("lr_foreground") + table.column("hr_foreground")) / 2
    usual = np.fmax(table.of_pair(part), 0.02)
    return Clue(
        (_log(usual) - _log(part, 1e-4)) / EFFECTS["empty"], "outside", lambda n: "almost no signal: out of the animal?"
    )


def _snr(table: SliceTable) -> Clue:
    snr = np.fmin(table.column("lr_snr"), table.column("hr_snr"))
    lr, hr = (_below_study(table.column(f"{scan}_snr")) for scan in SCANS)
    return Clue(
        np.fmax(lr, hr) / EFFECTS["snr"], "noise", lambda n: f"SNR of {snr[n]:.0f}, far below the rest of the study"
    )


def _below_study(snr: Column) -> Column:
    measured = snr[np.isfinite(snr) & (snr > 0)]
    usual = float(np.median(measured)) if measured.size else 1.0
    return np.where(snr > 0, np.log(usual) - _log(snr), 0.0)
