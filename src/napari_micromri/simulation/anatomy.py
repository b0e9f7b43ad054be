"""The organs of a digital mouse's trunk, different for each animal.

Sizes and places are those of an adult mouse, roughly, with random variation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.simulation.growth import at, grow_blob, grow_tree, grow_tube, smooth_path, tour_of
from napari_micromri.simulation.shapes import Blob, Part, Tissue, Tube

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Image = NDArray[np.float32]


def organs(rng: np.random.Generator, tissues: dict[str, Tissue]) -> list[Part]:
    """List the organs in the order in which they are painted; regions ``thorax`` and ``abdomen`` exist by then."""
    groups = (_chest, _liver, _stomach_and_spleen, _bowel, _pelvis, _kidneys, _great_vessels, _spine, _ribs)
    return [part for group in groups for part in group(rng, tissues)]


def spine_path(s: NDArray[np.float64], lordosis: float, sway: float) -> Image:
    """Positions (n, 3) of the middle of the vertebrae at the given places from head to tail."""
    a = -4.9 + lordosis * (s / 15) ** 2
    return np.stack([a, s, sway * np.sin(s / 7)], axis=1).astype(np.float32)


def _chest(rng: np.random.Generator, t: dict[str, Tissue]) -> Iterator[Part]:
    for side in (-1, 1):
        for heading in ((-0.4, 1, 0.8), (0.2, -1, 0.7), (0.5, 0.6, 1), (-0.7, 0, 0.7)):
            towards = at(heading[0], heading[1], heading[2] * side)
            vessel = grow_tree(rng, at(-1.0, -9.5, 1.3 * side), towards, 2.6, 0.4, 6)
            yield Part(vessel, t["vein"]._replace(signal=0.5 * t["vein"].signal), within="thorax")
    yield Part(grow_tube(np.array([[-2.2, -16, 0], [-2.4, -8, 0.5], [-1.5, 0, 1]]), 0.8), t["muscle"], within="thorax")
    thymus = grow_blob(rng, (2.6, -14.2, 0.2), (2.2, 2.4, 2.6), wobble=0.08)
    yield Part(thymus, t["thymus"], t["fat"], 0.2, within="thorax")
    for side in (-1, 1):
        yield Part(grow_blob(rng, (-7.0, -14.5, 2.0 * side), (0.9, 3.0, 2.2)), t["brown_fat"], t["fat"], 0.15)
    yield from _heart(rng, t)
    for side in (-1, 1):
        path = np.array([[-0.6, -16, 0], [-0.8, -12.5, 0], [-0.9, -10.5, 0.7 * side], [-1, -8, 2.6 * side]])
        yield Part(grow_tube(path, 0.55, 0.5, 0.35), t["air"], t["gut_wall"], 0.18, within="thorax")


def _heart(rng: np.random.Generator, t: dict[str, Tissue]) -> Iterator[Part]:
    centre = np.array([1.9, -8.6, 0.9]) + rng.normal(0, 0.3, 3)
    yield Part(
        grow_blob(rng, tuple(centre), (3.5, 4.3, 3.6), turn=0.2),
        t["heart"],
        t["fat"],
        0.15,
        within="thorax",
        region="heart",
    )
    left = grow_blob(rng, (centre[0] + 0.2, centre[1] + 0.2, centre[2] + 0.6), (1.3, 2.4, 1.3), wobble=0.1)
    right = grow_blob(rng, (centre[0] + 1.1, centre[1] - 0.5, centre[2] - 2.0), (1.7, 2.2, 0.8), turn=0.1, wobble=0.1)
    for chamber in (left, right):
        yield Part(chamber, t["blood"], within="heart")
    for side in (-1, 1):
        atrium = grow_blob(rng, (centre[0] - 0.8, centre[1] - 4.2, centre[2] + 1.6 * side), (1.2, 1.2, 1.2), wobble=0.1)
        yield Part(atrium, t["blood"], t["heart"], 0.3, within="thorax")


def _liver(rng: np.random.Generator, t: dict[str, Tissue]) -> Iterator[Part]:
    bulk = grow_blob(rng, (0.8, -2.2, 0.0), (8.8, 6.0, 10.5), turn=0.08, wobble=0.05)
    yield Part(bulk, t["liver"], t["mesentery"], 0.1, within="abdomen", region="liver")
    lobes = (
        ((-2.4, 3.4, -5.2), (3.0, 3.4, 3.8)),
        ((0.8, 1.4, -5.0), (4.6, 3.8, 4.8)),
        ((2.4, 1.0, 4.6), (4.6, 3.6, 4.6)),
        ((4.0, 2.0, 0.6), (3.6, 3.0, 4.0)),
    )
    for centre, radii in lobes:
        lobe = grow_blob(rng, centre, radii, wobble=0.1)
        yield Part(lobe, t["liver"], t["mesentery"], 0.07, within="abdomen", region="liver")
    for _ in range(5):
        for kind, s in (("vein", 1.8), ("blood", -1.5)):
            vessel = grow_tree(rng, at(-0.6, s, -0.6), rng.normal(0, 1, 3).astype(np.float32), 3.0, 0.42, 6)
            yield Part(vessel, t[kind], within="liver")
    yield Part(grow_blob(rng, (4.2, 3.0, -0.6), (1.2, 1.4, 0.9)), t["fluid"], t["gut_wall"], 0.15, within="abdomen")


def _stomach_and_spleen(rng: np.random.Generator, t: dict[str, Tissue]) -> Iterator[Part]:
    stomach = grow_blob(rng, (-0.4, 4.4, 5.0), (3.4, 2.6, 4.0), wobble=0.06)
    yield Part(stomach, t["food"], t["gut_wall"], 0.4, within="abdomen", region="stomach")
    for _ in range(25):
        offset = rng.normal(0, 0.45, 3) * stomach.radii
        crumb = Blob((stomach.centre + offset).astype(np.float32), rng.uniform(0.2, 0.7, 3).astype(np.float32))
        yield Part(crumb, Tissue(float(rng.uniform(0.06, 0.45)), 0.2), within="stomach")
    path = np.array([[-3.6, 3.2, 7.4], [-1.4, 5.0, 8.9], [0.8, 7.2, 9.2], [2.2, 9.0, 8.6]])
    yield Part(
        grow_tube(path + rng.normal(0, 0.3, path.shape), 0.7, 1.2, 1.3, 0.8),
        t["spleen"],
        t["fat"],
        0.12,
        within="abdomen",
    )
    pancreas = np.array([[0.5, 6.6, 6.0], [0.8, 6.9, 2.5], [0.4, 6.2, -1.0]]) + rng.normal(0, 0.4, (3, 3))
    yield Part(grow_tube(pancreas, 0.8, 1.0, 0.7), t["thymus"]._replace(grain=0.25), within="abdomen")


def _bowel(rng: np.random.Generator, t: dict[str, Tissue]) -> Iterator[Part]:
    for _ in range(4):
        strand = grow_tree(rng, at(0.5, 6.5, 0), at(1.0, *rng.normal(0.8, 1.2, 2)), 2.6, 0.2, 6)
        yield Part(strand, t["blood"], within="abdomen")
    path = smooth_path(tour_of(rng, np.array([2.6, 10.2, 0.0]), np.array([5.4, 6.0, 9.0]), 2.35), 0.3)
    cuts = np.cumsum(rng.integers(8, 20, len(path) // 8))
    for piece in np.split(path, cuts[cuts < len(path) - 3]):
        content = Tissue(
            float(rng.choice((rng.uniform(0.12, 0.3), rng.uniform(0.3, 0.62)))), float(rng.uniform(0.05, 0.3))
        )
        radius = rng.uniform(0.95, 1.5)
        swell = radius * (1 - 0.25 * np.cos(np.linspace(0, 2 * np.pi, len(piece))))
        yield Part(Tube(piece, swell.astype(np.float32)), content, t["gut_wall"], 0.28, within="abdomen")
    caecum = grow_blob(rng, (4.0, 8.8, -4.6), (2.6, 3.0, 3.2), wobble=0.1)
    yield Part(caecum, Tissue(float(rng.uniform(0.2, 0.4)), 0.35), t["gut_wall"], 0.25, within="abdomen")
    colon = np.array([[1.6, 8.0, -3.5], [0.8, 6.8, 0.5], [0.2, 9.0, 2.0], [-1.2, 12, 0.6], [-1.6, 16, 0.0]])
    yield Part(grow_tube(colon, 0.95), t["mesentery"], t["gut_wall"], 0.25, within="abdomen", region="colon")
    for point in smooth_path(colon, 2.6)[1:]:
        pellet = Blob(point, at(0.6, 1.0, 0.6), power=2.5)
        yield Part(pellet, Tissue(float(rng.uniform(0.05, 0.15)), 0.3), within="abdomen")


def _pelvis(rng: np.random.Generator, t: dict[str, Tissue]) -> Iterator[Part]:
    for side in (-1, 1):
        coil = tour_of(rng, np.array([2.6, 13.2, 3.4 * side]), np.array([1.6, 2.0, 1.8]), 1.4)
        yield Part(grow_tube(coil, 0.6, 0.9, 0.5), t["gland"], t["gut_wall"], 0.15, within="abdomen")
    size = float(rng.uniform(1.5, 2.6))
    yield Part(
        grow_blob(rng, (4.4, 13.4, 0.0), (size, size * 0.9, size * 1.1)),
        t["urine"],
        t["gut_wall"],
        0.3,
        within="abdomen",
    )


def _kidneys(rng: np.random.Generator, t: dict[str, Tissue]) -> Iterator[Part]:
    for side, s in ((-1, 5.4), (1, 7.4)):
        centre = np.array([-2.9, s, 4.7 * side]) + rng.normal(0, 0.25, 3)
        kidney = grow_blob(rng, tuple(centre), (2.7, 4.6, 2.6), turn=0.1, wobble=0.02)
        name = f"kidney {side}"
        yield Part(kidney, t["cortex"], t["fat"], 0.18, within="abdomen", region=name)
        inner = replace(kidney, radii=kidney.radii * np.float32(0.68), wobble=0.06)
        yield Part(inner, t["medulla"], within=name, region=f"{name} inner")
        for turn in np.linspace(0, 2 * np.pi, 9)[:-1]:
            out = inner.centre + at(np.sin(turn) * 1.9, np.cos(turn) * 3.2, 0)
            ray = grow_tube(np.stack([inner.centre, (inner.centre + out) / 2, out]), 0.12, 0.2)
            yield Part(ray, t["cortex"], within=f"{name} inner")
        papilla = replace(kidney, radii=kidney.radii * np.float32(0.34))
        yield Part(papilla, t["pelvis"]._replace(signal=0.85 * t["pelvis"].signal), within=name)
        hilum = centre + np.array([0.2, 0.3, -2.3 * side])
        yield Part(grow_blob(rng, tuple(hilum), (0.8, 1.0, 1.1), wobble=0.1), t["fat"], within=name)
        inside, outside = hilum + np.array([0, 0, 0.8 * side]), hilum - np.array([0.3, 0, 0.6 * side])
        path = np.stack([inside, outside, np.array([-2.4, s - 0.5, 0.4 * side])])
        yield Part(grow_tube(path, 0.3, 0.35), t["blood"], t["vein"], 0.12)
        yield Part(
            grow_blob(rng, (centre[0] + 0.6, s - 5.2, 2.6 * side), (0.8, 0.9, 0.8)),
            t["cortex"],
            t["fat"],
            0.12,
            within="abdomen",
        )


def _great_vessels(rng: np.random.Generator, t: dict[str, Tissue]) -> Iterator[Part]:
    s = np.linspace(-16, 16, 9)
    sway = rng.normal(0, 0.1, 9)
    yield Part(
        grow_tube(np.stack([np.full(9, -3.0), s, 0.7 + sway], axis=1), 0.6, 0.5), t["blood"], t["gut_wall"], 0.12
    )
    cava = np.stack([np.linspace(-1.2, -2.5, 9), np.linspace(-4, 16, 9), -0.9 + sway], axis=1)
    yield Part(grow_tube(cava, 0.8, 0.7), t["blood"], t["vein"], 0.2)


def _spine(rng: np.random.Generator, t: dict[str, Tissue]) -> Iterator[Part]:
    lordosis, sway = float(rng.normal(0.6, 0.4)), float(rng.normal(0, 0.25))
    along = spine_path(np.linspace(-17, 17, 80), lordosis, sway)
    for side in (-1, 1):
        yield Part(Tube(along + at(-1.0, 0, 2.1 * side), np.full(80, 1.9, np.float32)), t["muscle"], t["fat"], 0.14)
        yield Part(Tube(along + at(-2.2, 0, 0.9 * side), np.full(80, 0.9, np.float32)), t["muscle"], t["fat"], 0.1)
        psoas = along[40:] + at(0.9, 0, 1.8 * side)
        yield Part(Tube(psoas, np.linspace(0.3, 1.6, 40, dtype=np.float32)), t["muscle"], t["fat"], 0.12)
    yield Part(Tube(along + at(-0.9, 0, 0), np.full(80, 1.5, np.float32)), t["bone"])
    pitch = float(rng.uniform(2.5, 2.9))
    places = np.arange(-16.5, 17, pitch)
    for place in spine_path(places, lordosis, sway):
        yield Part(Blob(place, at(1.15, pitch * 0.44, 1.35), power=4), t["marrow"], t["bone"], 0.22)
        spinous = np.stack([place + at(-2.2, 0.2, 0), place + at(-3.4, 1.3, 0)]).astype(np.float64)
        yield Part(grow_tube(spinous, 0.35, 0.25), t["marrow"], t["bone"], 0.18)
    for gap in spine_path(places + pitch / 2, lordosis, sway):
        yield Part(Blob(gap, at(1.05, 0.32, 1.2), power=3), t["bone"])
        yield Part(Blob(gap, at(0.6, 0.24, 0.7)), t["disc"])
    canal = along + at(-1.75, 0, 0)
    yield Part(Tube(canal, np.full(80, 0.98, np.float32)), t["fluid"])
    yield Part(Tube(canal, np.full(80, 0.72, np.float32)), t["cord"])
    yield Part(Tube(canal, np.full(80, 0.3, np.float32)), t["cord"]._replace(signal=1.25 * t["cord"].signal))


def _ribs(rng: np.random.Generator, t: dict[str, Tissue]) -> Iterator[Part]:
    pitch = float(rng.uniform(1.6, 1.9))
    around = np.linspace(0.35, 2.75, 110)
    paths = []
    for n, s in enumerate(np.arange(-17.5, 0.5, pitch)):
        reach = around[: 110 - max(0, n - 7) * 16]
        sweep = s + 2.6 * np.sin(reach * 0.75)
        width, depth = body_half_axes(sweep)
        ring = np.stack([-np.cos(reach) * (depth - 1.5), sweep, np.sin(reach) * (width - 1.5)], axis=1)
        paths += [ring, ring * (1, 1, -1)]
    ribs = np.concatenate(paths).astype(np.float32)
    yield Part(Tube(ribs, np.full(len(ribs), 0.32, np.float32)), t["marrow"], t["bone"], 0.15)
    for s in np.arange(-16.0, -2.0, 2.1):
        _, depth = body_half_axes(np.array(s))
        yield Part(Blob(at(float(depth) - 1.5, s, 0.0), at(0.5, 0.85, 0.7), power=3), t["marrow"], t["bone"], 0.18)


def body_half_axes(s: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Half width and half depth of the trunk in mm at a place from head to tail."""
    width = 11.4 + 1.1 * np.tanh((s + 2) / 6) - 0.5 * np.exp(-(((s - 13) / 4) ** 2))
    depth = 9.2 + 0.5 * np.tanh((s + 4) / 6) - 0.9 * np.exp(-(((s - 16) / 5) ** 2))
    return width, depth
