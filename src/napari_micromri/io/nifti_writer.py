"""Write NIfTI files."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import OutputExistsError, WriteError
from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.describe import KEY, info_to_json
from napari_micromri.io.geometry import affine_of
from napari_micromri.io.nifti import file_dimensions
from napari_micromri.io.nifti_sidecars import sidecar_texts, sidecars_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_micromri.progress import Progress
    from napari_micromri.scan import Scan

_COMMENT = 6  # the code of NIfTI header extensions that hold text
_MAX_NIFTI1 = 32767


def write_nifti(scan: Scan, path: Path, *, overwrite: bool, progress: Progress) -> Path:
    """Write a scan as NIfTI, with ``.bval`` and ``.bvec`` beside it when it has b-values and directions.

    The axes ``t b z y x`` become i = x, j = y, k = z, time, b. The description of the scan and its provenance stand as
    JSON in a header extension of the comment type.

    Raises
    ------
    OutputExistsError, WriteError
        See `save_scan`.
    """
    texts = sidecar_texts(scan.info, affine_of(scan.info))
    beside = [(file, text) for file, text in zip(sidecars_of(path), texts, strict=True) if text is not None]
    for sidecar, _ in beside:
        if sidecar.exists() and not overwrite:
            raise OutputExistsError(sidecar)
    total = scan.shape[0] if scan.data.ndim > 2 else 1
    with ExitStack() as stack:  # all files or none
        temporary = stack.enter_context(atomic_output(path, overwrite=overwrite))
        _nifti_image(scan, _read(scan, total, progress)).to_filename(temporary)
        for sidecar, text in beside:
            stack.enter_context(atomic_output(sidecar, overwrite=overwrite)).write_text(text, encoding="ascii")
    progress(total, total)
    return path


def _read(scan: Scan, total: int, progress: Progress) -> NDArray[Any]:
    if scan.data.ndim == 2:
        return scan.read()
    try:
        values = np.empty(scan.shape, _storable(scan.dtype))
    except MemoryError as error:
        raise WriteError(
            f"'{scan.info.name}' doesn't fit into memory as NIfTI. Save it as .ome.zarr instead."
        ) from error
    for k in range(total):
        values[k] = scan.read(k)
        progress(k, total)
    return values


def _storable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the type that NIfTI stores and other programs read; it has no truth values and no half precision."""
    return np.dtype({"bool": "uint8", "float16": "float32"}.get(dtype.name, dtype))


def _nifti_image(scan: Scan, values: NDArray[Any]) -> Any:
    import nibabel

    info = scan.info
    values = values.astype(_storable(values.dtype), copy=False)
    outer = len(info.axes) - len(info.spatial)
    if "z" not in info.axes and outer:
        values = np.expand_dims(values, outer)
    spatial = min(3, file_dimensions(info))
    order = range(values.ndim)
    values = values.transpose(*order[::-1][:spatial], *order[: values.ndim - spatial])
    kind: Any = nibabel.Nifti1Image if max(values.shape) <= _MAX_NIFTI1 else nibabel.Nifti2Image
    # Without a dtype of its own nibabel refuses 64-bit integers.
    image = kind(values, affine_of(info), dtype=values.dtype)
    code = 1 if info.direction is not None else 2  # 1: scanner coordinates, 2: only relative to each other
    image.set_sform(affine_of(info), code=code)
    image.set_qform(affine_of(info), code=code)
    image.header.set_xyzt_units("mm", "sec" if info.time_step else None)
    if values.ndim > 3 and info.time_step:
        image.header["pixdim"][4] = info.time_step
    image.header["descrip"] = info.name.encode("ascii", "replace")[:79]
    document = json.dumps({KEY: info_to_json(info)}, ensure_ascii=True).encode()
    extension: Any = nibabel.nifti1.Nifti1Extension
    image.header.extensions.append(extension(_COMMENT, document))
    return image
