"""One denoising run: the loop over batches of slices."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_micromri import __version__
from napari_micromri.errors import CancelledError
from napari_micromri.inference.domain import domain_of
from napari_micromri.inference.plan import Plan
from napari_micromri.inference.sampling import STOPPED, stopping
from napari_micromri.nn.registry import load_model
from napari_micromri.progress import never, no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_micromri.inference.options import DenoiseOptions
    from napari_micromri.inference.plan import Batch
    from napari_micromri.nn.restorer import Restorer
    from napari_micromri.progress import Progress, ShouldStop
    from napari_micromri.scan import Scan, ScanInfo


class DenoiseRun:
    """One run over one scan; ``stream`` gives the slices as they are done.

    With ``uncertainty`` each batch comes with a second array: the width that most errors stay within, or with several
    draws the standard deviation over them.
    """

    def __init__(
        self, scan: Scan, model: str | Path | Restorer, options: DenoiseOptions, *, uncertainty: bool = False
    ) -> None:
        from napari_micromri.inference.slices import SliceDenoiser

        self.options = options
        self.model = load_model(model) if isinstance(model, str | Path) else model
        self.plan = Plan.of(scan, options.select, options.slice_axis, self.model.spec.factor)
        found = domain_of(scan, options.slice_axis)
        self._asked_for = found.problem is not None
        self.domain = found.admitted(anyway=options.anyway)
        self.uncertainty = uncertainty
        self._core = SliceDenoiser(self.model, options, uncertainty=uncertainty)
        self.sampling = self._core.sampling
        self.done = 0

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
            "device": str(self._core.device),
            "precision": str(self._core.dtype).removeprefix("torch."),
            "version": __version__,
        }
        if "snr_range" in spec.provenance:
            step["snr_range"] = spec.provenance["snr_range"]
        if self.domain.offset:
            step["offset"] = self.domain.offset
        if self._asked_for:
            step["anyway"] = True
        if self.domain.cautions:
            step["cautions"] = list(self.domain.cautions)
        if self.options.quality != "fast":
            step["quality"] = self.options.quality
        if self.options.dark_air:
            step["dark_air"] = True
        if self.sampling is not None:
            step["sampling"] = asdict(self.sampling)
        if self.model.takes_noise:
            step["noise"] = asdict(self._core.noise)
        sampled = [self.sampling.label] if self.sampling is not None else []
        chosen = {"best": self.options.quality == "best", "dark air": self.options.dark_air}
        made = ", ".join([spec.name, *sampled, *(words for words, wanted in chosen.items() if wanted)])
        return replace(info.with_step(step), name=f"{info.name} [{made}]")

    @property
    def uncertainty_info(self) -> ScanInfo:
        """What the uncertainty map says of itself."""
        errors = self._core.errors
        of = "standard deviation over the draws (ddof = 0)"
        if errors is not None:
            of = f"half width that {errors.coverage:.0%} of the errors lie within"
        info = self.info.with_step({"step": "uncertainty", "of": of})
        return replace(info, name=f"{info.name} uncertainty")

    @property
    def infos(self) -> list[ScanInfo]:
        """What each array of the result says of itself."""
        return [self.info, self.uncertainty_info] if self.uncertainty else [self.info]

    def stream(
        self, progress: Progress = no_progress, should_stop: ShouldStop = never
    ) -> Iterator[tuple[Batch, list[NDArray[np.float32]]]]:
        """Give batches and their arrays, each shaped as ``batch.target`` of the result needs it.

        The first array is the denoised slices, the second, if it was asked for, their uncertainty.
        """
        height, width = (self.plan.scan.shape[k] for k in self.plan.plane)
        with self._core as core, stopping(self.model, should_stop):
            progress(0, self.plan.total)
            while self.done < self.plan.total:
                if should_stop():
                    raise CancelledError(STOPPED)
                batch = self.plan.batch(self.done, core.slices_at_once(height, width))
                images = core.denoise(self.plan.to_stack(self._read(batch)), self.plan.numbers(batch))
                if images is None:  # too little memory for so many
                    continue
                if self.domain.offset:
                    images[0] = images[0] + np.float32(self.domain.offset)
                yield batch, [self.plan.from_stack(image) for image in images]
                self.done += batch.count
                progress(self.done, self.plan.total)

    def shorten(self) -> bool:
        """Cut the plan, and with it the info, to what is done and has no holes; False when nothing is."""
        part = self.plan.shortened(self.done)
        if part is None:
            return False
        self.plan = part
        return True

    def _read(self, batch: Batch) -> NDArray[Any]:
        values = self.plan.scan.read(batch.source)
        # In double precision, so that nothing of the signal is lost below a large offset.
        return values - np.float64(self.domain.offset) if self.domain.offset else values
