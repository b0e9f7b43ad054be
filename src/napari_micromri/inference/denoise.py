"""Denoise scans: stream slices through a model, into memory or straight into a file."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import CancelledError, OutputExistsError, WriteError
from napari_micromri.inference.options import DenoiseOptions
from napari_micromri.inference.run import DenoiseRun
from napari_micromri.progress import never, no_progress
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from typing import Any

    import zarr
    from numpy.typing import NDArray

    from napari_micromri.inference.plan import Batch
    from napari_micromri.nn.restorer import Restorer
    from napari_micromri.progress import Progress, ShouldStop

DEFAULT_MODEL = "unet-default"


def denoise(
    scan: Scan,
    model: str | Path | Restorer = DEFAULT_MODEL,
    options: DenoiseOptions | None = None,
    *,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
    keep_finished: bool = False,
) -> Scan:
    """Denoise a scan into memory.

    Parameters
    ----------
    scan
        Two to five dimensions, real numbers of any type.
    model
        Name of a known model, a model file, or a loaded model.
    progress
        Called with the number of finished slices and their total.
    should_stop
        Asked before every batch.
    keep_finished
        When stopped, give the slices that are done instead of raising; the outermost axis is then shorter.

    Returns
    -------
    Scan
        float32, in the input's own units, on a grid finer by the model's factor that covers the same field of view.
        What was not finite in the input is NaN.

    Raises
    ------
    InputError, ModelError, ReadError
        Nothing can be done, with the reason.
    CancelledError
        Stopped, and nothing was to be kept.
    """
    run = DenoiseRun(scan, model, options or DenoiseOptions())
    result = np.empty(run.plan.shape, dtype=np.float32)
    try:
        for batch, slices in run.stream(progress, should_stop):
            result[batch.target] = slices
    except CancelledError:
        part = run.finished_part() if keep_finished else None
        if part is None:
            raise
        result = result[part]
    return Scan(result, run.info)


def denoise_to_file(
    scan: Scan,
    model: str | Path | Restorer,
    path: str | os.PathLike[str],
    options: DenoiseOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
    keep_finished: bool = False,
) -> Path:
    """Denoise a scan into a file; into OME-Zarr slice by slice, so that neither scan need fit in memory.

    A NIfTI file, and an OME-Zarr whose slices don't lie along its last two axes, are made in memory first. Parameters
    and errors are those of `denoise` and `napari_micromri.io.save_scan`; either all is written or nothing.
    """
    from napari_micromri.io import save_scan

    run = DenoiseRun(scan, model, options or DenoiseOptions())
    dimensions = len(scan.shape)
    if not Path(path).name.lower().endswith(".zarr") or run.plan.plane != (dimensions - 2, dimensions - 1):
        _check_free(path, overwrite=overwrite)
        result = denoise(scan, model, options, progress=progress, should_stop=should_stop, keep_finished=keep_finished)
        return save_scan(result, path, overwrite=overwrite)
    return _stream_to_zarr(run, Path(path), overwrite, progress, should_stop, keep_finished)


def _stream_to_zarr(
    run: DenoiseRun, path: Path, overwrite: bool, progress: Progress, should_stop: ShouldStop, keep_finished: bool
) -> Path:
    from napari_micromri.io.atomic import atomic_output
    from napari_micromri.io.zarr_writer import create_ome_zarr, slices_per_write

    with atomic_output(path, overwrite=overwrite) as temporary:
        array = create_ome_zarr(temporary, shape=run.plan.shape, dtype=np.float32, info=run.info)
        try:
            with _shard_writer(array, slices_per_write(array)) as write:
                for batch, slices in run.stream(progress, should_stop):
                    write(batch, slices)
        except CancelledError:
            part = run.finished_part() if keep_finished else None
            if part is None:
                raise
            array.resize(tuple(s.stop or n for s, n in zip(_padded(part, array.ndim), array.shape, strict=True)))
    return path


def _padded(part: tuple[slice, ...], dimensions: int) -> tuple[slice, ...]:
    return (*part, *(slice(None),) * (dimensions - len(part)))


@contextmanager
def _shard_writer(array: zarr.Array[Any], depth: int) -> Iterator[Callable[[Batch, NDArray[np.float32]], None]]:
    """Give a function that writes batches; with shards it collects slices until a shard is whole."""
    waiting: list[tuple[tuple[int | slice, ...], int, NDArray[np.float32]]] = []

    def flush() -> None:
        if waiting:
            (*slow, _, rows, columns), start, _ = waiting[0]
            block = np.concatenate([slices for _, _, slices in waiting])
            array[(*slow, slice(start, start + len(block)), rows, columns)] = block
            waiting.clear()

    def write(batch: Batch, slices: NDArray[np.float32]) -> None:
        if depth == 1:
            array[batch.target] = slices
            return
        span = batch.target[-3]
        start = span.start if isinstance(span, slice) else 0
        for offset in range(batch.count):
            if (start + offset) % depth == 0 or (waiting and waiting[0][0][:-3] != batch.target[:-3]):
                flush()
            waiting.append((batch.target, start + offset, slices[offset : offset + 1]))

    try:
        yield write
    finally:
        flush()


def _check_free(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse before the work what could only be refused after it."""
    if Path(path).exists() and not overwrite:
        raise OutputExistsError(Path(path))
    name = Path(path).name.lower()
    if not name.endswith((".zarr", ".nii", ".nii.gz")):
        raise WriteError(f"{path} has no ending that says how to save it. Use .ome.zarr, .nii or .nii.gz.")
