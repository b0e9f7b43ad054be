"""Slices as PNG pictures inside the page: grey images on one window, residuals on one symmetric scale."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_micromri.measure.evaluation.rows import SliceRow

WHITE_POINT = 99.7
"""Percentile of HR that is shown white."""

RESIDUAL_PERCENTILE = 99.5
"""Percentile of the magnitude of HR - LR at which the colours of residuals end."""

COLD, WARM = (33, 102, 172), (178, 24, 43)
"""Colours of the lowest and highest residual; none is white."""


@dataclass(frozen=True)
class Choice:
    """A slice that is worth a picture, and why."""

    key: str
    index: int
    why: str


@dataclass(frozen=True)
class Picture:
    """An image of the page: its caption, and the PNG as an address."""

    caption: str
    source: str


@dataclass(frozen=True)
class Strip:
    """The pictures of one slice side by side.

    Parameters
    ----------
    aspect
        Width over height of the slice in mm.
    limit
        Residuals are shown from minus to plus this, in multiples of the LR mean.
    """

    title: str
    why: str
    figures: Mapping[str, str]
    pictures: tuple[Picture, ...]
    aspect: float
    limit: float


def choose_slices(rows: Iterable[SliceRow], method: str, each: int = 2) -> list[Choice]:
    """Choose the slices with the lowest, the median and the highest PSNR of a method."""
    mine = [row for row in rows if row.method == method and math.isfinite(row.psnr)]
    ordered = sorted(mine, key=lambda row: (row.psnr, row.key, row.index))
    if len(ordered) <= 2 * each:
        return [Choice(row.key, row.index, "") for row in ordered]
    named = [(row, "among the worst") for row in ordered[:each]]
    named += [(ordered[len(ordered) // 2], "median")] if len(ordered) > 2 * each else []
    named += [(row, "among the best") for row in ordered[-each:]]
    return [Choice(row.key, row.index, why) for row, why in named]


def pictures_of(
    lr: NDArray[np.float32], dl: NDArray[np.float32], hr: NDArray[np.float32], label: str
) -> tuple[tuple[Picture, ...], float]:
    """Draw LR | DL | HR | HR - LR | HR - DL, all (H, W), and give the limit of the residuals."""
    black, white = float(min(hr.min(), 0)), float(np.percentile(hr, WHITE_POINT))
    limit = float(np.percentile(np.abs(hr - lr), RESIDUAL_PERCENTILE))
    images = [Picture(name, grey_png(image, black, white)) for name, image in (("LR", lr), (label, dl), ("HR", hr))]
    images += [Picture(f"HR − {name}", residual_png(hr - image, limit)) for name, image in (("LR", lr), (label, dl))]
    return tuple(images), limit


def grey_png(image: NDArray[np.float32], black: float, white: float) -> str:
    """Draw an image in grey levels from black to white."""
    span = white - black if white > black else 1.0
    levels = np.clip((image - black) / span, 0, 1) * 255
    return _png(levels.round().astype(np.uint8))


def residual_png(residual: NDArray[np.float32], limit: float) -> str:
    """Draw a residual from blue (-limit) over white (0) to red (+limit)."""
    scaled = np.clip(residual / (limit if limit > 0 else 1.0), -1, 1)
    return _png((scaled * 127 + 127).round().astype(np.uint8), _palette())


def _palette() -> list[int]:
    """255 colours, white in the middle; the last one of 256 isn't used."""
    part = (np.arange(255) - 127) / 127
    towards = np.where(part[:, None] < 0, COLD, WARM)
    colours = 255 + np.abs(part)[:, None] * (towards - 255)
    return [int(value) for value in np.append(colours.round().astype(int).ravel(), (255, 255, 255))]


def _png(values: NDArray[np.uint8], palette: Sequence[int] | None = None) -> str:
    from PIL import Image

    picture = Image.fromarray(values)
    if palette is not None:
        picture.putpalette(list(palette))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
