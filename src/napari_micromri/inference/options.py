"""What can be chosen about a denoising run."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  # read by dataclasses at run time
from dataclasses import dataclass, field
from typing import Literal

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Quality = Literal["fast", "best"]


@dataclass(frozen=True, kw_only=True)
class DenoiseOptions:
    """What can be chosen about a denoising run.

    Parameters
    ----------
    select
        Axis -> contiguous indices, for axes that are not in the plane; an axis that is missing is taken whole.
    slice_axis
        The spatial axis that slices are stacked along; the other two are the plane that is denoised.
    device
        ``"auto"`` (CUDA, then MPS, then CPU), or a name such as ``"cpu"``, ``"cuda:1"``, ``"mps"``.
    precision
        What convolutions are computed in. ``"auto"`` is half precision on a GPU, and on a CPU the faster of float32
        and bfloat16, which is measured once. All else is float32.
    batch_size
        Slices at once; None chooses by memory. Running out of memory halves it.
    tile
        Side in fine pixels of the squares that the network sees; None takes whole slices while they fit.
    quality
        ``"best"`` averages over the eight flips and turns of each slice, for eight times the time; see
        `napari_micromri.inference.turns`.
    noise
        For models that are told the noise: its standard deviation in the scan's units; None measures it on each slice.
    strength
        For the same models: the noise is told times this. Above 1 more is removed, below 1 less.
    dark_air
        Take the brightness of the air out of the result; see `napari_micromri.inference.dark_air`.
    anyway
        Also denoise what isn't a magnitude image; see `napari_micromri.inference.domain`.
    steps, draws, eta, seed
        For diffusion models only; see `napari_micromri.nn.restorer.Sampling`. None is one step and one draw without
        noise; several draws take 5 steps and all the noise (eta 1) unless told otherwise.
    """

    select: Mapping[str, range] = field(default_factory=dict)
    slice_axis: str = "z"
    device: str = "auto"
    precision: Precision = "auto"
    batch_size: int | None = None
    tile: int | None = None
    dark_air: bool = False
    anyway: bool = False
    quality: Quality = "fast"
    noise: float | None = None
    strength: float = 1.0
    steps: int | None = None
    draws: int | None = None
    eta: float | None = None
    seed: int | None = None
