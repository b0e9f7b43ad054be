"""A scan: a lazy array together with what its file says about it.

Geometry
--------
The array axes are named by letters among ``t b z y x`` (time, diffusion weighting, slice, row, column). The spatial
ones, always in the order ``z y x`` with any subset left out, have a voxel size and an origin in mm. ``origin`` is the
centre of the first voxel *along the array's own axes*: with unit vectors ``d_k`` (the rows of ``direction``, one per
axis, in RAS+ scanner coordinates) and the position ``p`` of the first voxel's centre, ``origin_k = d_k . p``. Two scans
of one field of view at different matrix sizes therefore overlay exactly when each is drawn with its own voxel size and
origin, and nothing is lost: ``p = sum_k origin_k d_k``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_micromri.errors import InputError, ReadError, describe_os_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import dask.array as da
    from numpy.typing import NDArray

    ArrayLike: TypeAlias = "NDArray[Any] | da.Array"

AXES = "tbzyx"
SPATIAL_AXES = "zyx"
PLANES = ("transaxial", "coronal", "sagittal")

Index: TypeAlias = "int | slice | tuple[int | slice, ...]"

Direction: TypeAlias = tuple[tuple[float, float, float], ...]
"""Unit vectors in RAS+ coordinates, one per spatial axis of the array."""


def computed(data: Any, *, here: bool = False) -> NDArray[Any]:
    """Read a lazy array; ``here`` in the calling thread alone, which is one of several that keep the cores busy.

    napari's cache is left out: dask calls it for every computation, and one that ends in one thread makes it forget
    what others have begun, which then fail with a KeyError (dask 2026.8).
    """
    if not hasattr(data, "compute"):
        return np.asarray(data)
    return np.asarray(data.compute(callbacks=(), **({"scheduler": "synchronous"} if here else {})))


@dataclass(frozen=True, kw_only=True)
class ScanInfo:
    """What is known of a scan besides its pixels. Unknown things are None.

    Parameters
    ----------
    name
        Recognisable for a person, e.g. ``"T2_TurboRARE coronal head-thorax"``.
    axes
        One letter per array axis, in order, among ``t b z y x``.
    voxel_size, origin
        In mm, one entry per spatial axis of ``axes``; see the module's text.
    direction
        One RAS+ unit vector per spatial axis, mutually orthogonal.
    b_values
        In s/mm^2, one per index of the ``b`` axis.
    b_directions
        Of the diffusion gradients in RAS+ coordinates, one unit vector per index of the ``b`` axis, zeros for none.
    time_step
        In s, from one volume to the next along the ``t`` axis, or along ``b`` where there is no ``t``.
    repetition_time, echo_time
        In ms.
    date
        When it was acquired, by the scanner's clock: ``2013-11-05T11:59:49``, or without the time.
    quantity
        What its file says that a voxel is: ``magnitude``, ``phase``, ``real part``, ``imaginary part``, ``field map``,
        ``map`` or ``labels``.
    unsized
        Nothing says how large its voxels are, so that the voxel size counts voxels, not mm.
    quadruped
        The header says that the subject is an animal, whose directions are called head and feet.
    provenance
        What was done to make this scan, oldest first; each entry is JSON-like.
    """

    name: str
    axes: str
    voxel_size: tuple[float, ...]
    origin: tuple[float, ...] = ()
    direction: Direction | None = None
    subject: str | None = None
    session: str | None = None
    region: str | None = None
    plane: str | None = None
    protocol: str | None = None
    repetition_time: float | None = None
    echo_time: float | None = None
    averages: int | None = None
    date: str | None = None
    quantity: str | None = None
    quadruped: bool = False
    unsized: bool = False
    b_values: tuple[float, ...] | None = None
    b_directions: tuple[tuple[float, float, float], ...] | None = None
    time_step: float | None = None
    source: str | None = None
    provenance: tuple[Mapping[str, Any], ...] = field(default=())

    def __post_init__(self) -> None:
        if len(set(self.axes)) != len(self.axes) or not set(self.axes) <= set(AXES):
            raise InputError(f"A scan's axes are among {AXES}, each once, not '{self.axes}'.")
        if self.spatial != "".join(a for a in SPATIAL_AXES if a in self.axes):
            raise InputError(f"The spatial axes of a scan stand in the order zyx, not '{self.spatial}'.")
        if not self.origin:
            object.__setattr__(self, "origin", (0.0,) * len(self.spatial))
        for what, values in (("voxel size", self.voxel_size), ("origin", self.origin)):
            if len(values) != len(self.spatial) or not all(map(math.isfinite, values)):
                raise InputError(f"The {what} needs {len(self.spatial)} finite numbers in mm, not {values}.")
        if not all(size > 0 for size in self.voxel_size):
            raise InputError(f"The voxel size is positive in every direction, not {self.voxel_size}.")
        if self.direction is not None:
            self._check_direction(np.asarray(self.direction, dtype=float))

    def _check_direction(self, rows: NDArray[Any]) -> None:
        if rows.shape != (len(self.spatial), 3) or not (abs(rows @ rows.T - np.eye(len(rows))) < 1e-3).all():
            raise InputError("The direction needs one unit vector per spatial axis, at right angles to each other.")

    @property
    def spatial(self) -> str:
        """The spatial letters of ``axes``, in order."""
        return "".join(a for a in self.axes if a in SPATIAL_AXES)

    def size_of(self, axis: str) -> float:
        """Voxel size along a spatial axis, in mm."""
        return self.voxel_size[self.spatial.index(axis)]

    def slice_words(self, index: int, axis: str = "z") -> str:
        """Name a slice for a person by its number, from 0, and the place of its centre: ``6 · z 4.5 mm``."""
        if axis not in self.spatial:
            return str(index)
        return f"{index} · {axis} {self.origin[self.spatial.index(axis)] + index * self.size_of(axis):.4g} mm"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out, guessed or repaired when the scan was opened, in sentences for a person."""
        return tuple(str(text) for step in self.provenance for text in step.get("warnings", ()))

    def with_warnings(self, texts: Iterable[str], source: object = None) -> ScanInfo:
        """Return a copy whose provenance says what the reader of ``source`` left out, guessed or repaired."""
        new = [text for text in dict.fromkeys(texts) if text not in self.warnings]
        where = str(source or self.source)
        return self.with_step({"step": "open", "source": where, "warnings": new}) if new else self

    def resampled(self, factors: Mapping[str, float]) -> ScanInfo:
        """Describe the same field of view with ``factors[axis]`` times as many voxels along each named axis.

        Both grids cover the same extent, so the first centre moves by half the difference of the voxel sizes.
        """
        new_size, new_origin = list(self.voxel_size), list(self.origin)
        for axis, factor in factors.items():
            k = self.spatial.index(axis)
            new_size[k] = self.voxel_size[k] / factor
            new_origin[k] = self.origin[k] - self.voxel_size[k] / 2 + new_size[k] / 2
        return replace(self, voxel_size=tuple(new_size), origin=tuple(new_origin))

    def with_step(self, step: Mapping[str, Any]) -> ScanInfo:
        """Return a copy with one more entry at the end of the provenance."""
        return replace(self, provenance=(*self.provenance, dict(step)))


