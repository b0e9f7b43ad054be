"""Give a trained model its name and its card, and put it where it is shipped.

Usage: ``python scripts/models/publish.py RUN/best.safetensors OUTPUT.safetensors --name NAME [--blend MODEL]``.

A network that began with other weights, and has learned much of what is new to it, forgets some of what those knew of
scans unlike its own. Weights on the line between both keep the better of the two (Wortsman et al. 2022, WiSE-FT):
``--blend`` names the model that training began with, or an earlier one that began with the same weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file
from sources import LICENCES

from napari_micromri.nn.checkpoint import ModelCard, read_spec, save_checkpoint

if TYPE_CHECKING:
    from torch import Tensor

SUMMARIES = {
    "unet": "UNet for T2-weighted scans of small animals: doubles the matrix and removes noise",
    "apddm": "APDDM for T2-weighted scans of small animals: from faithful to textured, with uncertainty",
}
INTENDED_USE = (
    "Fast, coarse magnitude scans of small animals, slice by slice, factor 2. For looking and for measuring sizes and "
    "mean intensities; not for diagnosis."
)
LIMITS = (
    "Learned from simulated pairs: good scans, phantoms and photographs, whose fast scans were made by k-space "
    "truncation and Rician noise, a part of it filtered, zero-filled or interpolated. It saw no motion and no ghosts. "
    "It is told the noise as measured on each slice; where that is wrong, set the strength."
)
OWN_LIMITS = {
    "apddm": " With more than one step it adds texture of the right strength, of which only a part is true; with "
    "several draws their spread stands for what the fast scan leaves open, not for what the model doesn't know."
}
PART = 0.6
"""How far a blend lies from the earlier model towards the trained one."""

PATH_STEPS = 50
"""The network is told t / T, so that the path may be walked in finer steps than it was trained on."""


def main() -> None:
    """Write the model file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--blend", type=Path)
    options = parser.parse_args()
    spec, _ = read_spec(options.model)
    training = spec.provenance["training"]
    settings = training["simulated"]
    # Of the model that training began with the name is enough: where it lay says something of this computer only.
    training = training | {"init_from": training["init_from"] and Path(training["init_from"]).name}
    card = ModelCard(
        summary=SUMMARIES[spec.kind],
        intended_use=INTENDED_USE,
        limits=LIMITS + OWN_LIMITS.get(spec.kind, ""),
        training_data={name: LICENCES[name] for name in spec.provenance["split"]["train"]},
        licence="BSD-3-Clause",
    )
    changed = {
        "name": options.name,
        "card": card,
        "config": spec.config | ({"steps": PATH_STEPS} if spec.kind == "apddm" else {}),
        "provenance": spec.provenance
        | {"training": training, "snr_range": [settings["snr_low"], settings["snr_high"]]},
    }
    weights = load_file(options.model)
    if options.blend is not None:
        changed["provenance"] |= {"blend": {"with": read_spec(options.blend)[0].name, "part": PART}}
        weights = blend(load_file(options.blend), weights)
    save_checkpoint(options.output, weights, spec.model_copy(update=changed), overwrite=True)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB")


def blend(begin: dict[str, Tensor], end: dict[str, Tensor]) -> dict[str, Tensor]:
    """Go a part of the way between two sets of weights; what the first isn't told of the noise has weights of zero."""
    return {name: torch.lerp(_widened(begin[name], weight), weight, PART) for name, weight in end.items()}


def _widened(weight: Tensor, like: Tensor) -> Tensor:
    # The noise is told by one channel after that of the image, and before what a diffusion model sees beside it.
    channels = like.shape[1] - weight.shape[1] if weight.ndim == 4 else 0
    if not channels:
        return weight
    return torch.cat([weight[:, :channels], torch.zeros_like(like[:, :channels]), weight[:, channels:]], dim=1)


if __name__ == "__main__":
    main()
