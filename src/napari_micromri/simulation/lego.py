"""A phantom of toy bricks in a tube of water: sharp edges, thin walls and regular structures, unlike any animal.

Two hollow bricks stand on each other in a round tube, their height along the slices. Plastic gives no signal, so the
bricks are dark: walls, inner tubes and studs in the dimensions of the toy, in mm. Water fills every hollow, but for a
few air bubbles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLICES, SIZE = 30, 300
SLICE_THICKNESS, PIXEL = 0.6, 0.1

PITCH, GAP = 8.0, 0.1
WALL, ROOF = 1.5, 1.0
STUD_RADIUS, STUD_HEIGHT = 2.4, 1.7
TUBE_OUTER, TUBE_INNER = 6.51 / 2, 4.8 / 2
BRICK_HEIGHT = 9.6

VIAL_INNER, VIAL_OUTER = 14.3, 14.75
WATER, PLASTIC, AIR = 1.0, 0.02, 0.0

SUPERSAMPLING = 2
PLANES_PER_SLICE = 2


@dataclass(frozen=True)
class _Brick:
    """A brick of ``studs`` (rows, columns), its underside at ``bottom`` mm, turned by ``angle`` about ``centre``."""

    studs: tuple[int, int]
    bottom: float
    centre: tuple[float, float]
    angle: float

    def plastic(self, z: float, y: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Where a plane at height z cuts plastic."""
        height = z - self.bottom
        u, v = self._own(y, x)
        half = [n * PITCH / 2 - GAP for n in self.studs]
        outside = np.maximum(np.abs(u) - half[0], np.abs(v) - half[1])
        if 0 <= height < BRICK_HEIGHT - ROOF:
            return ((outside < 0) & (outside > -WALL)) | self._tubes(u, v)
        if height < BRICK_HEIGHT:
            roof: NDArray[np.bool_] = (outside < 0) & (height >= 0)
            return roof
        if height < BRICK_HEIGHT + STUD_HEIGHT:
            return _rings(u, v, self._centres(self.studs), STUD_RADIUS, 0.0)
        return np.zeros(np.broadcast_shapes(y.shape, x.shape), dtype=bool)

    def _own(self, y: NDArray[np.float32], x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        dy, dx = y - self.centre[0], x - self.centre[1]
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        return cos * dy + sin * dx, cos * dx - sin * dy

    def _tubes(self, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.bool_]:
        between = (self.studs[0] - 1, self.studs[1] - 1)
        return _rings(u, v, self._centres(between), TUBE_OUTER, TUBE_INNER)

    @staticmethod
    def _centres(counts: tuple[int, int]) -> list[tuple[float, float]]:
        rows, columns = ((np.arange(n) - (n - 1) / 2) * PITCH for n in counts)
        return [(float(r), float(c)) for r in rows for c in columns]


def lego_volume(seed: int = 0) -> NDArray[np.float32]:
    """Draw the phantom without noise.

    Returns
    -------
    (30, 300, 300), axes z y x, voxels 0.6 x 0.1 x 0.1 mm, intensities in 0..1.
    """
    rng = np.random.default_rng([seed, 0x1E60])
    bricks, bubbles = _bricks(rng), _bubbles(rng)
    fine = SIZE * SUPERSAMPLING
    line = (((np.arange(fine) + 0.5) / SUPERSAMPLING - SIZE / 2) * PIXEL).astype(np.float32)
    y, x = line[:, None], line[None, :]
    volume = np.empty((SLICES, SIZE, SIZE), dtype=np.float32)
    for k in range(SLICES):
        planes = [(k + (i + 0.5) / PLANES_PER_SLICE) * SLICE_THICKNESS for i in range(PLANES_PER_SLICE)]
        drawn = np.mean([_plane(z, y, x, bricks, bubbles) for z in planes], axis=0)
        volume[k] = drawn.reshape(SIZE, SUPERSAMPLING, SIZE, SUPERSAMPLING).mean(axis=(1, 3))
    return volume * _coil(rng)


def _bricks(rng: np.random.Generator) -> list[_Brick]:
    angle = float(rng.uniform(0, np.pi))
    lower = _Brick((2, 3), 0.9, (0.0, 0.0), angle)
    # The upper brick sits on the studs of the lower one, moved along its length by half a stud's pitch.
    shift = float(rng.choice((-1, 1))) * PITCH / 2
    centre = (-float(np.sin(angle)) * shift, float(np.cos(angle)) * shift)
    return [lower, _Brick((2, 2), lower.bottom + BRICK_HEIGHT, centre, angle)]


def _bubbles(rng: np.random.Generator) -> NDArray[np.float64]:
    """Place air bubbles, one row (z, y, x, radius) each."""
    count = int(rng.integers(3, 8))
    turn, distance = rng.uniform(0, 2 * np.pi, count), rng.uniform(10, 14, count)
    z, radius = rng.uniform(0, SLICES * SLICE_THICKNESS, count), rng.uniform(0.3, 0.9, count)
    return np.column_stack([z, distance * np.sin(turn), distance * np.cos(turn), radius])


def _plane(
    z: float, y: NDArray[np.float32], x: NDArray[np.float32], bricks: list[_Brick], bubbles: NDArray[np.float64]
) -> NDArray[np.float32]:
    square = y**2 + x**2
    image = np.where(square < VIAL_OUTER**2, np.float32(PLASTIC), np.float32(AIR))
    image[square < VIAL_INNER**2] = WATER
    for brick in bricks:
        image[brick.plastic(z, y, x)] = PLASTIC
    for bubble_z, bubble_y, bubble_x, radius in bubbles:
        if abs(z - bubble_z) < radius:
            image[(y - bubble_y) ** 2 + (x - bubble_x) ** 2 < radius**2 - (z - bubble_z) ** 2] = AIR
    return image


def _rings(
    u: NDArray[np.float32], v: NDArray[np.float32], centres: list[tuple[float, float]], outer: float, inner: float
) -> NDArray[np.bool_]:
    mask = np.zeros(u.shape, dtype=bool)
    for row, column in centres:
        square = (u - row) ** 2 + (v - column) ** 2
        mask |= (square < outer**2) & (square >= inner**2)
    return mask


def _coil(rng: np.random.Generator) -> NDArray[np.float32]:
    """Sensitivity of the coil: a smooth fall of some percent towards the edge, a little off centre."""
    line = np.linspace(-1, 1, SIZE, dtype=np.float32)
    off = rng.uniform(-0.2, 0.2, 2).astype(np.float32)
    field = 1 - 0.08 * ((line[:, None] - off[0]) ** 2 + (line[None, :] - off[1]) ** 2)
    return np.asarray(field / field.max(), dtype=np.float32)
