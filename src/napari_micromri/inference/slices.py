"""Denoise arrays of slices: the core that scans, previews and evaluations share. It knows no files and no geometry."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Self, get_args

import numpy as np
import torch

from napari_micromri.errors import InputError, ModelError
from napari_micromri.inference.dark_air import darken_air
from napari_micromri.inference.devices import (
    batch_memory,
    is_out_of_memory,
    release_memory,
    resolve_device,
    resolve_precision,
)
from napari_micromri.inference.domain import split_spikes
from napari_micromri.inference.options import Quality
from napari_micromri.inference.plan import fill_gaps
from napari_micromri.inference.sampling import resolve_errors, resolve_noise, resolve_sampling
from napari_micromri.inference.turns import TURNS, over_turns
from napari_micromri.inference.widths import error_widths
from napari_micromri.nn.restorer import SamplingRestorer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_micromri.inference.options import DenoiseOptions
    from napari_micromri.nn.restorer import Noise, Restorer

    Images = NDArray[np.float32]

LARGEST_BATCH = 16
FIRST_TILE, SMALLEST_TILE = 1024, 128


class SliceDenoiser:
    """A model on its device with its options, as a context: at the end the device's memory is free again.

    Raises
    ------
    InputError
        An option makes no sense for the model.
    """

    def __init__(self, model: Restorer, options: DenoiseOptions, *, uncertainty: bool = False) -> None:
        if options.batch_size is not None and options.batch_size < 1:
            raise InputError(f"A batch holds at least one slice, not {options.batch_size}.")
        if options.tile is not None and options.tile < SMALLEST_TILE:
            raise InputError(f"A tile has at least {SMALLEST_TILE} pixels along a side, not {options.tile}.")
        if options.quality not in get_args(Quality):  # they may come from a file
            raise InputError(f"The quality is 'fast' or 'best', not '{options.quality}'.")
        self.model, self.uncertainty = model, uncertainty
        self.sampling = resolve_sampling(model, options)
        self.errors = resolve_errors(model, self.sampling) if uncertainty else None
        self.noise = resolve_noise(model, options)
        self._best, self._dark_air = options.quality == "best", options.dark_air
        self.device = resolve_device(options.device)
        self.dtype = resolve_precision(options.precision, self.device)
        self._tile = options.tile
        self._size = options.batch_size

    def __enter__(self) -> Self:
        try:
            self.model.prepare(self.device, self.dtype)
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise self._too_little_memory(f"the model '{self.model.spec.name}'") from error
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # A model that the caller keeps must not keep a GPU's memory.
        self.model.prepare(torch.device("cpu"), torch.float32)
        release_memory(self.device)

    def slices_at_once(self, height: int, width: int) -> int:
        """Choose how many coarse slices of a size to give to `denoise`, so that they fit and it can be stopped soon.

        Draws and turns are images as well: with many of them there would be no progress for too long.
        """
        size = self._images_at_once(height, width)
        each = (1 if self.sampling is None else self.sampling.draws) * (len(TURNS) if self._best else 1)
        return max(1, size // each)

    def denoise(self, slices: NDArray[np.generic], numbers: Sequence[int] | None = None) -> list[Images] | None:
        """Denoise slices (N, h, w) to (N, f h, f w); NaN stays NaN.

        Parameters
        ----------
        numbers
            Places of the slices in their scan, from which the noise of a diffusion model follows; by default 0, 1, ...

        Returns
        -------
        list
            The denoised slices and, with ``uncertainty``, the width that most errors stay within, or the standard
            deviation over the draws where there are several. None when memory ran out: then `slices_at_once` gives
            fewer from now on.
        """
        filled, gaps = fill_gaps(slices)
        tame, spikes = split_spikes(filled)
        try:
            images = self._restore(tame, range(len(slices)) if numbers is None else numbers, self.noise)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            images = None
        if images is None:
            # Not before here: until the except clause ends, the error's traceback holds the tensors that filled memory.
            release_memory(self.device)
            self._shrink(*slices.shape[-2:])
            return None
        if not all(np.isfinite(image).all() for image in images):
            raise ModelError(
                f"The model '{self.model.spec.name}' gives values for this scan that aren't numbers. It is damaged, or "
                "the scan's values are too large. Choose another model, or scale the scan."
            )
        if self.errors is not None:
            images.append(error_widths(self.errors, self.model.spec, self._restore_coarse, tame, images[0]))
        if self._dark_air:
            both = zip(images[0], tame, strict=True)
            images[0] = np.stack([darken_air(image, fast, self.model.spec.factor) for image, fast in both])
        if spikes is not None:
            images[0] = np.where(self._fine(spikes), self._fine(filled), images[0])
        if gaps is not None:
            images = [np.where(self._fine(gaps), np.float32(np.nan), image) for image in images]
        return images

    def one(self, image: NDArray[np.generic], number: int) -> Images:
        """Denoise one slice (h, w), the ``number``-th of its scan, to (f h, f w)."""
        return self.all_of_one(image, number)[0]

    def all_of_one(self, image: NDArray[np.generic], number: int) -> list[Images]:
        """Denoise one slice; with ``uncertainty`` the second image is what `denoise` says."""
        while (found := self.denoise(image[None], [number])) is None:
            pass  # it was given less memory, until `denoise` gives up
        return [one[0] for one in found]

    def _fine(self, slices: NDArray[np.generic]) -> NDArray[np.generic]:
        factor = self.model.spec.factor
        return slices.repeat(factor, axis=1).repeat(factor, axis=2)

    def _restore_coarse(self, slices: Images) -> Images:
        """Denoise slices that were made coarser by the model's factor, which lowers the noise as much."""
        sigma = None if self.noise.sigma is None else self.noise.sigma / self.model.spec.factor
        return self._restore(slices, range(len(slices)), replace(self.noise, sigma=sigma))[0]

    def _restore(self, slices: Images, numbers: Sequence[int], noise: Noise) -> list[Images]:
        given = torch.from_numpy(np.ascontiguousarray(slices))[:, None].to(self.device)
        run = partial(self._run, numbers=numbers, noise=noise)
        found = over_turns(run, given) if self._best else run(given)
        images: list[Images] = [image[:, 0].cpu().numpy() for image in found]
        return images

    def _run(self, given: Tensor, numbers: Sequence[int], noise: Noise) -> list[Tensor]:
        if self.sampling is None or not isinstance(self.model, SamplingRestorer):
            return [self.model.restore(given, self._tile, noise)]
        at_once = self._images_at_once(*given.shape[-2:])
        sampled = self.model.sample(given, self.sampling, numbers, tile=self._tile, at_once=at_once, noise=noise)
        return [sampled.image, sampled.spread] if self.sampling.draws > 1 and self.uncertainty else [sampled.image]

    def _images_at_once(self, height: int, width: int) -> int:
        if self._size is None:
            each, available = self.model.memory(height, width), batch_memory(self.device)
            if self._tile is None and each > available:
                self._tile = FIRST_TILE
            self._size = max(1, min(LARGEST_BATCH, available // each))
        return self._size

    def _shrink(self, height: int, width: int) -> None:
        """Halve the batch; when it is one slice already, the tile."""
        size = self._images_at_once(height, width)
        if size > 1:
            self._size = size // 2
            return
        self._tile = FIRST_TILE if self._tile is None else self._tile // 2
        if self._tile < SMALLEST_TILE:
            raise self._too_little_memory(f"a slice of {height} x {width} pixels")

    def _too_little_memory(self, what: str) -> InputError:
        way_out = "Close other programs." if self.device.type == "cpu" else "Close other programs or choose the CPU."
        return InputError(f"There is not enough memory on {self.device} for {what}. {way_out}")