@dataclass(frozen=True, eq=False)
class Scan:
    """A lazy array and its `ScanInfo`.

    ``data`` is a NumPy or dask array whose dimensions are ``info.axes``; nothing is read before it is asked for.

    Raises
    ------
    InputError
        When the number of dimensions or of b-values doesn't fit the info.
    """

    data: ArrayLike
    info: ScanInfo

    def __post_init__(self) -> None:
        if self.data.ndim != len(self.info.axes):
            raise InputError(f"'{self.info.name}' has {self.data.ndim} dimensions but its axes are '{self.info.axes}'.")
        expected = self.data.shape[self.info.axes.index("b")] if "b" in self.info.axes else 1
        for values, what in ((self.info.b_values, "b-values"), (self.info.b_directions, "diffusion directions")):
            if values is not None and len(values) != expected:
                raise InputError(f"'{self.info.name}' has {expected} diffusion weightings but {len(values)} {what}.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of elements along each axis."""
        return tuple(int(n) for n in self.data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one element."""
        return np.dtype(self.data.dtype)

    @property
    def extent(self) -> tuple[tuple[float, float], ...]:
        """Outer edges in mm of the field of view along each spatial axis."""
        counts = [self.shape[self.info.axes.index(a)] for a in self.info.spatial]
        return tuple(
            (start - size / 2, start - size / 2 + count * size)
            for start, size, count in zip(self.info.origin, self.info.voxel_size, counts, strict=True)
        )

    def read(self, index: Index = (), *, here: bool = False) -> NDArray[Any]:
        """Read the array, or what ``index`` takes of it, into memory; ``here`` in the calling thread alone.

        Raises
        ------
        ReadError
            The operating system refused, or the file is damaged.
        """
        try:
            return computed(self.data[index], here=here)
        except OSError as error:  # else it would pass for an error of the disk that is written to
            raise ReadError(describe_os_error(error, self.info.source or f"'{self.info.name}'")) from error
