"""Reproduce two figures of the report from digital mice, whose fast scans are simulated: no data folder is needed.

``apddm_variance.png``: the variance of the path's noise over time for T = 100, by eq. 29 and from chains that were
walked step by step. ``apddm_beta.png`` (report, figure 30): how far the end of the chain lies from the fast scan, over
beta, by ``beta^2`` and from chains, with the largest beta for which the chain converges (eq. 37).

Usage: ``python scripts/apddm_default/reproduce.py [--output docs/images]``; it prints the largest deviations.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import torch

from napari_micromri.nn.apddm.path import AnchoredPath, critical_beta
from napari_micromri.nn.apddm.residuals import collect
from napari_micromri.nn.apddm.schedule import accumulated_parabola
from napari_micromri.simulation.resampling import upsample
from napari_micromri.simulation.samples import digital_mouse

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_micromri.nn.apddm.residuals import ResidualBank

ROOT = Path(__file__).resolve().parents[2]
STEPS, CHAINS = 100, 24
BETAS = (0.02, 0.05, 0.1, 0.2, 0.4)


def main() -> None:
    """Walk the chains, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    output = parser.parse_args().output
    pairs = slices()
    bank = collect(pairs)
    fast, good = (torch.from_numpy(image)[None, None] for image in pairs[len(pairs) // 2])
    generator = torch.Generator().manual_seed(0)
    output.mkdir(parents=True, exist_ok=True)
    variance_figure(bank, good, fast, generator, output / "apddm_variance.png")
    beta_figure(bank, good, fast, generator, output / "apddm_beta.png")


def slices() -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Give the slices of the digital mouse, divided by the mean of the fast one: fast on the fine grid, and good."""
    fast, good = (scan.read().astype(np.float32) for scan in digital_mouse())
    fine = upsample(fast, (good.shape[-2], good.shape[-1]), "sinc")
    return [(f / c.mean(), g / c.mean()) for f, g, c in zip(fine, good, fast, strict=True)]


def chains(path: AnchoredPath, bank: ResidualBank, good: Tensor, fast: Tensor, generator: torch.Generator) -> Any:
    """Walk chains step by step; give x_t of every step, one at a time."""
    x = good.expand(CHAINS, -1, -1, -1)
    for t in range(1, path.steps + 1):
        x = path.step(x, fast - good, t, bank.draw(CHAINS, (good.shape[-2], good.shape[-1]), generator))
        yield t, x


def variance_figure(bank: ResidualBank, good: Tensor, fast: Tensor, generator: torch.Generator, path: Path) -> None:
    """Draw the variance over time."""
    beta = 0.1
    model = AnchoredPath(STEPS, beta)
    measured = [0.0]
    for t, x in chains(model, bank, good, fast, generator):
        noise = x - good - t / STEPS * (fast - good)
        measured.append(float(noise.square().mean()))
    t = np.arange(STEPS + 1)
    closed = model.sigma**2 * accumulated_parabola(t, STEPS)
    worst = float(np.abs(np.array(measured) - closed).max() / closed[-1])
    print(f"variance over time, T {STEPS}, {CHAINS} chains: largest deviation {100 * worst:.1f} % of the last value")
    figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
    axes.plot(t, closed, label="closed form (eq. 29)")
    axes.plot(t, measured, ".", markersize=3, label=f"{CHAINS} chains, step by step")
    axes.set(xlabel="step t", ylabel="variance of the noise", title=f"T = {STEPS}, beta = {beta}")
    axes.legend()
    figure.savefig(path, dpi=120)


def beta_figure(bank: ResidualBank, good: Tensor, fast: Tensor, generator: torch.Generator, path: Path) -> None:
    """Draw the distance of the end from the fast scan over beta."""
    found = []
    for beta in BETAS:
        *_, (_, last) = chains(AnchoredPath(STEPS, beta), bank, good, fast, generator)
        found.append(float((last - fast).square().mean()))
    worst = max(abs(value / beta**2 - 1) for value, beta in zip(found, BETAS, strict=True))
    critical = critical_beta(float((fast - good).square().mean().sqrt()), STEPS)
    print(f"MSE of the end over beta: within {100 * worst:.1f} % of beta^2; critical beta {critical:.4f}")
    figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
    axes.loglog(BETAS, [beta**2 for beta in BETAS], label="beta²")
    axes.loglog(BETAS, found, "o", label="chains, step by step")
    axes.axvline(critical, linestyle=":", color="gray", label="critical beta (eq. 37)")
    axes.set(xlabel="beta", ylabel="MSE(x_T, x_T*)", title=f"End of the chain, T = {STEPS}")
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
