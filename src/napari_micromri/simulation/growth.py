"""How organs grow: blobs with variation, smooth tubes, forking vessels, and the winding way of the bowel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.simulation.shapes import Blob, Tube

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]


def at(*position: float) -> Image:
    """Give a place (a, s, l) in mm."""
    return np.array(position, dtype=np.float32)


def grow_blob(
    rng: np.random.Generator,
    centre: tuple[float, ...],
    radii: tuple[float, ...],
    *,
    turn: float = 0.25,
    wobble: float = 0.04,
) -> Blob:
    """Place an ellipsoid with some variation of place, size and tilt."""
    frame, _ = np.linalg.qr(np.eye(3) + rng.normal(0, turn, (3, 3)))
    # QR may flip axes, which an ellipsoid doesn't notice.
    return Blob(
        (np.array(centre) + rng.normal(0, 0.25, 3)).astype(np.float32),
        (np.array(radii) * rng.normal(1, 0.06, 3)).astype(np.float32),
        frame.T.astype(np.float32),
        wobble=wobble,
        phase=float(rng.uniform(0, 6.3)),
    )


def smooth_path(corners: NDArray[np.float64], spacing: float = 0.3) -> Image:
    """Lead a smooth path through the corners (n, 3), a point every ``spacing`` mm or so."""
    from scipy.interpolate import make_interp_spline

    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1) + 1e-3)])
    curve = make_interp_spline(along, corners, k=min(3, len(corners) - 1))
    path: Image = curve(np.linspace(0, along[-1], max(2, int(along[-1] / spacing) + 1))).astype(np.float32)
    return path


def grow_tube(corners: NDArray[np.float64], *radii: float, spacing: float = 0.3) -> Tube:
    """Make a tube through the corners whose radius runs through the given ones."""
    path = smooth_path(corners, spacing)
    along = np.interp(np.linspace(0, 1, len(path)), np.linspace(0, 1, len(radii)), radii)
    return Tube(path, along.astype(np.float32))


def grow_tree(
    rng: np.random.Generator, start: Image, towards: Image, length: float, radius: float, generations: int
) -> Tube:
    """Grow a vessel that forks; each branch is thinner and shorter than the one it comes from."""
    paths, radii = [], []
    begin, direction, reach = start[None, :], towards[None, :] / np.linalg.norm(towards), np.array([length])
    for _ in range(generations):
        # All branches of a generation at once: (branches, points along, 3).
        along = np.linspace(0, 1, max(2, int(reach.max() / max(0.15, radius / 2))))[:, None]
        bend = rng.normal(0, 0.25, direction.shape) * reach[:, None]
        grown = begin[:, None] + (direction * reach[:, None])[:, None] * along + bend[:, None] * (along * (1 - along))
        paths.append(grown.reshape(-1, 3))
        radii.append(np.tile(radius * (1 - 0.22 * along[:, 0]), len(begin)))
        begin, direction = np.repeat(grown[:, -1], 2, axis=0), np.repeat(direction, 2, axis=0)
        direction = direction + rng.normal(0, 0.5, direction.shape)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        reach, radius = np.repeat(reach, 2) * rng.uniform(0.68, 0.92, len(begin)), 0.76 * radius
    return Tube(np.concatenate(paths).astype(np.float32), np.concatenate(radii).astype(np.float32))


def tour_of(
    rng: np.random.Generator, centre: NDArray[np.float64], radii: NDArray[np.float64], spacing: float
) -> NDArray[np.float64]:
    """Visit points spread over an ellipsoid, each time the nearest that is left."""
    lines = [np.arange(-r, r + spacing, spacing) for r in radii]
    grid = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid + rng.normal(0, 0.22 * spacing, grid.shape)
    left = grid[((grid / radii) ** 2).sum(axis=1) < 1]
    tour = [left[rng.integers(len(left))]]
    free = np.ones(len(left), dtype=bool)
    while free.any():
        distance = ((left - tour[-1]) ** 2).sum(axis=1)
        nearest = int(np.argmin(np.where(free, distance, np.inf)))
        free[nearest] = False
        tour.append(left[nearest])
    return np.array(tour[1:]) + centre
