"""Pictures that compare a fast, a denoised and a reference slice, drawn with Pillow (which scikit-image brings)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.io.atomic import atomic_output

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

GAP = 8
CAPTION = 26
RED, BLUE = (178, 24, 43), (33, 102, 172)


@dataclass(frozen=True)
class Comparison:
    """Three images of one slice on one grid, (rows, columns), in one unit."""

    title: str
    fast: NDArray[np.float32]
    denoised: NDArray[np.float32]
    reference: NDArray[np.float32]


def write_picture(comparison: Comparison, path: Path) -> Path:
    """Write fast | denoised | reference | reference - fast | reference - denoised as one PNG.

    The images share one grey scale and the residuals one symmetric colour scale, named in the captions.
    """
    low, high = np.percentile(comparison.reference, (0.5, 99.5))
    residuals = [comparison.reference - image for image in (comparison.fast, comparison.denoised)]
    # Two digits are enough for a scale, and read well under a picture.
    limit = float(f"{np.percentile(np.abs(residuals[0]), 99.5):.2g}") or 1.0
    panels = [
        (f"LR (sinc), {comparison.title}", grey(comparison.fast, low, high)),
        ("denoised", grey(comparison.denoised, low, high)),
        ("reference", grey(comparison.reference, low, high)),
        (f"reference - LR, ±{limit:g}", diverging(residuals[0], limit)),
        (f"reference - denoised, ±{limit:g}", diverging(residuals[1], limit)),
    ]
    with atomic_output(path, overwrite=True) as temporary:
        join(panels).save(temporary)
    return path


def grey(image: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """Map values to (rows, columns, 3) greys: ``low`` black, ``high`` white."""
    level = 255 * np.clip((image - low) / max(high - low, 1e-12), 0, 1)
    return np.repeat(level.round().astype(np.uint8)[..., None], 3, axis=-1)


def diverging(residual: NDArray[np.float32], limit: float) -> NDArray[np.uint8]:
    """Map values to (rows, columns, 3) colours: blue at ``-limit``, white at 0, red at ``limit``."""
    part = np.clip(residual / limit, -1, 1)[..., None]
    colour = np.where(part > 0, np.array(RED, dtype=float), np.array(BLUE, dtype=float))
    mixed: NDArray[np.uint8] = (255 + (colour - 255) * np.abs(part)).round().astype(np.uint8)
    return mixed


def join(panels: list[tuple[str, NDArray[np.uint8]]]) -> Image.Image:
    """Set panels of one size side by side, each under its caption."""
    from PIL import Image, ImageDraw, ImageFont

    rows, columns = panels[0][1].shape[:2]
    picture = Image.new("RGB", (len(panels) * (columns + GAP) - GAP, rows + CAPTION), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    for k, (caption, panel) in enumerate(panels):
        left = k * (columns + GAP)
        draw.text((left + 2, 4), caption, "black", font)
        picture.paste(Image.fromarray(panel), (left, CAPTION))
    return picture
