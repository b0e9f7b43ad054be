"""A digital mouse: the trunk of an animal as a T2-weighted scan would show it, another one for each seed.

The organs come from `anatomy`; this module draws the body around them, the texture within the tissues and the coil.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_micromri.errors import InputError
from napari_micromri.simulation.anatomy import body_half_axes, organs
from napari_micromri.simulation.resampling import upsample
from napari_micromri.simulation.shapes import PLANE_AXES, Canvas, Part, Slice, Tissue
from napari_micromri.simulation.tissues import make_tissues

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]

SLICES, SIZE = 30, 300
SLICE_THICKNESS, PIXEL = 0.6, 0.1
FIELD_OF_VIEW = 30.0

LATTICE = 20
"""Points per axis of the coarse texture, over the field of view."""


@dataclass(frozen=True)
class Mouse:
    """One animal: its tissues and organs, and the random fields that shape its outline and texture."""

    tissues: dict[str, Tissue]
    parts: list[Part]
    size: float
    dome: float
    fat: tuple[float, float, float]
    outline: tuple[float, ...]
    lattice: Image
    coil: Image

    @classmethod
    def born(cls, rng: np.random.Generator) -> Mouse:
        """Make an animal that differs from every other."""
        tissues = make_tissues(rng)
        return cls(
            tissues=tissues,
            parts=organs(rng, tissues),
            size=float(rng.normal(1, 0.025)),
            dome=float(rng.uniform(-5.5, -4.0)),
            fat=(float(rng.uniform(0.3, 0.65)), *rng.uniform(0, 2 * np.pi, 2).tolist()),
            outline=tuple(rng.uniform(0, 2 * np.pi, 3).tolist()),
            lattice=rng.standard_normal((LATTICE,) * 3).astype(np.float32),
            coil=rng.normal(0, 0.006, 3).astype(np.float32),
        )


def digital_mouse_volume(seed: int = 0, plane: str = "coronal") -> NDArray[np.float32]:
    """Draw the trunk of a mouse without noise.

    Parameters
    ----------
    seed
        Each seed is another animal; the planes of one seed show the same one.
    plane
        ``"coronal"`` (slices from the back to the belly, rows from head to tail), ``"transaxial"`` (slices from head
        to tail, rows from the back to the belly) or ``"sagittal"``.

    Returns
    -------
    (30, 300, 300), axes z y x, voxels 0.6 x 0.1 x 0.1 mm, intensities in 0..1.

    Raises
    ------
    InputError
        No such plane.
    """
    if plane not in PLANE_AXES:
        raise InputError(f"The digital mouse has the planes {', '.join(PLANE_AXES)}, not '{plane}'.")
    mouse = Mouse.born(np.random.default_rng([seed, 0x3005E]))
    volume = np.empty((SLICES, SIZE, SIZE), dtype=np.float32)
    for k in range(SLICES):
        position = (k - (SLICES - 1) / 2) * SLICE_THICKNESS
        where = Slice.through(plane, position, (SIZE, SIZE), PIXEL)
        volume[k] = draw(mouse, where, np.random.default_rng([seed, PLANE_AXES[plane][0], k]))
    return volume


def digital_mouse_slice(rng: np.random.Generator, size: int = 256) -> NDArray[np.float32]:
    """Draw one slice (size, size) of a new animal, in a random plane, place and scale; intensities in 0..1."""
    plane = str(rng.choice(list(PLANE_AXES)))
    where = Slice.through(plane, float(rng.uniform(-7.5, 7.5)), (size, size), float(rng.uniform(0.9, 1.2)) * 30 / size)
    return draw(Mouse.born(rng), where, rng)


def draw(mouse: Mouse, where: Slice, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw one slice of an animal; ``rng`` makes the fine texture, which has no memory from slice to slice."""
    canvas = Canvas(where)
    _draw_body(canvas, mouse)
    for part in mouse.parts:
        canvas.paint(part)
    image = canvas.layers[0] * (1 + _texture(canvas, mouse, rng))
    drawn: Image = np.clip(image * _coil(where, mouse), 0, None).astype(np.float32)
    return drawn


