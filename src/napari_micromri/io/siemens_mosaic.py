"""Siemens mosaics: all slices of a volume as tiles of one picture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import ReadError
from napari_micromri.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_micromri.io.dicom_headers import DicomImage

_SLICES = (0x0019, 0x100A)  # of a mosaic, where the files of newer scanners say it outside the CSA header


def tiles_of(image: DicomImage, header: Any) -> Iterator[DicomImage]:
    """Yield the slices in a mosaic, each with its own place; nibabel reads what only Siemens' own header says.

    Raises
    ------
    ReadError
        The header does not say how many slices there are or where they lie.
    """
    with quiet():  # that these readers may change: the tests would tell
        from nibabel.nicom.csareader import CSAReadError, get_csa_header, get_n_mosaic
        from nibabel.nicom.dicomwrappers import MosaicWrapper, WrapperError

    try:
        csa: Any = get_csa_header(header) or {"tags": {}}
        number = get_n_mosaic(csa) or int(header[_SLICES].value)
        wrapper: Any = MosaicWrapper(header, csa, number)
        rows, columns, count = wrapper.image_shape
        position, normal, distance = wrapper.image_position, wrapper.slice_normal, wrapper.voxel_sizes[2]
        places = position + np.outer(np.arange(count), normal) * distance
    except (
        WrapperError,
        CSAReadError,
        KeyError,
        AttributeError,
        TypeError,
        ValueError,
        AssertionError,
        ArithmeticError,
    ) as error:
        raise ReadError(
            f"{image.file} is a mosaic of slices, but lacks Siemens' own header that says how many and where. "
            "Export it with private elements, or as single slices."
        ) from error
    for k, place in enumerate(places):
        corner = (k // wrapper.mosaic_size * rows, k % wrapper.mosaic_size * columns)
        yield replace(image, shape=(int(rows), int(columns)), position=place, tile=corner)
