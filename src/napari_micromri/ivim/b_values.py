"""b-values: from a file, typed, or of a scan; whether a method can use them; averaging what was measured repeatedly."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from napari_micromri.errors import InputError, ReadError, describe_os_error
from napari_micromri.words import counted

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_micromri.scan import Scan

Averaging = Literal["arithmetic", "geometric"]

PERFUSION_BELOW = 100.0
"""In s/mm^2. Above it nothing is left of the fast decay, so f and D* need a value below it."""

LEAST_HIGHEST, MOST_HIGHEST = 10.0, 1e6
"""In s/mm^2. The highest b-value of a series lies between; else it is in ms/um^2 or in s/m^2."""

SAME_RELATIVE, SAME_ABSOLUTE = 0.02, 0.5
"""Neighbouring b-values count as repeats of one when they differ by no more than this: effective b-values (Bruker) of
several directions are never quite the same."""

WIDEST = 0.05
"""Part of the smallest of some repeats by which the largest may be above it: b-values in small steps are no repeats."""


class Averaged(NamedTuple):
    """Signals (B, *grid), one for each distinct b-value in rising order, and how many images are behind each."""

    signals: NDArray[np.float32]
    b_values: NDArray[np.float64]
    counts: NDArray[np.int64]


def read_b_values(path: str | os.PathLike[str]) -> tuple[float, ...]:
    """Read b-values in FSL's text format, in one row or one per line.

    Raises
    ------
    ReadError
        No such file, or it holds something else than numbers.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError(f"{path} isn't a text file with b-values.") from error
    except OSError as error:
        raise ReadError(describe_os_error(error, path)) from error  # type: ignore[arg-type]
    try:
        return parse_b_values(text)
    except InputError as error:
        raise ReadError(f"{path} can't be used: {error}") from error


def parse_b_values(text: str) -> tuple[float, ...]:
    """Understand b-values that a person typed: numbers separated by blanks, commas or semicolons.

    Raises
    ------
    InputError
        Something in it isn't a number, or it is empty.
    """
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    try:
        values = tuple(float(word) for word in words)
    except ValueError:
        raise InputError(f"b-values are numbers such as '0, 20, 50, 800', not '{text.strip()[:60]}'.") from None
    if not values:
        raise InputError("There are no b-values in it. Give one per volume, such as '0, 20, 50, 800'.")
    return values


def b_values_of(scan: Scan) -> tuple[float, ...]:
    """Give the b-values that a scan knows.

    Raises
    ------
    InputError
        The scan has no axis of b-values, or doesn't know them.
    """
    if scan.info.b_values is not None and "b" in scan.info.axes:
        return scan.info.b_values
    if scan.data.ndim < 3 or not set(scan.info.axes) & {"b", "t"}:
        raise InputError(f"'{scan.info.name}' has one volume (axes {scan.info.axes}). IVIM needs one per b-value.")
    raise InputError(
        f"'{scan.info.name}' doesn't say its b-values. Give them, one per volume, as a .bval file or typed."
    )


def check_b_values(b_values: Sequence[float] | NDArray[Any], volumes: int, *, perfusion: bool = True) -> None:
    """Refuse b-values that a method can't use.

    Parameters
    ----------
    perfusion
        The method looks for f and D*, not only for D.

    Raises
    ------
    InputError
        Their number isn't that of the volumes, one is negative or not finite, or they are in another unit, too few or
        too high.
    """
    values = np.asarray(b_values, dtype=np.float64).ravel()
    if len(values) != volumes:
        raise InputError(f"{counted(len(values), 'b-value')} for {counted(volumes, 'volume')}: each volume needs one.")
    if not np.isfinite(values).all() or (values < 0).any():
        raise InputError(f"b-values are 0 or more, in s/mm², not {', '.join(f'{v:g}' for v in values)}.")
    if 0 < values.max() <= LEAST_HIGHEST or values.max() >= MOST_HIGHEST:
        unit, much = ("ms/µm²", "1000 times as large") if values.max() <= LEAST_HIGHEST else ("s/m²", "a millionth")
        raise InputError(
            f"The highest b-value is {values.max():g}, so they seem to be in {unit}. Give them in s/mm²: {much}."
        )
    distinct = len(_groups(values))
    if distinct < 2:
        raise InputError(f"All b-values are {values[0]:g} s/mm². At least two different ones are needed.")
    if not perfusion:
        return
    if distinct < 4:
        raise InputError(
            f"D, f, D* and S0 need at least 4 different b-values, and there are {distinct}. The method 'adc' needs 2."
        )
    if values.min() >= PERFUSION_BELOW or np.count_nonzero(np.unique(values) < PERFUSION_BELOW) < 2:
        raise InputError(
            f"f and D* need b-values below {PERFUSION_BELOW:g} s/mm², at least one besides the smallest. "
            "Without them use the method 'adc'."
        )


def average_repeats(
    signals: NDArray[Any], b_values: Sequence[float] | NDArray[Any], how: Averaging = "arithmetic"
) -> Averaged:
    """Sort by b-value and average the images of each.

    Parameters
    ----------
    signals
        (volumes, *grid).
    how
        ``"arithmetic"`` suits repetitions; least squares on it equal those on all images. ``"geometric"`` makes the
        mean over directions decay with the mean diffusivity where diffusion is anisotropic, but noise lowers it more.

    Returns
    -------
    Averaged
        NaN where a geometric mean meets a signal that isn't positive.
    """
    values = np.asarray(b_values, dtype=np.float64).ravel()
    groups = _groups(values)
    averaged = np.empty((len(groups), *signals.shape[1:]), dtype=np.float32)
    for k, group in enumerate(groups):
        images = np.asarray(signals[group], dtype=np.float32)
        if how == "geometric":
            logs = np.log(images, out=np.full_like(images, np.nan), where=images > 0)
            averaged[k] = np.exp(logs.mean(axis=0))
        else:
            averaged[k] = images.mean(axis=0)
    return Averaged(averaged, np.array([values[g].mean() for g in groups]), np.array([len(g) for g in groups]))


def _groups(values: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    order = np.argsort(values, kind="stable")
    begins, first, last = [], -np.inf, -np.inf
    for place, b in enumerate(values[order]):
        if b - last > SAME_ABSOLUTE + SAME_RELATIVE * last or b - first > SAME_ABSOLUTE + WIDEST * first:
            begins.append(place)
            first = b
        last = b
    return np.split(order, begins[1:])
