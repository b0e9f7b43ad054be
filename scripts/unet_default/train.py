"""Train a UNet for the package on simulated pairs: all knobs in `parser`, one loop.

``make_models.sh`` beside this file says how the shipped model and the two that judge it are made from it. A run folder
holds ``model.safetensors`` (weights averaged over time), ``config.json`` and ``log.jsonl`` (loss and PSNR over time).
"""

from __future__ import annotations

import argparse
import json
import math
import queue
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from batches import BatchConfig, BatchMaker
from safetensors.torch import load_file, save_file
from sources import WEIGHTS, load_source
from torch.nn import functional

from napari_micromri.measure.image_quality import foreground, psnr
from napari_micromri.nn.unet import UNet, UNetConfig, count_parameters
from napari_micromri.simulation.acquisition import add_noise, foreground_mean, truncate_k_space
from napari_micromri.simulation.resampling import upsample

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHECK_SNR = (8, 15, 30)
CHECK_SLICES = 5


def main() -> None:
    """Parse the knobs and train."""
    knobs = parser().parse_args()
    torch.set_num_threads(knobs.threads)
    torch.manual_seed(knobs.seed)
    config = UNetConfig(
        features_main=tuple(knobs.features),
        downsampling="conv_strided",
        patch_size=knobs.patch_size,
        residual=knobs.residual,
    )
    model = UNet(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    if knobs.start:
        model.load_state_dict(load_file(Path(knobs.start) / "model.safetensors"))
    sources = {name: load_source(name) for name in WEIGHTS if name not in knobs.without}
    checks = {name: load_source(name) for name in ("mouse_trunk", "rat_head")}
    batch = BatchConfig(
        upsampling=knobs.upsampling,
        crop=knobs.crop,
        batch=knobs.batch,
        p_noisy_target=knobs.noisy_targets,
        target_snr=(knobs.target_snr[0], knobs.target_snr[1]),
    )
    run = Path(knobs.run)
    run.mkdir(parents=True)
    (run / "config.json").write_text(json.dumps(vars(knobs) | {"unet": config.model_dump()}, indent=1))
    print(f"{count_parameters(model)} parameters; { ({k: len(v) for k, v in sources.items()}) }", flush=True)
    loop(model, BatchMaker(sources, WEIGHTS, batch, knobs.seed), knobs, run, checks)


def loop(
    model: UNet,
    maker: BatchMaker,
    knobs: argparse.Namespace,
    run: Path,
    checks: dict[str, list[NDArray[np.float32]]],
) -> None:
    """Train until the time is up; the learning rate falls along a cosine over that time."""
    batches: queue.Queue[tuple[torch.Tensor, torch.Tensor]] = queue.Queue(maxsize=4)
    threading.Thread(target=feed, args=(maker, batches), daemon=True).start()
    optimizer = torch.optim.AdamW(model.parameters(), lr=knobs.lr, weight_decay=1e-4, betas=(0.9, 0.99))
    averaged = {k: v.detach().clone() for k, v in model.state_dict().items()}
    start, step, next_check, losses = time.monotonic(), 0, 0.0, []
    while (passed := (time.monotonic() - start) / 60 / knobs.minutes) < 1:
        warm = min(1.0, (step + 1) / 200)
        for group in optimizer.param_groups:
            group["lr"] = warm * knobs.lr * (knobs.final + (1 - knobs.final) * (1 + math.cos(math.pi * passed)) / 2)
        inputs, targets = batches.get()
        with torch.autocast("cpu", torch.bfloat16, enabled=knobs.bfloat16):
            output = model(inputs.contiguous(memory_format=torch.channels_last))
        loss = criterion(knobs.loss, output.float(), inputs, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        decay = min(knobs.ema, (step + 1) / (step + 10))
        for key, value in model.state_dict().items():
            averaged[key].lerp_(value, 1 - decay)
        losses.append(loss.item())
        if passed >= next_check:
            next_check += 0.1
            report(model, averaged, run, knobs, checks, step=step, passed=passed, loss=float(np.mean(losses[-200:])))
    report(model, averaged, run, knobs, checks, step=step, passed=1.0, loss=float(np.mean(losses[-200:])))


def criterion(kind: str, output: torch.Tensor, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Compare output and target; ``relative`` counts each crop in units of what sinc interpolation alone gets wrong.

    Plain MSE is ruled by the noisiest crops; PSNR at a high SNR then pays for it. ``structural`` adds 1 - SSIM, and
    once more the error of the mean of 16 x 16 pixels, which is where a loss of brightness shows.
    """
    error = (output - targets).square().mean(dim=(1, 2, 3))
    match kind:
        case "mse":
            return error.mean()
        case "mae":
            return (output - targets).abs().mean()
    given = (inputs - targets).square().mean(dim=(1, 2, 3)) + 1e-3
    relative = (error / given).mean()
    if kind == "relative":
        return relative
    local = functional.avg_pool2d(output - targets, 16).square().mean(dim=(1, 2, 3))
    return relative + 10 * (local / given).mean() + (1 - similarity(output, targets))


def similarity(image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean SSIM (report eq. 8) in Gaussian windows of sigma 1.5; the range of a crop is the maximum of its target."""
    x = torch.arange(-5.0, 6.0)
    window = torch.exp(-(x**2) / (2 * 1.5**2))
    window = window / window.sum()

    def smooth(values: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(functional.conv2d(values, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))

    span = target.amax(dim=(1, 2, 3), keepdim=True).clamp_min(1.0)
    a, b = image / span, target / span
    mean_a, mean_b = smooth(a), smooth(b)
    variance = smooth(a * a) - mean_a**2 + smooth(b * b) - mean_b**2
    covariance = smooth(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
    return (luminance * (2 * covariance + 9e-4) / (variance + 9e-4)).mean()


def feed(maker: BatchMaker, batches: queue.Queue[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Fill the queue for ever."""
    while True:
        inputs, targets = maker.draw()
        batches.put((torch.from_numpy(inputs), torch.from_numpy(targets)))


@torch.inference_mode()
def report(
    model: UNet,
    averaged: dict[str, torch.Tensor],
    run: Path,
    knobs: argparse.Namespace,
    checks: dict[str, list[NDArray[np.float32]]],
    **facts: float,
) -> None:
    """Save the averaged weights and log their PSNR beside that of plain sinc."""
    own = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(averaged)
    line: dict[str, object] = {**facts, "without": knobs.without}
    for name, slices in checks.items():
        line[name] = [check(model, slices, snr, knobs) for snr in CHECK_SNR]
    model.load_state_dict(own)
    save_file({k: v.contiguous() for k, v in averaged.items()}, run / "model.safetensors")
    with (run / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def check(model: UNet, slices: list[NDArray[np.float32]], snr: float, knobs: argparse.Namespace) -> list[float]:
    """Return mean PSNR in dB of sinc and of the model, and the foreground bias in percent."""
    rng = np.random.default_rng(7)
    rows = []
    for k in np.linspace(3, len(slices) - 4, CHECK_SLICES).round().astype(int):
        good = slices[k]
        coarse = truncate_k_space(good, (good.shape[0] // 2, good.shape[1] // 2))
        fast = add_noise(coarse, foreground_mean(good) / snr, rng)
        given = upsample(fast, (good.shape[0], good.shape[1]), knobs.upsampling)
        scale = float(fast.mean())
        with torch.autocast("cpu", torch.bfloat16, enabled=knobs.bfloat16):
            output = model(torch.from_numpy(given / scale)[None, None]).float()[0, 0].numpy() * scale
        bright = foreground(good)
        rows.append([psnr(given, good), psnr(output, good), 100 * (output[bright].mean() / good[bright].mean() - 1)])
    return [round(float(v), 2) for v in np.mean(rows, axis=0)]


def parser() -> argparse.ArgumentParser:
    """Describe the knobs."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run", help="folder to write, new")
    p.add_argument("--minutes", type=float, required=True)
    p.add_argument("--without", nargs="*", default=[], choices=tuple(WEIGHTS))
    p.add_argument("--start", help="run folder whose weights to start from")
    p.add_argument("--features", type=int, nargs="+", default=[64, 64, 96])
    p.add_argument("--patch-size", type=int, default=2)
    p.add_argument("--residual", action=argparse.BooleanOptionalAction, default=True)
    p.add_argument("--upsampling", default="sinc")
    p.add_argument("--loss", choices=("relative", "structural", "mse", "mae"), default="relative")
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--crop", type=int, default=96)
    p.add_argument("--noisy-targets", type=float, default=0.7, help="part of the targets that get noise of their own")
    p.add_argument("--target-snr", type=float, nargs=2, default=[10, 60], help="their SNR")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--final", type=float, default=0.02, help="last learning rate, as a fraction of the first")
    p.add_argument("--ema", type=float, default=0.998)
    p.add_argument("--bfloat16", action=argparse.BooleanOptionalAction, default=True)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seed", type=int, default=0)
    return p


if __name__ == "__main__":
    main()
