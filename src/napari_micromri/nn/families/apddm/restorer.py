"""A trained anchored path diffusion model with all that surrounds it: from one step to many, and several draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from napari_micromri.nn.checkpoint import read_spec
from napari_micromri.nn.families.apddm.config import ApddmConfig
from napari_micromri.nn.families.apddm.network import estimate
from napari_micromri.nn.families.apddm.noise import NoiseSource
from napari_micromri.nn.families.apddm.sampler import sample
from napari_micromri.nn.network_restorer import NetworkRestorer, load_network
from napari_micromri.nn.normalisation import is_constant
from napari_micromri.nn.restorer import MEASURED, Sampled, Sampling
from napari_micromri.nn.tiling import run_tiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_micromri.nn.checkpoint import ModelSpec
    from napari_micromri.nn.families.apddm.residuals import ResidualBank
    from napari_micromri.nn.family import Family
    from napari_micromri.nn.network import Network
    from napari_micromri.nn.restorer import Noise


class ApddmRestorer(NetworkRestorer):
    """Denoises slices by going back along the path; see `napari_micromri.nn.restorer.SamplingRestorer`."""

    def __init__(
        self,
        network: Network,
        spec: ModelSpec,
        config: ApddmConfig,
        fingerprint: str = "",
        bank: ResidualBank | None = None,
    ) -> None:
        super().__init__(network, spec, fingerprint)
        self.config, self.path, self.bank = config, config.path, bank
        self.most_steps = config.most_steps

    def restore(self, slices: Tensor, tile: int | None = None, noise: Noise = MEASURED) -> Tensor:
        """Denoise slices (N, 1, h, w) in one step to (N, 1, f h, f w); constant ones pass through."""
        return self.sample(slices, Sampling(), range(len(slices)), tile=tile, noise=noise).image

    @torch.inference_mode()
    def sample(
        self,
        slices: Tensor,
        sampling: Sampling,
        numbers: Sequence[int],
        *,
        tile: int | None = None,
        at_once: int | None = None,
        noise: Noise = MEASURED,
    ) -> Sampled:
        """Denoise slices (N, 1, h, w) to (N, 1, f h, f w); constant ones pass through.

        All draws share the first step, in which the network would only have to see past the noise: ``K`` draws of
        ``n`` steps take ``1 + K (n - 1)`` runs of the network. Statistics and upsampling are those of whole slices, so
        tiling changes nothing but the memory.
        """
        anchor, scaling = self.prepared(slices, noise)
        start = _Start(anchor, scaling.noise)
        first = self._estimate(anchor, start, self.path.steps, tile)
        image, spread = first, torch.zeros_like(first)
        if sampling.steps > 1:
            image, spread = self._ensemble(start, first, sampling, numbers, tile, at_once or len(slices))
        constant = is_constant(slices)
        image = torch.where(constant, slices[..., :1, :1], scaling.restore(image))
        return Sampled(image, torch.where(constant, 0.0, spread * scaling.scale))

    def _ensemble(
        self, start: _Start, first: Tensor, sampling: Sampling, numbers: Sequence[int], tile: int | None, at_once: int
    ) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation over the draws; sums are kept instead of the draws themselves."""
        total, square = torch.zeros_like(first), torch.zeros_like(first)
        for places, draws in _portions(len(first), sampling.draws, at_once):
            streams = [(sampling.seed, numbers[k], draw) for k, draw in zip(places, draws, strict=True)]
            change = self._draw(start.at(places), first[places], sampling, streams, tile) - first[places]
            # Relative to the first estimate, so that the difference of squares loses no digits.
            total.index_add_(0, torch.tensor(places, device=total.device), change)
            square.index_add_(0, torch.tensor(places, device=total.device), change.square())
        mean = total / sampling.draws
        return first + mean, (square / sampling.draws - mean.square()).clamp_min(0).sqrt()

    def _draw(
        self,
        given: _Start,
        first: Tensor,
        sampling: Sampling,
        streams: Sequence[tuple[int, int, int]],
        tile: int | None,
    ) -> Tensor:
        """Go back along the path once for each image."""
        anchor = given.anchor
        random = sampling.draws > 1 or sampling.eta > 0
        strength = noise_strength(anchor, first) if random else torch.zeros(())
        source = NoiseSource(streams, (anchor.shape[-2], anchor.shape[-1]), self.bank)

        def noise() -> Tensor:
            return source.draw().to(anchor.device) * strength

        def predict(x: Tensor, _anchor: Tensor, t: int) -> Tensor:
            return first if t == self.path.steps else self._estimate(x, given, t, tile)

        start = None if sampling.draws == 1 else self.path.beta * noise()
        return sample(self.path, predict, anchor, steps=sampling.steps, eta=sampling.eta, draw=noise, start_noise=start)

    def _estimate(self, x: Tensor, given: _Start, t: int, tile: int | None) -> Tensor:
        times = torch.full((len(x),), t, device=x.device)

        def run(pair: Tensor) -> Tensor:
            pair = pair.contiguous(memory_format=torch.channels_last)
            with self.autocast():
                return estimate(self.network, self.config, pair[:, :1], pair[:, 1:], times, given.noise).float()

        return run_tiled(run, torch.cat([x, given.anchor], dim=1), tile, self.network.config)


@dataclass(frozen=True)
class _Start:
    """Where paths begin, (N, 1, H, W), and what the network is told of the noise there, (N, 1, 1, 1)."""

    anchor: Tensor
    noise: Tensor | None

    def at(self, places: list[int]) -> _Start:
        return _Start(self.anchor[places], None if self.noise is None else self.noise[places])


def noise_strength(anchor: Tensor, first: Tensor) -> Tensor:
    """Say how strong the noise of a draw is at each pixel, (N, 1, H, W); its RMS is that of ``anchor - first``.

    With one strength for a whole slice the draws differ as much in air as at edges, and their spread says nothing.
    Half of the variance therefore follows the local variance of what the first step removes, half that of the first
    estimate itself: what a fast scan leaves open lies where there is structure.
    """
    removed = anchor - first
    size = removed.square().mean(dim=(1, 2, 3), keepdim=True)
    shares = [_local_variance(removed, 9), _local_variance(first, 5)]
    means = [share.mean(dim=(1, 2, 3), keepdim=True) for share in shares]
    even = [
        torch.where(mean > 0, share / mean.clamp_min(1e-30), 1.0) for share, mean in zip(shares, means, strict=True)
    ]
    return (size * (even[0] + even[1]) / 2).sqrt()


def _local_variance(image: Tensor, side: int) -> Tensor:
    def mean(values: Tensor) -> Tensor:
        return functional.avg_pool2d(values, side, 1, side // 2, count_include_pad=False)

    return (mean(image.square()) - mean(image).square()).clamp_min(0)


def _portions(slices: int, draws: int, at_once: int) -> Iterator[tuple[list[int], list[int]]]:
    """Cut all pairs of slice and draw into portions: places of slices and numbers of draws, of the same length."""
    pairs = [(k, draw) for draw in range(draws) for k in range(slices)]
    for start in range(0, len(pairs), at_once):
        places, numbers = zip(*pairs[start : start + at_once], strict=True)
        yield list(places), list(numbers)


def load(path: Path, family: Family) -> ApddmRestorer:
    """Load a model file of the kind ``apddm``.

    Raises
    ------
    ModelError
        The configuration or the weights don't fit.
    """
    spec, parameters = read_spec(path)
    config = family.read(ApddmConfig, spec, path)
    network, fingerprint = load_network(path, family, config.unet, parameters)
    return ApddmRestorer(network, spec, config, fingerprint)
