"""Regions of interest in an evaluation: which file belongs to which pair, and what is measured on one slice.

LR is measured on its own pixels, a denoised image and HR on those of HR, all uncropped.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_micromri.errors import InputError
from napari_micromri.measure.comparison import ComparedImage, Settings, compare
from napari_micromri.measure.roi_file import load_rois, rois_to_json
from napari_micromri.measure.table_file import row_values
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_micromri.measure.roi import Roi
    from napari_micromri.measure.roi_file import DrawnOn
    from napari_micromri.scan import ScanInfo
    from napari_micromri.study.model import Pair

LR, HR = "LR", "HR"


def rois_by_pair(files: Sequence[Path], pairs: Sequence[Pair]) -> dict[str, tuple[Roi, ...]]:
    """Find the pair that each file of regions was drawn on: key -> regions.

    It is the pair of the same subject and field of view; where a subject has several, the one whose scan has the name
    that the file remembers.

    Raises
    ------
    ReadError
        A file isn't there, or isn't a file of regions.
    InputError
        It fits none of the pairs, or more than one.
    """
    found: dict[str, tuple[Roi, ...]] = {}
    for path in files:
        loaded = load_rois(path)
        key = _pair_of(path, loaded.drawn_on, pairs).key
        found[key] = (*found.get(key, ()), *loaded.rois)
    return found


def rois_digest(rois: Mapping[str, tuple[Roi, ...]]) -> str:
    """Identify regions and their pairs; empty without any."""
    if not rois:
        return ""
    text = json.dumps({key: rois_to_json(mine) for key, mine in sorted(rois.items())}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def measure_rois(
    pair: Pair,
    index: int,
    rois: Sequence[Roi],
    lr: NDArray[np.float32],
    hr: NDArray[np.float32],
    denoised: Mapping[str, NDArray[np.float32]],
) -> tuple[dict[str, Any], ...]:
    """Measure regions on LR, the denoised images and HR of one slice; none that lies on another slice."""
    if not rois:
        return ()
    fine = {**denoised, HR: hr}
    # The study has laid LR on the extent of HR, whatever the header of LR says of its place.
    factors = {axis: lr.shape[k] / hr.shape[k] for k, axis in enumerate("yx")}
    images = [ComparedImage(LR, _one_slice(lr, pair.hr.info.resampled(factors), index))]
    images += [ComparedImage(name, _one_slice(image, pair.hr.info, index)) for name, image in fine.items()]
    whose = {"subject": pair.subject, "region": pair.region, "plane": pair.plane, "key": pair.key}
    rows = compare(images, rois, Settings(reference=HR)).rows
    return tuple(whose | row_values(row) | {"slice": index} for row in rows)


def _one_slice(image: NDArray[np.float32], info: ScanInfo, index: int) -> Scan:
    z = info.origin[0] + index * info.voxel_size[0]
    return Scan(image[None], replace(info, origin=(z, *info.origin[1:])))


def _pair_of(path: Path, drawn_on: DrawnOn | None, pairs: Sequence[Pair]) -> Pair:
    if drawn_on is None:
        fitting = list(pairs)
    else:
        fitting = [pair for pair in pairs if _fits(drawn_on, pair)]
        named = [pair for pair in fitting if drawn_on.name in (pair.lr.info.name, pair.hr.info.name)]
        fitting = named or fitting
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and drawn_on is not None:
        raise InputError(f"The regions in {path} were drawn on '{drawn_on.name}', which isn't in the evaluated set.")
    raise InputError(
        f"The regions in {path} could belong to {len(fitting)} pairs, such as {fitting[0].key} and "
        f"{fitting[1].key}. Save them again from the Measure dock, with the scan that they were drawn on."
    )


def _fits(drawn_on: DrawnOn, pair: Pair) -> bool:
    """Tell whether regions were drawn on this animal and field of view, as far as the file and the scan say."""
    import numpy as np

    # Only shape and geometry are looked at; the array is a view of a single number.
    empty = np.broadcast_to(np.float32(0), pair.hr.shape)
    known = {pair.subject, pair.lr.info.subject, pair.hr.info.subject}
    subject = drawn_on.subject if drawn_on.subject in known else pair.subject
    return drawn_on.mismatch(Scan(empty, replace(pair.hr.info, subject=subject))) is None
