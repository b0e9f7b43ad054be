"""Train an APDDM from a trained UNet on the same simulated pairs: all knobs in `parser`, one loop.

``make_models.sh`` beside this file says how the shipped model, the two that judge it and the two that it is compared
with are made from it. ``--variant unet`` trains the plain UNet on for as long, on the same batches. The clock counts
the processor's time, so that other work on the machine changes nothing. A run folder holds ``model.safetensors``
(weights averaged over time), ``config.json``, ``log.jsonl``, and ``state.pt`` while it can be taken up again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "unet_default"))

from batches import BatchConfig, BatchMaker
from sources import WEIGHTS, load_source
from train import criterion, feed

from napari_micromri.nn.apddm.config import ApddmConfig, options_for
from napari_micromri.nn.apddm.network import estimate, starting_weights
from napari_micromri.nn.apddm.residuals import ResidualBank, collect
from napari_micromri.nn.apddm.schedule import SCHEDULE
from napari_micromri.nn.apddm.training import PathBatch, make_batch
from napari_micromri.nn.registry import load_model
from napari_micromri.nn.unet import UNet, UNetConfig, count_parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

SAVE_EVERY = 120.0
WINDOW = 200


def main() -> None:
    """Parse the knobs and train."""
    knobs = parser().parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(knobs.seed)
    shelf = Path(knobs.run).parent / "sources"
    sources = {name: shelved(name, shelf) for name in WEIGHTS if name not in knobs.without}
    # Noise in the targets as in the second stage of the UNet.
    config = BatchConfig(p_noisy_target=0.5, target_snr=(12.0, 80.0))
    maker = BatchMaker(sources, WEIGHTS, config, knobs.seed)
    bank = collect_bank(maker, knobs.bank)
    model, apddm = build(knobs)
    run = Path(knobs.run)
    run.mkdir(parents=True, exist_ok=knobs.resume)
    described: dict[str, Any] = {"unet": model.config.model_dump()}
    described |= {"bank": {"digest": bank.digest, "count": len(bank), "excess_kurtosis": bank.excess_kurtosis}}
    text = json.dumps(vars(knobs) | described | {"apddm": apddm.model_dump() if apddm else None}, indent=1)
    (run / "config.json").write_text(text)
    print(f"{count_parameters(model)} parameters; bank of {len(bank)}", flush=True)
    Training(model, apddm, maker, bank, knobs, run).loop()


def shelved(name: str, shelf: Path) -> list[NDArray[np.float32]]:
    """Load a source; what takes long to draw is kept for the next run."""
    file = shelf / f"{name}.npz"
    if file.exists():
        with np.load(file) as known:
            return [known[key] for key in known.files]
    slices = load_source(name)
    shelf.mkdir(parents=True, exist_ok=True)
    np.savez(file, *slices)
    return slices


def collect_bank(maker: BatchMaker, count: int) -> ResidualBank:
    """Fill the bank from crops of the training sources, at SNR that are drawn as in training."""
    pairs: list[tuple[Any, Any]] = []
    while len(pairs) < count:
        given, good = maker.draw()
        pairs += zip(given[::4, 0], good[::4, 0], strict=True)  # one crop of each slice
    return collect(pairs[:count])


def build(knobs: argparse.Namespace) -> tuple[UNet, ApddmConfig | None]:
    """Make the network, with the weights of the UNet that it starts from."""
    start: Any = load_model(knobs.start)
    plain: dict[str, Tensor] = start.network.state_dict()
    config = UNetConfig.model_validate(start.spec.config)
    if knobs.variant == "unet":
        model, apddm = UNet(config), None
    else:
        config = options_for(knobs.variant, config)
        apddm = ApddmConfig(
            unet=config,
            parameterisation=knobs.variant,
            steps=knobs.steps,
            beta=knobs.beta,
            schedule=SCHEDULE.validate_python({"name": knobs.schedule}),
        )
        model = UNet(config)
    model.load_state_dict(starting_weights(model, plain))
    return model.to(memory_format=torch.channels_last), apddm  # type: ignore[call-overload]  # torch's stub lacks it


class Training:
    """The state of a run: what it trains, how far it is, and how it is saved and taken up again."""

    def __init__(
        self,
        model: UNet,
        apddm: ApddmConfig | None,
        maker: BatchMaker,
        bank: ResidualBank,
        knobs: argparse.Namespace,
        run: Path,
    ) -> None:
        self.model, self.apddm, self.maker, self.bank, self.knobs, self.run = model, apddm, maker, bank, knobs, run
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=knobs.lr, weight_decay=1e-4, betas=(0.9, 0.99))
        self.averaged = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.generator = torch.Generator().manual_seed(knobs.seed)
        self.step, self.before = 0, 0.0
        self.losses: list[float] = []
        if knobs.resume:
            self.take_up()

    def loop(self) -> None:
        """Train until the processor's time is up; the learning rate falls along a cosine over that time."""
        batches: queue.Queue[tuple[Tensor, Tensor]] = queue.Queue(maxsize=4)
        threading.Thread(target=feed, args=(self.maker, batches), daemon=True).start()
        started, saved = time.process_time(), time.process_time()
        while (spent := self.before + time.process_time() - started) < 60 * self.knobs.minutes:
            self.set_rate(spent / 60 / self.knobs.minutes)
            self.train_on(*batches.get())
            if time.process_time() - saved > SAVE_EVERY:
                saved = time.process_time()
                self.save(spent)
        self.save(spent)
        (self.run / "state.pt").unlink()

    def set_rate(self, passed: float) -> None:
        """Set the learning rate for a part of the time."""
        knobs, warm = self.knobs, min(1.0, (self.step + 1) / 200)
        for group in self.optimizer.param_groups:
            group["lr"] = warm * knobs.lr * (knobs.final + (1 - knobs.final) * (1 + math.cos(math.pi * passed)) / 2)

    def train_on(self, anchor: Tensor, good: Tensor) -> None:
        """Take one step."""
        batch = self.place(good, anchor)
        with torch.autocast("cpu", torch.bfloat16):
            output = self.predict(batch)
        loss = criterion(self.knobs.loss, output.float(), anchor, good)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        decay = min(self.knobs.ema, (self.step + 1) / (self.step + 10))
        for key, value in self.model.state_dict().items():
            self.averaged[key].lerp_(value, 1 - decay)
        self.losses.append(loss.item())

    def place(self, good: Tensor, anchor: Tensor) -> PathBatch:
        """Place pairs on the path as the variant wants them."""
        if self.apddm is None:
            return PathBatch(anchor, torch.full((len(good),), self.knobs.steps), anchor, good)
        if self.apddm.parameterisation == "simplified":
            return make_batch(good, anchor, self.bank, self.apddm.path, self.generator, at_end=1.0, noiseless=0.5)
        knobs = self.knobs
        return make_batch(
            good, anchor, self.bank, self.apddm.path, self.generator, at_end=knobs.at_end, noiseless=knobs.noiseless
        )

    def predict(self, batch: PathBatch) -> Tensor:
        """Estimate the good scans."""
        if self.apddm is None:
            result: Tensor = self.model(batch.anchor.contiguous(memory_format=torch.channels_last))
            return result
        return estimate(self.model, self.apddm, batch.x, batch.anchor, batch.t)

    def save(self, spent: float) -> None:
        """Save the averaged weights and all that is needed to go on, and log the loss."""
        save_file({k: v.contiguous() for k, v in self.averaged.items()}, self.run / "model.safetensors")
        state = {
            "model": self.model.state_dict(),
            "averaged": self.averaged,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "spent": spent,
        }
        torch.save(state, self.run / "state.tmp")
        os.replace(self.run / "state.tmp", self.run / "state.pt")
        line = {"step": self.step, "minutes": round(spent / 60, 2), "loss": float(np.mean(self.losses[-WINDOW:]))}
        with (self.run / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)

    def take_up(self) -> None:
        """Go on where the run stopped; its batches are new ones."""
        state = torch.load(self.run / "state.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.averaged = state["averaged"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.step, self.before = state["step"], state["spent"]
        self.maker.rng = np.random.default_rng([self.knobs.seed, self.step])


def parser() -> argparse.ArgumentParser:
    """Describe the knobs."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run", help="folder to write, new")
    p.add_argument("--start", required=True, help="UNet to start from: a name or a model file")
    p.add_argument("--minutes", type=float, required=True, help="of the processor's time")
    p.add_argument("--variant", default="residual", choices=("residual", "paper", "simplified", "unet"))
    p.add_argument("--without", nargs="*", default=[], choices=tuple(WEIGHTS))
    p.add_argument("--steps", type=int, default=20, help="T")
    p.add_argument("--beta", type=float, default=0.6, help="noise at t = T over the RMS of the residual")
    p.add_argument("--schedule", default="parabola", choices=("parabola", "sine", "bridge", "constant"))
    p.add_argument("--at-end", type=float, default=0.5, help="part of the samples at t = T")
    p.add_argument("--noiseless", type=float, default=1.0, help="part of those that have no noise")
    p.add_argument("--bank", type=int, default=200, help="residuals in the bank")
    p.add_argument("--loss", choices=("relative", "structural", "mse"), default="structural")
    p.add_argument("--lr", type=float, default=3e-4)
    p.add_argument("--final", type=float, default=0.02, help="last learning rate, as a fraction of the first")
    p.add_argument("--ema", type=float, default=0.998)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    return p


if __name__ == "__main__":
    main()
