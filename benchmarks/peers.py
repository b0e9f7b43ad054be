"""Compare the models with other programs on the same slices, in one run on one thread.

Fast slices are simulated as in ``quality.py`` from the middle slices of each left-out source, which follow each other,
since some peers denoise volumes. Each method runs in a process of its own, which tells its processor time per slice and
its peak memory. Filters of coarse slices are told the measured noise and are followed by sinc interpolation, plain and
with the Rician bias taken out; the better counts, as it does of several strengths.

dipy, CAREamics and MONAI are installed into an environment of their own, which borrows the rest from this one:

    python benchmarks/peers.py --results benchmarks/peers.json --update docs/training.md
    python benchmarks/peers.py --methods "N2V (CAREamics)" --results benchmarks/peers.json    # one of them again

N2V learns from the slices at hand alone, for `N2V_EPOCHS`. ``..., MINUTES`` are networks that learn for the same
processor time from the same simulated pairs, of all sources that the model ``unet`` of a source has learned from.
With ``--results`` the figures of other methods that stand in the file are kept; a peer that can't run is named.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from contextlib import redirect_stdout
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _peers import environment
from quality import (
    HERE,
    LEFT_OUT,
    REAL,
    best_figures,
    bm3d_filter,
    denoised,
    fast_slice,
    fast_slices,
    filtered,
    load,
    nlm,
    on_fine_grid,
    put_between,
    tv,
)

from napari_micromri.measure.noise import estimate_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import torch
    from numpy.typing import NDArray

    Volume = NDArray[Any]
    Peer = Callable[[Volume, str], Iterable[Volume]]
    Result = dict[str, Any]

ENVIRONMENT = HERE.parent / "build" / "peers"
PINNED = """
    dipy==1.12.1 trx-python==0.6 monai==1.6.1 careamics==0.3.5 lightning==2.6.1 pytorch-lightning==2.6.1
    bioimageio.core==0.11.0 bioimageio.spec==0.5.14.3 xarray loguru genericache markdown httpx exceptiongroup ruyaml
    microssim==0.0.5 email-validator dnspython h5py torchmetrics lightning-utilities
""".split()
"""Without their dependencies: together they want a torch and a torchvision other than those here."""
SLICES, SNRS = 6, (8.0, 15.0, 30.0)
N2V_EPOCHS = 30
TRAINING_SECONDS = 120
BATCH, SIDE = 8, 96


def peers() -> dict[str, Peer]:
    """Name functions of fast slices (N, h, w) and their source that give fine volumes, one for each variant."""

    def ours(name: str, **chosen: Any) -> Peer:
        def run(fast: Volume, source: str) -> Iterator[Volume]:
            model = LEFT_OUT[source].replace("unet", name)
            yield denoised(fast, HERE / "models" / f"{model}.safetensors", **chosen)

        return run

    def slicewise(*several: Any) -> Peer:
        return lambda fast, _: filtered(fast, several)

    return {
        "unet": ours("unet"),
        "unet, best": ours("unet", quality="best"),
        "apddm, 1 step": ours("apddm"),
        "apddm, best": ours("apddm", quality="best"),
        "BM3D": slicewise(bm3d_filter()),
        "BM4D": volumewise(bm4d),
        "NLM (scikit-image)": slicewise(*map(nlm, (0.6, 0.8, 1.0))),
        "NLM (dipy)": dipy_nlm,
        "TV": slicewise(*map(tv, (0.5, 0.8, 1.2))),
        "wavelets": slicewise(wavelets),
        "N2V (CAREamics)": n2v,
        "our UNet, 2 minutes": partial(trained, our_network),
        "UNet of MONAI, 2 minutes": partial(trained, monai_network),
    }


ELSEWHERE = ("NLM (dipy)", "N2V (CAREamics)", "UNet of MONAI, 2 minutes")
"""Peers that need the environment of their own."""


def volumewise(one: Callable[[Volume, float], Volume]) -> Peer:
    """Filter all slices together, told the median of their noise."""

    def run(fast: Volume, _: str) -> Iterator[Volume]:
        sigma = float(np.median([estimate_noise(image).sigma for image in fast]))
        yield from on_fine_grid(one(fast.astype(float), sigma), [sigma] * len(fast))

    return run


def bm4d(volume: Volume, sigma: float) -> Volume:
    """BM4D for white noise of sigma."""
    from bm4d import bm4d as run

    top = float(volume.max())
    return np.asarray(top * run(volume / top, sigma / top))


def dipy_nlm(fast: Volume, source: str) -> Iterator[Volume]:
    """Non-local means that know Rician noise, over the volume and slice by slice."""
    from dipy.denoise.nlmeans import nlmeans

    def run(volume: Volume, sigma: float) -> Volume:
        turned = np.ascontiguousarray(np.moveaxis(volume, 0, -1))
        return np.moveaxis(nlmeans(turned, sigma=sigma, patch_radius=1, block_radius=5, rician=True), -1, 0)

    yield from volumewise(run)(fast, source)
    # It takes volumes only: three times the same slice, of which the middle one counts.
    yield from filtered(fast, [lambda image, sigma: run(np.stack([image] * 3), sigma)[1]])


def wavelets(image: Volume, sigma: float) -> Volume:
    """Shrink wavelet coefficients by Bayes' rule."""
    from skimage.restoration import denoise_wavelet

    return np.asarray(denoise_wavelet(image, sigma=sigma, method="BayesShrink", rescale_sigma=True))


