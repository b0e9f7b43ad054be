"""How an anchored path diffusion model learns: from points of the path between a fast slice and the good one."""

from __future__ import annotations

from dataclasses import replace
from itertools import tee
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_micromri.nn.families.apddm.family import model_of, settings_of
from napari_micromri.nn.families.apddm.network import estimate
from napari_micromri.nn.families.apddm.noise import generator_of
from napari_micromri.nn.families.apddm.path import critical_beta
from napari_micromri.nn.families.apddm.residuals import collect
from napari_micromri.nn.families.apddm.sampler import sample
from napari_micromri.nn.families.apddm.training import make_batch
from napari_micromri.training.engine.samples import random_cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from napari_micromri.nn.families.apddm.residuals import ResidualBank
    from napari_micromri.training.config import TrainConfig
    from napari_micromri.training.data import SlicePair
    from napari_micromri.training.engine.batches import Batch
    from napari_micromri.training.engine.samples import Sample


class PathMethod:
    """See `napari_micromri.nn.families.apddm`; the noise of the path is drawn from residuals of the training slices."""

    label = "APDDM"
    estimates_as_it_learns = False

    def __init__(self, config: TrainConfig, slices: Sequence[SlicePair]) -> None:
        self.settings = settings_of(config)
        self.model = model_of(config)
        self.path = self.model.path
        self.bank = collect_bank(config, slices) if self.settings.bank_size and self.settings.beta else None
        self.note = _note(self.path.beta, critical_beta(1.0, self.path.steps, self.path.schedule))

    def prepare(self, sample: Sample, number: int, stream: Sequence[int], /) -> Sample:
        """Place a pair at a random time of its path; its own residuals are left out of the noise."""
        settings = self.settings
        good, anchor = (
            torch.from_numpy(np.ascontiguousarray(image))[None, None] for image in (sample.wanted, sample.given)
        )
        placed = make_batch(
            good,
            anchor,
            self.bank,
            self.path,
            generator_of(stream),
            at_end=1.0 if settings.parameterisation == "simplified" else settings.at_end,
            noiseless=settings.noiseless,
            exact=settings.exact,
            apart_from=number,
        )
        return replace(sample, point=placed.x[0, 0].numpy(), time=int(placed.t[0]))

    def learn(self, model: nn.Module, batch: Batch, /) -> Tensor:
        """Estimate the good slices from the points of the path (report, eq. 11)."""
        return estimate(model, self.model, batch.points, batch.given, batch.times, batch.noise)

    def estimate(self, model: nn.Module, batch: Batch, /) -> Tensor:
        """Go back along the path without any chance, in as many steps as validation takes."""

        def predict(x: Tensor, anchor: Tensor, t: int) -> Tensor:
            times = torch.full((len(x),), t, device=x.device)
            return estimate(model, self.model, x, anchor, times, batch.noise)

        return sample(self.path, predict, batch.given, steps=self.settings.judged_steps)

    def provenance(self) -> dict[str, Any]:
        """Name the residual bank by its hash; the seed and the study's fingerprint say how to draw it again."""
        if self.bank is None:
            return {"residual_bank": None}
        slices = len(set(self.bank.origins))
        kurtosis = self.bank.excess_kurtosis
        return {
            "residual_bank": {
                "digest": self.bank.digest,
                "residuals": len(self.bank),
                "train_slices": slices,
                "excess_kurtosis": kurtosis,
            }
        }


def collect_bank(config: TrainConfig, slices: Sequence[SlicePair]) -> ResidualBank:
    """Collect residuals as large as what is learned from, from training slices that are drawn by the seed.

    Raises
    ------
    ModelError
        No training slice differs from its good one.
    """
    rng = np.random.default_rng([config.seed, len(slices)])
    order = rng.permutation(len(slices))
    chosen = [int(order[place % len(slices)]) for place in range(settings_of(config).bank_size)]
    if config.crop is None:  # whole slices: each is there once
        chosen = chosen[: len(slices)]

    made = (
        (number, random_cut(slices[number], config, np.random.default_rng([config.seed, place])))
        for place, number in enumerate(chosen)
    )
    cuts, again = tee((number, cut) for number, cut in made if cut.weight)
    return collect(((cut.given, cut.wanted) for _, cut in cuts), origins=(number for number, _ in again))


def _note(beta: float, critical: float) -> str:
    if beta <= critical:
        return ""
    return (
        f"The path's noise (beta {beta:g}) is above the critical {critical:.3g} of eq. 37: a step adds more noise than "
        "it goes towards the fast scan, so many steps need a well-trained network."
    )
