"""Turn a run folder of ``train.py`` into a model file that describes itself."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from safetensors.torch import load_file
from sources import LICENCES, WEIGHTS

from napari_micromri import __version__
from napari_micromri.nn.checkpoint import ModelCard, ModelSpec, save_checkpoint
from napari_micromri.nn.normalisation import Normalisation

SUMMARY = "UNet for T2-weighted 7 T scans: doubles the matrix and removes noise, for input SNR 5 to 40"
INTENDED_USE = (
    "Fast, coarse magnitude scans of small animals, slice by slice, factor 2. For looking and for measuring sizes and "
    "mean intensities; not for diagnosis."
)
LIMITS = (
    "Learned from simulated pairs: few real scans, phantoms and photographs, whose fast scans were made by k-space "
    "truncation and Rician noise. It saw no motion, no ghosts and no other contrast than T2 weighting on real anatomy. "
    "Noise that is correlated or uneven (several coils, filters, interpolation by the scanner) is unlike its training."
)


def main() -> None:
    """Write the model file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--name", default="unet-default")
    options = parser.parse_args()
    knobs = json.loads((options.run / "config.json").read_text())
    log = [json.loads(line) for line in (options.run / "log.jsonl").read_text().splitlines()]
    used = [name for name in WEIGHTS if name not in knobs["without"]]
    spec = ModelSpec(
        name=options.name,
        kind="unet",
        config=knobs["unet"],
        factor=2,
        upsampling=knobs["upsampling"],
        normalisation=Normalisation(kind="mean"),
        provenance={
            "script": "scripts/unet_default/train.py",
            "knobs": {key: value for key, value in knobs.items() if key not in ("run", "unet", "start")},
            "stages": _stages(options.run),
            "steps": log[-1]["step"],
            "version": __version__,
        },
        card=ModelCard(
            summary=SUMMARY,
            intended_use=INTENDED_USE,
            limits=LIMITS,
            training_data={name: LICENCES[name] for name in used},
            licence="BSD-3-Clause",
        ),
    )
    save_checkpoint(options.output, load_file(options.run / "model.safetensors"), spec, overwrite=True)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB")


def _stages(run: Path) -> list[dict[str, object]]:
    """List this run and those whose weights it started from, first one first."""
    knobs = json.loads((run / "config.json").read_text())
    last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    stage = {"minutes": knobs["minutes"], "steps": last["step"], "without": knobs["without"]}
    return [*(_stages(Path(knobs["start"])) if knobs["start"] else []), stage]


if __name__ == "__main__":
    main()
