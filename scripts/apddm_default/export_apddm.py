"""Turn a run folder of ``train_apddm.py`` into a model file that describes itself."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from safetensors.torch import load_file

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "unet_default"))

from export import INTENDED_USE, LIMITS
from sources import LICENCES, WEIGHTS

from napari_micromri import __version__
from napari_micromri.nn.checkpoint import ModelCard, ModelSpec, save_checkpoint
from napari_micromri.nn.normalisation import Normalisation

SUMMARY = "APDDM for T2-weighted 7 T scans: from faithful to textured, with uncertainty; doubles the matrix"
OWN_LIMITS = (
    " With more than one step it adds texture of the right strength, of which only a part is true; with several draws "
    "their spread stands for what the fast scan leaves open, not for what the model doesn't know."
)


def main() -> None:
    """Write the model file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--name", default="apddm-default")
    parser.add_argument("--steps", type=int, default=50, help="into which the path is divided (default %(default)s)")
    options = parser.parse_args()
    knobs = json.loads((options.run / "config.json").read_text())
    last = json.loads((options.run / "log.jsonl").read_text().splitlines()[-1])
    plain = knobs["apddm"] is None
    # The network is told t / T, so that the path may be walked in finer steps than it was trained on.
    config = knobs["unet"] if plain else knobs["apddm"] | {"steps": options.steps}
    spec = ModelSpec(
        name=options.name,
        kind="unet" if plain else "apddm",
        config=config,
        factor=2,
        upsampling="sinc",
        normalisation=Normalisation(kind="mean"),
        provenance={
            "script": "scripts/apddm_default/train_apddm.py",
            "start": Path(knobs["start"]).stem,
            "knobs": {key: knobs[key] for key in knobs if key not in ("run", "start", "apddm", "unet", "resume")},
            "steps": last["step"],
            "snr_range": [5, 40],
            "loss": last["loss"],
            "version": __version__,
        },
        card=ModelCard(
            summary="The UNet, trained on for as long as the APDDM" if plain else SUMMARY,
            intended_use=INTENDED_USE,
            limits=LIMITS + ("" if plain else OWN_LIMITS),
            training_data={name: LICENCES[name] for name in WEIGHTS if name not in knobs["without"]},
            licence="BSD-3-Clause",
        ),
    )
    save_checkpoint(options.output, load_file(options.run / "model.safetensors"), spec, overwrite=True)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
