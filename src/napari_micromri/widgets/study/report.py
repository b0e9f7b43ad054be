"""What is said of a pair below the tree; without Qt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_micromri.study.model import Crop, Pair, StudyImage


def report_lines(pair: Pair) -> tuple[tuple[str, str], ...]:
    """Say in label and value what was measured when the pair was built."""
    report = pair.report
    return (
        ("LR", f"{_grid(pair.lr)}, SNR {_number(report.lr_snr)}"),
        ("HR", f"{_grid(pair.hr)}, SNR {_number(report.hr_snr)}"),
        ("Slices", f"{len(pair.kept)} of {pair.slice_count} kept"),
        ("Crop", crop_text(pair, pair.marks.crop)),
        ("LR shifted by", f"{_number(report.shift[0], 2)}, {_number(report.shift[1], 2)} mm (y, x)"),
        ("Correlation", _number(report.correlation, 2)),
        ("HR : LR signal", _number(report.intensity_ratio, 2)),
    )


def crop_text(pair: Pair, crop: Crop | None) -> str:
    """Say the size of a crop in mm."""
    if crop is None:
        return "none"
    height, width = pair.hr.info.voxel_size[-2:]
    return f"{crop.shape[0] * height:.1f} x {crop.shape[1] * width:.1f} mm"


def _grid(image: StudyImage) -> str:
    _, rows, columns = image.shape
    height, width = image.info.voxel_size[-2:]
    size = f"{height:.3g}" if math.isclose(height, width, rel_tol=1e-3) else f"{height:.3g} x {width:.3g}"
    return f"{rows} x {columns}, {size} mm"


def _number(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "not measured"
