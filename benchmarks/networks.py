"""Which network learns more in equal time: each from scratch, as the shipped UNet is made, judged on sources left out.

The presets ``unet-default`` and ``nafnet`` share sources, simulation and schedule, as `micromri train` runs them; loss
and warm-up are each one's own. So many minutes of one thread tell which one gets further soon, not which is better
in the end.

    python benchmarks/networks.py --minutes 4 --every 12 --update docs/training.md
    python benchmarks/networks.py --minutes 0 --every 12 --also MODEL...    # judge models that never saw the sources
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from quality import denoised, fast_slices, load, put_between

from napari_micromri.measure.metrics import assess
from napari_micromri.nn.checkpoint import read_spec
from napari_micromri.runs.events import Failed
from napari_micromri.simulation.resampling import upsample
from napari_micromri.training.config import make_config
from napari_micromri.training.events import BatchDone
from napari_micromri.training.runner import create_run, run_training

NETWORKS = {"UNet": "unet-default", "NAFNet": "nafnet"}
LEFT_OUT = ("mouse_trunk", "human_t2tse")
UNSEEN = (*LEFT_OUT, "human_3t")
LEVELS = (8, 15, 30)
BUILD = Path(__file__).parents[1] / "scripts" / "models" / "build_study.py"


def main() -> None:
    """Build the study, train, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=int, default=6, help="judge on each so manieth slice (default %(default)s)")
    parser.add_argument("--sources", nargs="+", default=LEFT_OUT, help="left-out sources to judge on")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="models to judge along")
    parser.add_argument("--update", type=Path, nargs="*", default=[], help="documents to put the table into")
    options = parser.parse_args()
    torch.set_num_threads(1)
    columns = [f"{source.replace('_', ' ')}, SNR {snr}" for source in options.sources for snr in LEVELS]
    lines = [f"| network | weights | steps | {' | '.join(columns)} |", f"| --- |{' ---: |' * (len(columns) + 2)}"]
    lines.append(f"| sinc | | | {' | '.join(judge(None, options))} |")
    lines += [line(file.stem, file, "", options) for file in options.also]
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "good.mri.zarr"
        if options.minutes:
            subprocess.run([sys.executable, str(BUILD), str(study), "--without", *UNSEEN], check=True)
        for name, preset in NETWORKS.items() if options.minutes else ():
            settings = [f"minutes={options.minutes:g}", "epochs=10000", "seed=1"]
            run = create_run(make_config(preset, settings=settings), study, Path(folder) / name)
            steps = 0
            for event in run_training(run):
                if isinstance(event, Failed):
                    raise SystemExit(event.message)
                steps += isinstance(event, BatchDone)
            lines.append(line(name, run.best, str(steps), options))
            print(lines[-1], flush=True)
    print("\n".join(lines))
    for document in options.update:
        put_between(document, "networks", "\n".join(lines))


def line(name: str, model: Path, steps: str, options: argparse.Namespace) -> str:
    """Write what a model reaches."""
    _, weights = read_spec(model)
    return f"| {name} | {weights / 1e6:.2f} M | {steps} | {' | '.join(judge(model, options))} |"


def judge(model: Path | None, options: argparse.Namespace) -> list[str]:
    """Give PSNR and, of the object alone, object PSNR on each source and level; sinc interpolation without a model."""
    cells = []
    for source in options.sources:
        good = load(source)[:: options.every]
        for snr in LEVELS:
            fast = fast_slices(good, snr)
            if model is None:
                found = upsample(fast, good.shape[-2:], "sinc")
            else:
                found = denoised(fast, model)
            figures = [assess(*pair) for pair in zip(found, good, strict=True)]
            psnr, inner = (np.mean([getattr(one, name) for one in figures]) for name in ("psnr", "foreground_psnr"))
            cells.append(f"{psnr:.2f} / {inner:.2f}")
    return cells


if __name__ == "__main__":
    main()
