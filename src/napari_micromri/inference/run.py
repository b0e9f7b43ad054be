"""One denoising run: the loop over batches of slices."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri import __version__
from napari_micromri.errors import CancelledError, InputError, ReadError, describe_os_error
from napari_micromri.inference.devices import (
    batch_memory,
    is_out_of_memory,
    release_memory,
    resolve_device,
    resolve_precision,
)
from napari_micromri.inference.plan import Plan, fill_gaps
from napari_micromri.inference.sampling import resolve_sampling
from napari_micromri.nn.registry import load_model
from napari_micromri.nn.restorer import SamplingRestorer
from napari_micromri.progress import never, no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_micromri.inference.options import DenoiseOptions
    from napari_micromri.inference.plan import Batch
    from napari_micromri.nn.restorer import Restorer
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.scan import Scan, ScanInfo

LARGEST_BATCH = 16
FIRST_TILE, SMALLEST_TILE = 1024, 128


class DenoiseRun:
    """One run over one scan; ``stream`` gives the slices as they are done.

    With ``uncertainty`` each batch comes with a second array, the standard deviation over the draws.
    """

    def __init__(
        self, scan: Scan, model: str | Path | Restorer, options: DenoiseOptions, *, uncertainty: bool = False
    ) -> None:
        self.options = options
        self.model = load_model(model) if isinstance(model, str | Path) else model
        self.plan = Plan.of(scan, options.select, options.slice_axis, self.model.spec.factor)
        if options.batch_size is not None and options.batch_size < 1:
            raise InputError(f"A batch holds at least one slice, not {options.batch_size}.")
        if options.tile is not None and options.tile < SMALLEST_TILE:
            raise InputError(f"A tile has at least {SMALLEST_TILE} pixels along a side, not {options.tile}.")
        self.uncertainty = uncertainty
        self.sampling = resolve_sampling(self.model, options, uncertainty=uncertainty)
        self.device = resolve_device(options.device)
        self.dtype = resolve_precision(options.precision, self.device)
        self.done = 0
        self._tile = options.tile

    @property
    def info(self) -> ScanInfo:
        """What the result says of itself."""
        spec, info = self.model.spec, self.plan.info
        step = {
            "step": "denoise",
            "model": spec.name,
            "kind": spec.kind,
            "fingerprint": self.model.fingerprint,
            "factor": spec.factor,
            "slice_axis": self.options.slice_axis,
            "select": {axis: [chosen.start, chosen.stop] for axis, chosen in self.plan.selected.items()},
            "device": str(self.device),
            "precision": str(self.dtype).removeprefix("torch."),
            "version": __version__,
        }
        if "snr_range" in spec.provenance:
            step["snr_range"] = spec.provenance["snr_range"]
        if self.sampling is not None:
            step["sampling"] = asdict(self.sampling)
        return replace(info.with_step(step), name=f"{info.name} [{spec.name}]")

    @property
    def uncertainty_info(self) -> ScanInfo:
        """What the uncertainty map says of itself."""
        step = {"step": "uncertainty", "of": "standard deviation over the draws (ddof = 0)"}
        info = self.info.with_step(step)
        return replace(info, name=f"{info.name} uncertainty")

    @property
    def infos(self) -> list[ScanInfo]:
        """What each array of the result says of itself."""
        return [self.info, self.uncertainty_info] if self.uncertainty else [self.info]

    def stream(
        self, progress: Progress = no_progress, should_stop: ShouldStop = never
    ) -> Iterator[tuple[Batch, list[NDArray[np.float32]]]]:
        """Give batches and their arrays, each shaped as ``batch.target`` of the result wants it.

        The first array is the denoised slices, the second, if it was asked for, their uncertainty.
        """
        import torch

        try:
            self._prepare()
            size = self._batch_size()
            progress(0, self.plan.total)
            while self.done < self.plan.total:
                if should_stop():
                    raise CancelledError("Denoising was stopped.")
                batch = self.plan.batch(self.done, self._slices_at_once(size))
                arrays = self._try(batch, size)
                if arrays is None:
                    size = self._smaller(size)
                    continue
                yield batch, arrays
                self.done += batch.count
                progress(self.done, self.plan.total)
        finally:
            # A model that the caller keeps must not keep a GPU's memory.
            self.model.prepare(torch.device("cpu"), torch.float32)
            release_memory(self.device)

    def shorten(self) -> bool:
        """Cut the plan, and with it the info, to what is done and has no holes; False when nothing is."""
        part = self.plan.shortened(self.done)
        if part is None:
            return False
        self.plan = part
        return True

    def _prepare(self) -> None:
        try:
            self.model.prepare(self.device, self.dtype)
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise self._too_little_memory(f"the model '{self.model.spec.name}'") from error
            raise

    def _slices_at_once(self, size: int) -> int:
        """Draws are images as well: with many of them a batch of slices would take too long to stop in between."""
        return max(1, size // (1 if self.sampling is None else self.sampling.draws))

    def _try(self, batch: Batch, size: int) -> list[NDArray[np.float32]] | None:
        """Denoise a batch; None when memory ran out."""
        try:
            return self._denoise(batch, size)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Not before here: until the except clause ends, the error's traceback holds the tensors that filled the memory.
        release_memory(self.device)
        return None

    def _denoise(self, batch: Batch, size: int) -> list[NDArray[np.float32]]:
        import torch

        slices, gaps = fill_gaps(self.plan.to_stack(self._read(batch)))
        given = torch.from_numpy(np.ascontiguousarray(slices))[:, None].to(self.device)
        stacks: list[NDArray[np.float32]] = [image[:, 0].cpu().numpy() for image in self._restore(given, batch, size)]
        if gaps is not None:
            factor = self.plan.factor
            holes = gaps.repeat(factor, axis=1).repeat(factor, axis=2)
            stacks = [np.where(holes, np.float32(np.nan), stack) for stack in stacks]
        return [self.plan.from_stack(stack) for stack in stacks]

    def _restore(self, given: Tensor, batch: Batch, size: int) -> list[Tensor]:
        if self.sampling is None or not isinstance(self.model, SamplingRestorer):
            return [self.model.restore(given, self._tile)]
        numbers = self.plan.numbers(batch)
        sampled = self.model.sample(given, self.sampling, numbers, tile=self._tile, at_once=size)
        return [sampled.image, sampled.spread] if self.uncertainty else [sampled.image]

    def _read(self, batch: Batch) -> NDArray[Any]:
        scan = self.plan.scan
        try:
            return np.asarray(scan.data[batch.source])
        except OSError as error:  # else it would pass for an error of the output's disk
            raise ReadError(describe_os_error(error, scan.info.source or f"'{scan.info.name}'")) from error

    def _batch_size(self) -> int:
        if self.options.batch_size is not None:
            return self.options.batch_size
        height, width = (self.plan.scan.shape[k] for k in self.plan.plane)
        each = self.model.memory(height, width)
        available = batch_memory(self.device)
        if self._tile is None and each > available:
            self._tile = FIRST_TILE
        return max(1, min(LARGEST_BATCH, available // each))

    def _smaller(self, size: int) -> int:
        """Halve the batch; when it is one slice already, the tile."""
        if size > 1:
            return size // 2
        self._tile = FIRST_TILE if self._tile is None else self._tile // 2
        if self._tile < SMALLEST_TILE:
            raise self._too_little_memory(f"a slice of '{self.plan.scan.info.name}'")
        return 1

    def _too_little_memory(self, what: str) -> InputError:
        way_out = "Close other programs." if self.device.type == "cpu" else "Close other programs or choose the CPU."
        return InputError(f"There is not enough memory on {self.device} for {what}. {way_out}")
