"""Denoise one of many scans: a function of plain values, so that it runs here or on any machine that sees the disk."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri.errors import CancelledError, WriteError
from napari_micromri.progress import never, no_progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.scan import Scan


@dataclass(frozen=True)
class Task:
    """What to do, and what is done already: ``known`` maps the content of scans to files in ``folder``."""

    source: str
    folder: str
    file: str
    model: str
    options: Mapping[str, Any]
    known: Mapping[str, str]


def denoise_one(task: Task, progress: Progress = no_progress, should_stop: ShouldStop = never) -> dict[str, Any]:
    """Denoise a scan into its file, unless a scan with this content was denoised so before; gives its row.

    Raises
    ------
    MicroMRIError
        It can't be denoised, with the reason.
    """
    from napari_micromri.inference import DenoiseOptions, denoise_to_file
    from napari_micromri.inference.trust import check_trust
    from napari_micromri.io import open_scan
    from napari_micromri.nn.registry import load_model
    from napari_micromri.study.plan import Source

    started = time.perf_counter()
    scan, model = Source.parse(task.source).open(), load_model(task.model)
    content = content_of(scan, model.fingerprint, task.options, should_stop)
    before = task.known.get(content)
    if before is not None and (Path(task.folder) / before).exists():
        return {"content": content, "file": before, "before": True}
    output = Path(task.folder) / task.file
    if output.exists() and not _is_result(output):
        raise WriteError(f"{output} already exists and isn't a denoised scan. Move it, or choose another folder.")
    options = DenoiseOptions(**task.options)
    denoise_to_file(scan, model, output, options, overwrite=True, progress=progress, should_stop=should_stop)
    trust = check_trust(scan, open_scan(output)[0])
    return {
        "content": content,
        "file": task.file,
        "before": False,
        "snr": float(trust.snr),
        "verdict": " ".join(trust.warnings) or "fits the scan",
        "seconds": time.perf_counter() - started,
    }


def denoise_far(task: Task) -> dict[str, Any]:
    """Do the same in a worker of `dask.distributed`, which reads scans by itself instead of asking the scheduler to."""
    import dask

    dask.config.set(scheduler="threads")
    return denoise_one(task)


def content_of(scan: Scan, fingerprint: str, options: Mapping[str, Any], should_stop: ShouldStop = never) -> str:
    """Tell scans apart by their pixels and geometry, and results by the model and its options as well."""
    from napari_micromri.study.digest import PixelDigest

    digest = PixelDigest()
    digest.begin(scan.shape, scan.dtype)
    leading = scan.shape[:-2]
    for place in np.ndindex(*leading[:1]):
        if should_stop():
            raise CancelledError("Denoising was stopped.")
        digest.add(scan.read(place))
    recipe = [digest.text(), scan.info.axes, list(scan.info.voxel_size), fingerprint, dict(options)]
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:32]


def _is_result(path: Path) -> bool:
    from napari_micromri.errors import MicroMRIError
    from napari_micromri.io import open_scan

    try:
        return any(step.get("step") == "denoise" for step in open_scan(path)[0].info.provenance)
    except MicroMRIError:
        return False
