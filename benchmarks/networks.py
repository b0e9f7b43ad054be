"""Which network learns more in equal time: each from scratch, as the shipped UNet is made, judged on sources left out.

The presets ``unet-default`` and ``nafnet`` share sources, simulation and schedule, as `micromri train` runs them; loss
and warm-up are each one's own. So many minutes of one thread tell which one gets further soon, not which is better
in the end.

    python benchmarks/networks.py --minutes 4 --every 12 --update docs/training.md
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from quality import fast_slice, load, put_between

from napari_micromri.inference import DenoiseOptions, denoise
from napari_micromri.measure.metrics import assess
from napari_micromri.nn.checkpoint import read_spec
from napari_micromri.runs.events import Failed
from napari_micromri.scan import Scan, ScanInfo
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
    parser.add_argument("--update", type=Path, nargs="*", default=[], help="documents to put the table into")
    options = parser.parse_args()
    torch.set_num_threads(1)
    columns = [f"{source.replace('_', ' ')}, SNR {snr}" for source in LEFT_OUT for snr in LEVELS]
    lines = [f"| network | weights | steps | {' | '.join(columns)} |", f"| --- |{' ---: |' * (len(columns) + 2)}"]
    lines.append(f"| sinc | | | {' | '.join(judge(None, options.every))} |")
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "good.mri.zarr"
        subprocess.run([sys.executable, str(BUILD), str(study), "--without", *UNSEEN], check=True)
        for name, preset in NETWORKS.items():
            settings = [f"minutes={options.minutes:g}", "epochs=10000", "seed=1"]
            run = create_run(make_config(preset, settings=settings), study, Path(folder) / name)
            steps = 0
            for event in run_training(run):
                if isinstance(event, Failed):
                    raise SystemExit(event.message)
                steps += isinstance(event, BatchDone)
            _, weights = read_spec(run.best)
            figures = judge(run.best, options.every)
            lines.append(f"| {name} | {weights / 1e6:.2f} M | {steps} | {' | '.join(figures)} |")
            print(lines[-1], flush=True)
    print("\n".join(lines))
    for document in options.update:
        put_between(document, "networks", "\n".join(lines))


def judge(model: Path | None, every: int) -> list[str]:
    """Give PSNR and, of the object alone, object PSNR on each source and level; sinc interpolation without a model."""
    cells = []
    for source in LEFT_OUT:
        good = load(source)[::every]
        for snr in LEVELS:
            fast = np.stack([fast_slice(image, snr, k) for k, image in enumerate(good)])
            if model is None:
                found = upsample(fast, good.shape[-2:], "sinc")
            else:
                scan = Scan(fast, ScanInfo(name=source, axes="zyx", voxel_size=(1, 1, 1)))
                found = denoise(scan, model, DenoiseOptions(device="cpu")).read()
            figures = [assess(*pair) for pair in zip(found, good, strict=True)]
            psnr, inner = (np.mean([getattr(one, name) for one in figures]) for name in ("psnr", "foreground_psnr"))
            cells.append(f"{psnr:.2f} / {inner:.2f}")
    return cells


if __name__ == "__main__":
    main()