def n2v(fast: Volume, _: str) -> Iterator[Volume]:
    """Noise2Void, trained on the slices at hand."""
    import logging
    import tempfile

    without_torchvision()
    from careamics import CAREamist
    from careamics.config.factories import create_n2v_config

    logging.disable(logging.INFO)
    config = create_n2v_config(
        "n2v", "array", axes="SYX", patch_size=(32, 32), batch_size=8, num_epochs=N2V_EPOCHS, n_val_patches=4
    )
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        model = CAREamist(config, work_dir=folder, enable_progress_bar=False)
        model.train(train_data=fast)
        found = np.asarray(model.predict(fast)[0]).reshape(fast.shape)
    yield from on_fine_grid(found.astype(float), [estimate_noise(image).sigma for image in fast])


def without_torchvision() -> None:
    """Let CAREamics be imported without it: only networks not used here need it, and it must fit the build of torch."""
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    import torchmetrics.functional.image  # it looks for the real one
    import torchmetrics.image  # noqa: F401

    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        module = ModuleType(name)
        module.__spec__, module.__dict__["__version__"] = ModuleSpec(name, None), "0"
        sys.modules[name] = module


def our_network() -> torch.nn.Module:
    """Build the network of ``unet-default``, without the channel for the noise."""
    from napari_micromri.nn.checkpoint import read_spec
    from napari_micromri.nn.families.unet.network import UNet, UNetConfig
    from napari_micromri.nn.registry import find_model

    config = read_spec(find_model("unet-default"))[0].config
    return UNet(UNetConfig(**config | {"noise_input": False}))


def monai_network() -> torch.nn.Module:
    """Build MONAI's UNet with residual units, of about as many parameters, which learns what to add to its input."""
    from monai.networks.layers import SkipConnection
    from monai.networks.nets import UNet

    inner = UNet(2, 1, 1, channels=(24, 48, 96), strides=(2, 2), num_res_units=2)
    network: torch.nn.Module = SkipConnection(inner, mode="add")
    return network


def trained(build: Callable[[], torch.nn.Module], fast: Volume, source: str) -> Iterator[Volume]:
    """Denoise with a network that has learned for `TRAINING_SECONDS`."""
    import torch

    network, recipe = learned(build, LEFT_OUT[source])
    given = torch.from_numpy(fast)[:, None]
    scaling = recipe.measure(given)
    fine = recipe.prepare(given, scaling, (2 * fast.shape[-2], 2 * fast.shape[-1]))
    rows, columns = (-size % 8 for size in fine.shape[-2:])
    padded = torch.nn.functional.pad(fine, (0, columns, 0, rows), mode="replicate")
    with torch.inference_mode():
        found = torch.cat([network(one[None]) for one in padded])[..., : fine.shape[-2], : fine.shape[-1]]
    yield scaling.restore(found)[:, 0].numpy()


@cache
def learned(build: Callable[[], torch.nn.Module], model: str) -> tuple[torch.nn.Module, Any]:
    """Train a network on crops of simulated pairs; gives it and how slices are brought to it."""
    import torch

    from napari_micromri.nn.checkpoint import read_spec
    from napari_micromri.nn.preparation import Recipe

    spec = read_spec(HERE / "models" / f"{model}.safetensors")[0]
    recipe = Recipe.of(spec, tells_noise=False)
    pairs = [prepared_pair(recipe, *one) for one in training_slices(spec.provenance["split"]["train"])]
    torch.manual_seed(0)
    rng, network = np.random.default_rng(0), build()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    begin = time.process_time()
    while (past := (time.process_time() - begin) / TRAINING_SECONDS) < 1:
        optimiser.param_groups[0]["lr"] = 1e-3 * 0.5 * (1 + np.cos(np.pi * past))
        given, wanted = (torch.stack(part) for part in zip(*(crop(pairs, rng) for _ in range(BATCH)), strict=True))
        optimiser.zero_grad()
        (network(given) - wanted).abs().mean().backward()
        optimiser.step()
    return network.eval(), recipe


