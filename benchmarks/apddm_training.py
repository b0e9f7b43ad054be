"""What the variants of the diffusion model reach in equally many steps through `micromri train`, beside the UNet.

A study is simulated from the two real scans: the mouse trunk is learned from, the rat head judges. Each variant is a
run of its own from scratch, with as many epochs; what is judged is ``best.safetensors``, as a person would use it.
It shows that all variants train, and how they stand to each other; it says nothing of models that learn for hours from
many scans (see ``apddm.py`` for those).

    python benchmarks/apddm_training.py --results benchmarks/apddm_training.json --update docs/apddm.md
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from apddm import fill_in

from napari_micromri.measure.metrics import assess
from napari_micromri.nn.registry import load_model
from napari_micromri.nn.restorer import Sampling
from napari_micromri.runs.events import Failed
from napari_micromri.simulation.resampling import upsample
from napari_micromri.study.build import build
from napari_micromri.study.model import Assign
from napari_micromri.study.simulated import plan_simulated
from napari_micromri.study.store import Study
from napari_micromri.training.config import TrainConfig, make_config
from napari_micromri.training.run import read_run
from napari_micromri.training.runner import create_run, run_training

if TYPE_CHECKING:
    from collections.abc import Iterator

    Row = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
SCANS = {"mouse": "t2w_mouse_trunk/mouse_trunk_T2w.nii.gz", "rat": "t2w_rat_head/rat_head_T2w.nii.gz"}
VARIANTS: dict[str, tuple[str, list[str]]] = {
    "UNet": ("quick", ["ema=0.99", "patience=none"]),
    "simplified": ("apddm-quick", ["apddm.parameterisation=simplified"]),
    "residual": ("apddm-quick", []),
    "residual, f of a Brownian bridge": ("apddm-quick", ["apddm.schedule=bridge"]),
    "paper": ("apddm-quick", ["apddm.parameterisation=paper", "apddm.judged_steps=5"]),
}
STEPS = (1, 5, 20)


def main() -> None:
    """Train, judge, and print."""
    options = parse()
    torch.set_num_threads(1)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(Path(options.data), Path(folder))
        rows += list(judge_input(study))
        for name, (preset, settings) in VARIANTS.items():
            fixed = [f"epochs={options.epochs}", "threads=1"]
            config = make_config(preset, settings=[*settings, *fixed, *options.set])
            model, trained = train(config, study, Path(folder) / name)
            rows += [{"variant": name} | trained | row for row in judge(model, study)]
    text = table(rows)
    print(text)
    if options.results:
        Path(options.results).write_text(json.dumps({"epochs": options.epochs, "rows": rows}, indent=1) + "\n")
    for document in options.update:
        fill_in(Path(document), {"variants": text})


def make_study(data: Path, folder: Path) -> Study:
    """Simulate pairs of both scans, at the default SNR."""
    path = folder / "variants.mri.zarr"
    for subject, file in SCANS.items():
        result = build(plan_simulated([data / file], subject=subject), path)
        if result.failed:
            raise SystemExit(f"The study can't be made: {result.failed}")
    study = Study.open(path)
    study.apply([Assign("mouse", "train"), Assign("rat", "validation")])
    return study


def train(config: TrainConfig, study: Study, path: Path) -> tuple[Path, Row]:
    """Train; gives the model, and how long its steps took."""
    folder = create_run(config, study.path, path)
    for event in run_training(folder):
        if isinstance(event, Failed):
            raise SystemExit(event.message)
    run = read_run(path)
    spent = sum(epoch.seconds for epoch in run.epochs)
    print(f"{path.name}: {spent:.0f} s of training", file=sys.stderr)
    return folder.best, {"best_epoch": run.best.epoch if run.best else 0, "seconds": spent}


def judge_input(study: Study) -> Iterator[Row]:
    """Judge the fast scans themselves, by sinc interpolation."""
    pairs = list(study.slices("validation"))
    images = [upsample(pair.lr, pair.hr.shape, "sinc") for pair in pairs]
    yield {"variant": "fast scan (sinc)", "steps": None} | figures(images, [pair.hr for pair in pairs])


def judge(path: Path, study: Study) -> Iterator[Row]:
    """Denoise the validation slices in some numbers of steps and compare with the good ones."""
    model: Any = load_model(path)
    pairs = list(study.slices("validation"))
    for steps in (k for k in STEPS if k <= getattr(model, "most_steps", 1)):
        images = []
        for number, pair in enumerate(pairs):
            lr = torch.from_numpy(pair.lr)[None, None]
            many = steps > 1
            found = model.sample(lr, Sampling(steps=steps), [number]).image if many else model.restore(lr)
            images.append(found[0, 0].numpy())
        yield {"steps": steps} | figures(images, [pair.hr for pair in pairs])


def figures(images: list[Any], good: list[Any]) -> Row:
    """Average the figures of quality over slices."""
    found = [asdict(assess(*pair)) for pair in zip(images, good, strict=True)]
    return {key: float(np.mean([one[key] for one in found])) for key in found[0]}


def table(rows: list[Row]) -> str:
    """Format as Markdown."""
    lines = [
        "| variant | best epoch | steps | PSNR in dB | SSIM | detail | true detail | bias in % |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        cells = [row["variant"], str(row.get("best_epoch", "")), str(row["steps"] or "")]
        cells += [f"{row['psnr']:.2f}", f"{row['ssim']:.3f}", f"{row['power_ratio']:.2f}"]
        cells += [f"{row['ring_correlation']:.2f}", f"{100 * row['bias']:+.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """Describe the knobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=100, help="of each variant (default %(default)s)")
    parser.add_argument("--data", default=os.environ.get("MICROMRI_DATA", str(ROOT.parent / "shared" / "data")))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="settings for all variants")
    parser.add_argument("--results", help="JSON file for the figures")
    parser.add_argument("--update", nargs="*", default=[], help="documents to put the table into")
    return parser.parse_args()


if __name__ == "__main__":
    main()