def _draw_body(canvas: Canvas, mouse: Mouse) -> None:
    """Fill the outline with skin, fat, muscle and the two cavities, which become the regions of the organs."""
    a, s, l = canvas.where.points  # noqa: E741  # the axis is called so
    width, depth = (mouse.size * half for half in body_half_axes(s))
    rho = ((np.abs(l) / width) ** 2.2 + (np.abs(a) / depth) ** 2.2) ** (1 / 2.2) + np.float32(1e-6)
    inside = (np.hypot(a, l) + np.float32(1e-3)) * (1 / rho - 1) + _unevenness(mouse, a, s, l)
    canvas.fill(canvas.soft(inside), mouse.tissues["skin"])
    fat = 0.35 + _fat_thickness(mouse, a, s, l)
    canvas.fill(canvas.soft(inside - 0.35), mouse.tissues["fat"])
    canvas.fill(canvas.soft(inside - fat), mouse.tissues["muscle"])
    wall = fat + 0.75 - 0.4 * np.tanh(s / 3) + 0.5 * np.exp(-(((a + 9) / 4) ** 2))
    cavity = canvas.soft(inside - wall)
    behind = s - (mouse.dome + 6.0 * np.minimum(rho, 1) ** 2)
    for name, beyond, tissue in (("thorax", -behind, "lung"), ("abdomen", behind, "mesentery")):
        canvas.regions[name] = cavity * canvas.soft(beyond - 0.15)
        canvas.fill(canvas.regions[name], mouse.tissues[tissue])


def _unevenness(mouse: Mouse, a: Image, s: Image, l: Image) -> Image:  # noqa: E741
    """How far in mm the skin stands out from the plain outline: no animal is symmetric, nor lies quite straight."""
    angle, (first, second, third) = np.arctan2(l, a), mouse.outline
    bend = 0.45 * np.sin(0.22 * s + first) * np.sin(angle)
    waves = 0.10 * np.sin(0.7 * s + 3 * angle + second) + 0.05 * np.sin(1.7 * s - 2 * angle + third)
    return np.asarray(bend + waves, dtype=np.float32)


def _fat_thickness(mouse: Mouse, a: Image, s: Image, l: Image) -> Image:  # noqa: E741
    """Thickness of the fat under the skin in mm: uneven, and more of it at the flanks towards the hind legs."""
    mean, first, second = mouse.fat
    angle = np.arctan2(l, a)
    waves = 1 + 0.4 * np.sin(2 * angle + first) + 0.3 * np.sin(0.7 * s + second) + 0.2 * np.sin(5 * angle + 1.1 * s)
    flank = 0.9 * np.exp(-(((s - 12) / 4) ** 2)) * np.sin(angle) ** 2
    return np.asarray(np.maximum(mean * (waves + flank), 0.12), dtype=np.float32)


def _texture(canvas: Canvas, mouse: Mouse, rng: np.random.Generator) -> Image:
    where = canvas.where
    fine = _noise(rng, where.shape, (0.9, 0.9))
    place = (where.position / FIELD_OF_VIEW + 0.5) * LATTICE - 0.5
    below = int(np.clip(np.floor(place), 0, LATTICE - 2))
    planes = np.moveaxis(mouse.lattice, where.fixed, 0)[below : below + 2]
    planes = planes if where.down < where.right else planes.swapaxes(1, 2)
    coarse = upsample(planes[0] * (below + 1 - place) + planes[1] * (place - below), where.shape, "bicubic")
    # Muscle fibres run along the body, so across a transaxial slice they are seen end on.
    fibres = _noise(rng, where.shape, (1.0, 1.0) if where.fixed == 1 else (5.0, 0.7))
    _, grain, fibre = canvas.layers
    return grain * (np.float32(0.7) * fine + np.float32(0.7) * coarse) + fibre * fibres


def _noise(rng: np.random.Generator, shape: tuple[int, int], widths: tuple[float, float]) -> Image:
    field = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), widths)
    return np.asarray(field / field.std(), dtype=np.float32)


def _coil(where: Slice, mouse: Mouse) -> Image:
    slope = sum(c * x for c, x in zip(mouse.coil, where.points, strict=True))
    distance = sum(x**2 for x in where.points)
    return np.asarray(np.exp(slope - np.float32(8e-4) * distance), dtype=np.float32)
