"""Stacks that a Zarr group holds as one array per slice, named by its number, as some labs keep preprocessed scans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.io.zarr_array import lazy_array

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dask.array as da

_HALVED = 0.1
"""Sizes that halve from one array to the next, within this part, are levels of a pyramid, no slices."""


def is_stack_of_slices(members: Mapping[str, Any]) -> bool:
    """Tell whether the members of a group are slices: arrays of two dimensions and one type, named 0, 1, and so on."""
    import zarr

    if len(members) < 2 or list(members) != [str(k) for k in range(len(members))]:
        return False
    arrays = list(members.values())
    if not all(isinstance(one, zarr.Array) and one.ndim == 2 and one.dtype == arrays[0].dtype for one in arrays):
        return False
    sizes = np.array([one.shape for one in arrays], dtype=float)
    return not (np.abs(sizes[1:] / np.maximum(sizes[:-1], 1) - 0.5) < _HALVED).all()


def stacked(slices: Mapping[str, Any], where: str) -> tuple[da.Array, list[str]]:
    """Make one array (z, y, x) of slices, and say what was guessed and what is missing.

    Slices that were cropped to sizes of their own are filled up with zeros at the bottom and at the right: what lies at
    the same place of a fast and a good slice stays together, whatever the sizes.
    """
    import dask.array as da

    found = [lazy_array(one, f"{where}/{name}") for name, one in slices.items()]
    largest = np.max([one.data.shape for one in found], axis=0)
    padded = [
        da.pad(one.data, [(0, int(n - k)) for n, k in zip(largest, one.data.shape, strict=True)]) for one in found
    ]
    data = da.stack(padded).rechunk((1, -1, -1))
    notes = [note for one in found for note in one.notes]
    if len({one.data.shape for one in found}) > 1:
        size = " x ".join(map(str, largest))
        notes.append(
            f"{where} has slices of several sizes; they are filled up with zeros to {size}, from the top left. "
            "Zeros aren't measured values: keep regions inside the slices."
        )
    return data, notes
