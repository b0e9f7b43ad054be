"""Where a napari layer lies: its whole transform.

A layer's ``scale`` and ``translate`` are only a part of it: the Transform tool changes ``affine`` alone, and some
readers leave the voxel size in ``affine``, too. Needs neither Qt nor a viewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

KEYS = ("scale", "translate", "rotate", "shear", "affine")


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
    physical = CompositeAffine(ndim=count, **parts).affine_matrix
    matrix = np.asarray(getattr(affine, "affine_matrix", affine), dtype=np.float64)
    world = Affine(affine_matrix=matrix, ndim=count).affine_matrix
    return np.asarray(world @ physical, dtype=np.float64)


def layer_to_world(layer: Any) -> NDArray[np.float64]:
    """Give the transform of a layer as `data_to_world` does, without copying its data."""
    return data_to_world({key: getattr(layer, key) for key in KEYS}, layer.ndim)