def training_slices(sources: Iterable[str], most: int = 40) -> Iterator[tuple[Volume, float, int]]:
    """Choose at most so many good slices of each source, each with an SNR and a seed for its fast scan."""
    from sources import load_source

    rng = np.random.default_rng(0)
    for source in sources:
        slices = load_source(source, random_count=most)
        for k in rng.permutation(len(slices))[:most]:
            height, width = (size // 2 * 2 for size in slices[k].shape)
            if min(height, width) >= SIDE:
                yield slices[k][:height, :width], float(np.exp(rng.uniform(*np.log((4, 45))))), int(k)


def prepared_pair(recipe: Any, good: Volume, snr: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Simulate the fast slice, and bring both to the fine grid and to scale, (1, H, W)."""
    import torch

    given = torch.from_numpy(fast_slice(good, snr, seed))[None, None]
    scaling = recipe.measure(given)
    wanted = scaling.normalise(torch.from_numpy(np.ascontiguousarray(good))[None, None])
    return recipe.prepare(given, scaling, good.shape)[0], wanted[0]


def crop(pairs: list[tuple[torch.Tensor, torch.Tensor]], rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut the same square out of both images of a pair, turned and flipped by chance."""
    import torch

    images = torch.stack(pairs[rng.integers(len(pairs))])
    top, left = (rng.integers(size - SIDE + 1) for size in images.shape[-2:])
    square = images[..., top : top + SIDE, left : left + SIDE].rot90(int(rng.integers(4)), (-2, -1))
    given, wanted = square.flip(-1) if rng.integers(2) else square
    return given, wanted


def run_peer(name: str, sources: list[str]) -> Iterator[Result]:
    """Judge one method on all sources and SNR."""
    for source in sources:
        good = middle_slices(source)
        for snr in SNRS:
            fast = fast_slices(good, snr)
            run = peers()[name]
            if name.startswith(("unet", "apddm")) or "minutes" in name:  # loading and training are not a slice's cost
                list(run(fast[:2], source))
            start = time.process_time()
            variants = list(run(fast, source))
            seconds = (time.process_time() - start) / len(fast) / max(1, len(variants))
            figures = {key: best_figures(variants, good)[key] for key in ("psnr", "ssim", "bias")}
            print(
                f"{source} SNR {snr:g} {name}: {figures['psnr']:.2f} dB, {seconds:.2f} s", file=sys.stderr, flush=True
            )
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            yield {"source": source, "snr": snr, "method": name, "seconds": seconds, "memory": memory, **figures}


def middle_slices(source: str) -> Volume:
    """Load slices that follow each other."""
    good = load(source)
    first = (len(good) - SLICES) // 2
    return good[first : first + SLICES]


def in_own_process(name: str, options: argparse.Namespace) -> list[Result]:
    """Run one method and take what it prints; one that fails is told with the last line of its error."""
    python = environment(options.environment, PINNED) if name in ELSEWHERE else Path(sys.executable)
    paths = [str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")]
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [str(python), __file__, "--inside", name, "--sources", *options.sources]
    done = subprocess.run(command, env=os.environ | alone, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{name} can't run here", file=sys.stderr)
        return [{"source": source, "snr": snr, "method": name} for source in options.sources for snr in SNRS]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def table(rows: list[Result], source: str) -> str:
    """Format one source as Markdown: a line per method."""
    heads = [f"SNR {snr:g}: PSNR / SSIM" for snr in SNRS] + ["bias", "s a slice", "peak memory"]
    lines = ["| method | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    mine = {(row["method"], row["snr"]): row for row in rows if row["source"] == source}
    best = {snr: max((r.get("psnr", 0) for (_, at), r in mine.items() if at == snr), default=0) for snr in SNRS}
    for name in dict.fromkeys(name for name, _ in mine):
        at = [mine[name, snr] for snr in SNRS]
        if "psnr" not in at[0]:
            lines.append(f"| {name} | " + " | ".join(["not run"] * len(heads)) + " |")
            continue
        cells = [f"{r['psnr']:.2f} / {r['ssim']:.3f}" for r in at]
        cells = [f"**{c}**" if r["psnr"] == best[r["snr"]] else c for c, r in zip(cells, at, strict=True)]
        cells.append(" ".join(f"{100 * r['bias']:+.1f}" for r in at) + " %")
        cells += [f"{np.mean([r['seconds'] for r in at]):.2f}", f"{max(r['memory'] for r in at):.0f} MB"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the methods, keep the figures, print and update the tables."""
    options = parse()
    if options.inside:
        for row in run_peer(options.inside, options.sources):
            print(json.dumps(row), flush=True)
        return
    results = Path(options.results) if options.results else None
    known = json.loads(results.read_text()) if results and results.exists() else []
    found = {(row["source"], row["method"], row["snr"]): row for row in known}
    for name in options.methods:
        for row in in_own_process(name, options):
            place = row["source"], row["method"], row["snr"]
            found[place] = row if "psnr" in row else found.get(place, row)
        if results:
            results.write_text(json.dumps(list(found.values()), indent=1) + "\n")
    order = list(peers())
    rows = sorted(found.values(), key=lambda row: order.index(row["method"]))
    parts = [f"**{source.replace('_', ' ')}**\n\n{table(rows, source)}" for source in options.sources]
    print("\n\n".join(parts))
    for document in options.update:
        put_between(Path(document), "peers", "\n\n".join(parts))


def parse() -> argparse.Namespace:
    """Describe the knobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", nargs="+", default=list(REAL), choices=REAL)
    parser.add_argument("--methods", nargs="*", default=list(peers()), choices=list(peers()))
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="folder of the peers' environment")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--results", help="JSON file with the figures: read if it is there, and written")
    parser.add_argument("--update", nargs="*", default=[], help="documents to put the tables into")
    return parser.parse_args()


if __name__ == "__main__":
    main()
