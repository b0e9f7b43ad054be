"""Denoise scans: stream slices through a model, into memory or straight into a file."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.errors import CancelledError, InputError, OutputExistsError, WriteError
from napari_micromri.inference.options import DenoiseOptions
from napari_micromri.inference.run import DenoiseRun
from napari_micromri.io.atomic import atomic_output, claimed
from napari_micromri.io.saving import check_ending
from napari_micromri.progress import never, no_progress
from napari_micromri.scan import AXES, Scan

if TYPE_CHECKING:
    import os
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
        When stopped, give what is done and has no holes instead of raising: whole indices of the outermost axis, or
        of the next one when not one is whole.

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
    return _into_memory(run, progress, should_stop, keep_finished)[0]


def denoise_with_uncertainty(
    scan: Scan,
    model: str | Path | Restorer,
    options: DenoiseOptions | None = None,
    *,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
    keep_finished: bool = False,
) -> tuple[Scan, Scan]:
    """Denoise a scan and say how far off the result may be.

    Parameters and errors are those of `denoise`; the model says how large its errors are
    (`napari_micromri.nn.error_table`), or makes several draws.

    Returns
    -------
    tuple
        The result, and the half width that 90 % of the errors lie within; with several draws their mean and their
        standard deviation (ddof = 0). Both in the input's own units.
    """
    run = DenoiseRun(scan, model, options or DenoiseOptions(), uncertainty=True)
    result, uncertainty = _into_memory(run, progress, should_stop, keep_finished)
    return result, uncertainty


def denoise_to_file(
    scan: Scan,
    model: str | Path | Restorer,
    path: str | os.PathLike[str],
    options: DenoiseOptions | None = None,
    *,
    uncertainty: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
    should_stop: ShouldStop = never,
    keep_finished: bool = False,
) -> Path:
    """Denoise a scan into a file; into OME-Zarr slice by slice, so that neither scan need fit in memory.

    A NIfTI file, and an OME-Zarr whose slices don't lie along its last two axes, are made in memory first. With a path
    for the ``uncertainty`` the second scan of `denoise_with_uncertainty` is written there. Parameters and errors are
    those of `denoise` and `napari_micromri.io.save_scan`; each file is written whole or not at all.
    """
    from napari_micromri.io import save_scan

    paths = [Path(path)] if uncertainty is None else [Path(path), Path(uncertainty)]
    _check_outputs(paths, overwrite=overwrite)
    with ExitStack() as stack:
        for one in paths:
            stack.enter_context(claimed(one))
        run = DenoiseRun(scan, model, options or DenoiseOptions(), uncertainty=uncertainty is not None)
        if all(_can_stream(run, one) for one in paths):
            files = [stack.enter_context(atomic_output(one, overwrite=overwrite)) for one in paths]
            _stream_to_zarr(run, files, progress, should_stop, keep_finished)
            return paths[0]
        scans = _into_memory(run, progress, should_stop, keep_finished)
        for result, one in zip(scans, paths, strict=True):
            save_scan(result, one, overwrite=overwrite)
    return paths[0]


def _into_memory(run: DenoiseRun, progress: Progress, should_stop: ShouldStop, keep_finished: bool) -> list[Scan]:
    results = [_room_for(run) for _ in run.infos]
    try:
        for batch, arrays in run.stream(progress, should_stop):
            for result, array in zip(results, arrays, strict=True):
                result[batch.target] = array
    except CancelledError:
        if not (keep_finished and run.shorten()):
            raise
    whole = tuple(slice(count) for count in run.plan.shape)
    return [Scan(result[whole], info) for result, info in zip(results, run.infos, strict=True)]


def _room_for(run: DenoiseRun) -> NDArray[np.float32]:
    try:
        return np.empty(run.plan.shape, dtype=np.float32)
    except MemoryError as error:
        size = math.prod(run.plan.shape) * 4 / 1e9
        raise InputError(
            f"The result takes {size:.0f} GB, more than there is memory. Save it straight to .ome.zarr, or choose "
            "fewer slices."
        ) from error


def _stream_to_zarr(
    run: DenoiseRun, files: list[Path], progress: Progress, should_stop: ShouldStop, keep_finished: bool
) -> None:
    from napari_micromri.io.zarr_writer import create_ome_zarr, shorten_ome_zarr

    outputs = zip(files, run.infos, strict=True)
    writers = [
        _SliceWriter(create_ome_zarr(file, shape=run.plan.shape, dtype=np.float32, info=info)) for file, info in outputs
    ]
    try:
        for batch, arrays in run.stream(progress, should_stop):
            for writer, array in zip(writers, arrays, strict=True):
                writer.write(batch, array)
    except CancelledError:
        if not (keep_finished and run.shorten()):
            raise
        for writer, file, info in zip(writers, files, run.infos, strict=True):
            writer.flush()
            shorten_ome_zarr(file, shape=run.plan.shape, info=info)


class _SliceWriter:
    """Writes batches into an array; where shards hold several slices, it collects them until a shard is whole."""

    def __init__(self, array: zarr.Array[Any]) -> None:
        from napari_micromri.io.zarr_writer import slices_per_write

        self._array, self._depth = array, slices_per_write(array)
        self._waiting: list[NDArray[np.float32]] = []
        self._place: tuple[tuple[int | slice, ...], int] = ((), 0)

    def write(self, batch: Batch, slices: NDArray[np.float32]) -> None:
        """Write slices, or keep them for later; they come in the order of the array."""
        if self._depth == 1:
            self._array[batch.target] = slices
            return
        *slow, span, _, _ = batch.target
        start = span.start if isinstance(span, slice) else 0
        for k, one in enumerate(slices, start):
            if not self._waiting:
                self._place = (tuple(slow), k)
            self._waiting.append(one)
            if (k + 1) % self._depth == 0 or k + 1 == self._array.shape[-3]:
                self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            slow, start = self._place
            self._array[(*slow, slice(start, start + len(self._waiting)))] = np.stack(self._waiting)
            self._waiting.clear()


def _can_stream(run: DenoiseRun, path: Path) -> bool:
    """Tell whether the result's slices are the chunks of the file, in the file's order of axes."""
    axes = run.info.axes
    last_two = (len(axes) - 2, len(axes) - 1)
    return _is_zarr(path) and run.plan.plane == last_two and list(axes) == sorted(axes, key=AXES.index)


def _is_zarr(path: Path) -> bool:
    return path.name.lower().endswith(".zarr")


def _check_outputs(paths: list[Path], *, overwrite: bool) -> None:
    """Refuse before the work what could only be refused after it."""
    for path in paths:
        check_ending(path)
        if path.exists() and not overwrite:
            raise OutputExistsError(path)
    if len({path.resolve() for path in paths}) < len(paths):
        raise WriteError(f"The result and its uncertainty can't both be {paths[0]}. Choose another name for one.")
