"""Reproduce two figures of the report from digital mice, whose fast scans are simulated: no data folder is needed.

``apddm_variance.png``: the variance of the path's noise over time for T = 100, by eq. 29 and over chains that were
walked step by step. ``apddm_beta.png`` (report, figure 30): how far the end of the chain lies from the fast scan, over
beta, by ``beta^2`` and from chains, with the largest beta for which the chain converges (eq. 37).

The formulas take draws whose mean is zero at every pixel. Gaussian ones have that; a bank of one animal's 30 slices has
not, since its outlines lie in the same places in all of them and add up over the steps. Both are shown.

Usage: ``python scripts/models/reproduce_path.py [--output docs/images]``; it prints the largest deviations.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import torch

from napari_micromri.nn.families.apddm.path import AnchoredPath, critical_beta
from napari_micromri.nn.families.apddm.residuals import collect
from napari_micromri.nn.families.apddm.schedule import accumulated_parabola
from napari_micromri.simulation.resampling import upsample
from napari_micromri.simulation.samples import digital_mouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    Pairs = list[tuple[NDArray[np.float32], NDArray[np.float32]]]

ROOT = Path(__file__).resolve().parents[2]
STEPS, CHAINS = 100, 12
BETAS = (0.01, 0.03, 0.1, 0.3)


def main() -> None:
    """Walk the chains, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    output = parser.parse_args().output
    pairs = slices()
    fast, good = (torch.from_numpy(image)[None, None] for image in pairs[len(pairs) // 2])
    sources = draws_of(pairs, torch.Generator().manual_seed(0))
    output.mkdir(parents=True, exist_ok=True)
    variance_figure(sources, good, fast, output / "apddm_variance.png")
    beta_figure(sources, good, fast, output / "apddm_beta.png")


def draws_of(pairs: Pairs, generator: torch.Generator) -> dict[str, Callable[[], Tensor]]:
    """Give the two sources of noise for all chains."""
    bank = collect(pairs)
    height, width = pairs[0][0].shape
    return {
        "Gaussian draws": lambda: torch.randn(CHAINS, 1, height, width, generator=generator),
        "residual bank of one animal": lambda: bank.draw(CHAINS, (height, width), generator),
    }


def slices() -> Pairs:
    """Give the slices of the digital mouse, divided by the mean of the fast one: fast on the fine grid, and good."""
    fast, good = (scan.read().astype(np.float32) for scan in digital_mouse())
    fine = upsample(fast, (good.shape[-2], good.shape[-1]), "sinc")
    return [(f / c.mean(), g / c.mean()) for f, g, c in zip(fine, good, fast, strict=True)]


def chains(path: AnchoredPath, draw: Callable[[], Tensor], good: Tensor, fast: Tensor) -> Iterator[Tensor]:
    """Walk chains step by step; give x_t of every step."""
    x = good.expand(CHAINS, -1, -1, -1)
    for t in range(1, path.steps + 1):
        x = path.step(x, fast - good, t, draw())
        yield x


def variance_figure(sources: dict[str, Callable[[], Tensor]], good: Tensor, fast: Tensor, file: Path) -> None:
    """Draw the variance between chains over time."""
    path = AnchoredPath(STEPS, 0.1)
    t = np.arange(STEPS + 1)
    closed = path.sigma**2 * accumulated_parabola(t, STEPS)
    figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
    axes.plot(t, closed, color="black", label="closed form (eq. 29)")
    for name, draw in sources.items():
        found = np.array([0.0, *(float(x.var(dim=0).mean()) for x in chains(path, draw, good, fast))])
        axes.plot(t, found, ".", markersize=3, label=name)
        worst = float(np.abs(found - closed).max() / closed[-1])
        print(f"variance over time, T {STEPS}, {CHAINS} chains, {name}: within {100 * worst:.1f} % of the last value")
    axes.set(xlabel="step t", ylabel="variance between chains", title=f"T = {STEPS}, beta = {path.beta}")
    axes.legend(loc="lower right")
    figure.savefig(file, dpi=120)


def beta_figure(sources: dict[str, Callable[[], Tensor]], good: Tensor, fast: Tensor, file: Path) -> None:
    """Draw the distance of the end from the fast scan over beta."""
    critical = critical_beta(float((fast - good).square().mean().sqrt()), STEPS)
    figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
    axes.loglog(BETAS, [beta**2 for beta in BETAS], color="black", label="beta²")
    for name, draw in sources.items():
        found = []
        for beta in BETAS:
            *_, last = chains(AnchoredPath(STEPS, beta), draw, good, fast)
            found.append(float((last - fast).square().mean()))
        axes.loglog(BETAS, found, "o", label=name)
        ratios = ", ".join(f"{value / beta**2:.2f}" for value, beta in zip(found, BETAS, strict=True))
        print(f"MSE of the end over beta^2, {name}: {ratios}; critical beta {critical:.4f}")
    axes.axvline(critical, linestyle=":", color="gray", label="critical beta (eq. 37)")
    axes.set(xlabel="beta", ylabel="MSE(x_T, x_T*)", title=f"End of the chain, T = {STEPS}")
    axes.legend(loc="lower right")
    figure.savefig(file, dpi=120)


if __name__ == "__main__":
    main()
