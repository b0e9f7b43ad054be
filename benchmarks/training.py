"""How much longer an epoch takes than its forward and backward passes alone, and how soon a run answers a stop.

Both ways see the same batches of a study on the disk, in turn, several times over. With ``--kills N`` it also kills a
run at N random moments, continues each time, and compares the weights with those of a run that was left in peace.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file

from napari_micromri.scan import Scan, ScanInfo
from napari_micromri.study.build import build
from napari_micromri.study.model import Assign
from napari_micromri.study.simulated import plan_simulated
from napari_micromri.study.store import Study
from napari_micromri.training.config import TrainConfig, make_config
from napari_micromri.training.data import TrainingData, checked_slices
from napari_micromri.training.engine.batches import batch_count, training_batches
from napari_micromri.training.engine.devices import make_fabric
from napari_micromri.training.engine.loop import train
from napari_micromri.training.engine.losses import batch_loss
from napari_micromri.training.engine.methods import first_network
from napari_micromri.training.engine.state import Learner
from napari_micromri.training.events import Epoch
from napari_micromri.training.folder import RunFolder
from napari_micromri.training.process import resume_run, start_run, stop_run
from napari_micromri.training.run import RunReader

if TYPE_CHECKING:
    from napari_micromri.runs.reading import State
    from napari_micromri.training.run import Run

RATIO_LIMIT = 1.10
STOP_LIMIT = 2.0
VOXEL = (0.6, 0.1, 0.1)
SLICES = 48


def main() -> int:
    """Measure, print, write JSON when asked; 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12, help="epochs measured each way (default %(default)s)")
    parser.add_argument("--kills", type=int, default=0, help="also kill a run so many times (default %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="settings over the preset quick"
    )
    options = parser.parse_args()
    config = make_config("quick", settings=["patience=none", *options.set])
    with tempfile.TemporaryDirectory() as folder:
        study = _make_study(Path(folder))
        ratio = epoch_ratio(config, TrainingData.from_study(study), Path(folder), options.rounds)
        answer = stop_seconds(config, study, Path(folder) / "stopped")
        same = kills(config, study, Path(folder), options.kills) if options.kills else None
    print(f"an epoch takes {ratio:.3f} times its forward and backward passes (limit {RATIO_LIMIT})")
    print(f"a stop is answered after {answer:.2f} s, checkpoint and all (limit {STOP_LIMIT} s)")
    if same is not None:
        print(f"after {options.kills} kills the weights are {'the same' if same else 'OTHERS'}")
    figures = {"epoch_ratio": ratio, "stop_seconds": answer, "kills": options.kills, "same_weights": same}
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1))
    return int(ratio > RATIO_LIMIT or answer > STOP_LIMIT or same is False)


def epoch_ratio(config: TrainConfig, data: TrainingData, folder: Path, rounds: int) -> float:
    """Compare epochs of the loop with bare steps on the same batches, in turn; the fastest of each, after a first one.

    Other work on the machine only ever adds time, and by chance to one or the other.
    """
    config = config.model_copy(update={"epochs": rounds + 1})
    run = RunFolder(folder / "measured")
    run.create({"study": "study", "config": config.model_dump(mode="json")})
    fabric = make_fabric(config)
    factor, (slices, _) = checked_slices(config, data)
    learner = Learner(first_network(config, factor), config, fabric, batch_count(len(slices), config))
    epochs, bare = [], []
    for event in train(config, data, run, fabric=fabric):
        if isinstance(event, Epoch):
            epochs.append(event.seconds)
            batches = [batch.map(fabric.to_device) for batch in training_batches(slices, config, event.epoch)]
            bare.append(sum(_bare_step(learner, batch, config) for batch in batches))
    print(f"{'epoch (s)':>10} {'bare (s)':>10}")
    for whole, alone in zip(epochs, bare, strict=True):
        print(f"{whole:10.3f} {alone:10.3f}")
    return min(epochs[1:]) / min(bare[1:])


def _bare_step(learner: Learner, batch: Any, config: TrainConfig) -> float:
    start = time.perf_counter()
    learner.optimizer.zero_grad(set_to_none=True)
    given = batch.given.contiguous(memory_format=torch.channels_last)
    loss = batch_loss(learner.network(given), batch, config)
    loss.backward()
    learner.optimizer.step()
    float(loss.detach())
    return time.perf_counter() - start


def stop_seconds(config: TrainConfig, study: Study, path: Path) -> float:
    """Start a run in the background, ask it to stop, and time the answer."""
    start_run(config.model_copy(update={"epochs": 10_000}), study.path, path)
    _wait(path, "running", epochs=1)
    start = time.perf_counter()
    stop_run(path)
    _wait(path, "stopped")
    return time.perf_counter() - start


def kills(config: TrainConfig, study: Study, folder: Path, count: int) -> bool:
    """Kill a run at random moments of its work; compare the weights."""
    config = config.model_copy(update={"epochs": 12, "checkpoint_minutes": 0.01})
    start_run(config, study.path, folder / "whole")
    start = _wait(folder / "whole", "running").began
    lasted = _wait(folder / "whole", "done").changed - (start.time if start else 0.0)
    chance, path = random.Random(0), folder / "killed"  # noqa: S311  # no secret
    start_run(config, study.path, path)
    for number in range(count):
        _wait(path, "running")
        time.sleep(chance.uniform(0, 2 * lasted / count))
        if RunReader(path).read().state == "done":
            break
        stop_run(path, kill=True)
        print(f"kill {number + 1}: after {len(_wait(path, 'died').epochs)} epochs", flush=True)
        resume_run(path)
    _wait(path, "done")
    first, second = (load_file(RunFolder(folder / name).last) for name in ("whole", "killed"))
    return all(torch.equal(first[key], second[key]) for key in first)


def _wait(path: Path, *states: State, epochs: int = 0) -> Run:
    reader = RunReader(path)
    while True:
        run = reader.read()
        if run.state in states and len(run.epochs) >= epochs:
            return run
        if run.state in ("failed", "died") and run.state not in states:
            raise SystemExit(f"{path.name}: {run.message}")
        time.sleep(0.01)


def _make_study(folder: Path) -> Study:
    """Simulate a study of two subjects with 48 slices of 150 x 150 and 300 x 300 each."""
    from napari_micromri.io import save_scan

    files = []
    rng = np.random.default_rng(0)
    y, x = np.meshgrid(np.linspace(-1, 1, 300), np.linspace(-1, 1, 300), indexing="ij")
    for name in ("one", "two"):
        body = 1000 * np.clip(1.2 - 1.5 * (y**2 + x**2), 0, 1) * (1 + 0.3 * np.sin(40 * x * y))
        data = (body + rng.normal(0, 20, (SLICES, 300, 300))).clip(0).astype(np.float32)
        info = ScanInfo(
            name=name, axes="zyx", voxel_size=(0.6, 0.1, 0.1), subject=name, region="trunk", plane="coronal"
        )
        files.append(save_scan(Scan(data, info), folder / f"{name}.ome.zarr"))
    plan = plan_simulated(files)
    result = build(plan, folder / "benchmark.mri.zarr")
    if result.failed:
        raise SystemExit(f"The study can't be made: {result.failed}")
    study = Study.open(folder / "benchmark.mri.zarr")
    study.apply([Assign(study.subjects[-1], "validation")])
    return study


if __name__ == "__main__":
    sys.exit(main())
