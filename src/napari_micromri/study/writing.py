"""Writing a pair's folder: both images and what is known of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import CancelledError, StudyError
from napari_micromri.progress import never
from napari_micromri.study.digest import PixelDigest
from napari_micromri.study.files import ZARR_JSON, write_json
from napari_micromri.study.metadata import PAIR_KEY, group_document, pair_to_json

if TYPE_CHECKING:
    from pathlib import Path

    from napari_micromri.progress import ShouldStop
    from napari_micromri.scan import Scan
    from napari_micromri.study.model import Pair, StudyImage

SLICES_PER_FILE = 64
"""Slices that share a file: a study has few files then and is quick to copy; a slice is still read by itself."""


def write_pair(folder: Path, pair: Pair, lr: Scan, hr: Scan, *, should_stop: ShouldStop = never) -> Pair:
    """Write a pair into a new folder, holding one file's slices at a time; gives it with the digest of its pixels.

    Raises
    ------
    StudyError
        The scans are not those that the pair describes.
    CancelledError
        ``should_stop`` said so.
    """
    digest = PixelDigest()
    folder.mkdir(parents=True)
    for name, scan, image in (("lr", lr, pair.lr), ("hr", hr, pair.hr)):
        native = scan.dtype.newbyteorder("=")
        if scan.shape != image.shape or native != np.dtype(image.dtype) or scan.info.axes != "zyx":
            raise StudyError(f"The {name.upper()} scan of {pair.key} isn't the one that its pair describes.")
        _write_image(folder / name, scan, image, digest, should_stop)
    pair = replace(pair, digest=digest.text())
    write_json({folder / ZARR_JSON: group_document({PAIR_KEY: pair_to_json(pair)})})
    return pair


def _write_image(path: Path, scan: Scan, image: StudyImage, digest: PixelDigest, should_stop: ShouldStop) -> None:
    from napari_micromri.io.zarr_writer import create_ome_zarr, slices_per_write

    array = create_ome_zarr(path, shape=image.shape, dtype=image.dtype, info=image.info, shard_slices=SLICES_PER_FILE)
    digest.begin(image.shape, image.dtype)
    step = slices_per_write(array)
    for start in range(0, image.shape[0], step):
        if should_stop():
            raise CancelledError("Building was stopped.")
        block = scan.read(slice(start, start + step))
        digest.add(block)
        array[start : start + step] = block
