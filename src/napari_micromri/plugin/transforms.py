"""Where a napari layer lies: its whole transform, and the grid along the viewer's axes that an image has there.

A layer's ``scale`` and ``translate`` are only a part of it: the Transform tool changes ``affine`` alone, and some
readers leave the voxel size in ``affine``, too. Needs neither Qt nor a viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_micromri.scan import ArrayLike

KEYS = ("scale", "translate", "rotate", "shear", "affine")

TILT = 1e-4
"""How many voxels an axis may lean per voxel and still run along one of the viewer's: 0.03 over a row of 300."""


def data_to_world(attributes: Mapping[str, Any], count: int) -> NDArray[np.float64]:
    """Compose a layer's transform as napari does: scale, shear, rotate, translate, and then ``affine``.

    Parameters
    ----------
    attributes
        A layer's, as its ``as_layer_data_tuple`` gives them; what is missing or None changes nothing.
    count
        Dimensions of the layer's data.

    Returns
    -------
    The (count + 1, count + 1) matrix from indices to the viewer's coordinates, in the layer's units.
    """
    from napari.utils.transforms import Affine, CompositeAffine

    given = {key: attributes[key] for key in KEYS if attributes.get(key) is not None}
    affine = given.pop("affine", np.eye(count + 1))
    parts = {"scale": np.ones(count), "translate": np.zeros(count)} | given
    physical = CompositeAffine(ndim=count, **parts).affine_matrix  # type: ignore[no-untyped-call,unused-ignore]
    matrix = np.asarray(getattr(affine, "affine_matrix", affine), dtype=np.float64)
    world = Affine(affine_matrix=matrix, ndim=count).affine_matrix  # type: ignore[no-untyped-call,unused-ignore]
    return np.asarray(world @ physical, dtype=np.float64)


def layer_to_world(layer: Any) -> NDArray[np.float64]:
    """Give the transform of a layer as `data_to_world` does, without copying its data."""
    return data_to_world({key: getattr(layer, key) for key in KEYS}, layer.ndim)


@dataclass(frozen=True)
class Alignment:
    """How the axes of an array lie along those of the viewer: one entry per axis of the viewer.

    Parameters
    ----------
    source
        The array's axis that runs along it.
    step
        Distance from one element to the next; negative where the array runs backwards.
    start
        Position of the array's first element.
    """

    source: tuple[int, ...]
    step: tuple[float, ...]
    start: tuple[float, ...]

    @classmethod
    def of(cls, matrix: NDArray[np.float64]) -> Alignment | None:
        """Read a transform; None when an axis runs along none of the viewer's."""
        linear = matrix[:-1, :-1]
        size = np.abs(linear)
        source = size.argmax(axis=1)
        rows = np.arange(len(linear))
        largest = size[rows, source]
        rest = size.copy()
        rest[rows, source] = 0
        if len(set(source.tolist())) < len(rows) or not (largest > 0).all():
            return None
        if (rest > TILT * largest[:, None]).any():
            return None
        steps = linear[rows, source]
        return cls(tuple(map(int, source)), tuple(map(float, steps)), tuple(map(float, matrix[:-1, -1])))

    @property
    def moved(self) -> tuple[int, ...]:
        """The viewer's axes along which another axis of the array runs, or its own backwards."""
        return tuple(
            k for k, (axis, step) in enumerate(zip(self.source, self.step, strict=True)) if axis != k or step < 0
        )

    def arrange(self, array: ArrayLike) -> ArrayLike:
        """Transpose and flip an array, reading nothing, so that its axes are the viewer's and run forwards."""
        if not self.moved:
            return array
        turned: ArrayLike = array.transpose(self.source)
        return turned[tuple(slice(None, None, -1 if step < 0 else 1) for step in self.step)]

    def placed(self, shape: Sequence[int]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Give scale and translate of an array of this shape that was arranged."""
        first = tuple(
            start + min(0.0, step) * (count - 1)
            for start, step, count in zip(self.start, self.step, shape, strict=True)
        )
        return tuple(map(abs, self.step)), first
