"""The method's report from its scans to its tables, on a made-up colony: one command, which continues where it stopped.

    python examples/report/reproduce.py report-quick --quick    # some minutes: few mice, slices and epochs
    python examples/report/reproduce.py report                  # reduced width and length, for two CPU cores
    python examples/report/reproduce.py report-full --full      # the report's widths and lengths, for a GPU

Every step is a command that a lab would give (they are printed), but for three that need a person in the window: slices
that are suggested as bad are excluded, crops are set as suggested, and regions are drawn. The page is FOLDER/page.html.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from colony import make_colony
from contents import write_page

from napari_micromri.study import Exclude, SetCrop, Study
from napari_micromri.study.cropping import suggest_crop
from napari_micromri.study.quality import rank
from napari_micromri.training.run import read_run

HERE = Path(__file__).parent
SUSPICIOUS = 0.5
"""Score from which the dock asks a person to look at a slice; here nobody looks, and it is excluded."""


@dataclass(frozen=True)
class Scale:
    """How much of the report is done."""

    about: str
    mice: tuple[int, ...] = tuple(range(1, 25))
    slices: int = 30
    first: tuple[str, ...] = ()
    tuned: tuple[str, ...] = ("epochs=200", "patience=6")
    trial: tuple[str, ...] = ("epochs=5",)
    trials: int = 50
    space: Path | None = None


def reduced(about: str, length: tuple[str, ...], **others: object) -> Scale:
    """Make a scale for the CPU: an eighth of the report's widths, and a higher learning rate for so few steps."""
    each = (*length, "batch_size=8", "patience=none")
    first = (*each, "network.features_main=8,16,32", "learning_rate=0.001")
    return Scale(about, first=first, tuned=each, space=HERE / "space.toml", **others)


SCALES = {
    "quick": reduced(
        "8 mice, 4 slices a pair, an eighth of the report's widths, 6 epochs, 4 trials of 2 epochs",
        ("epochs=6",),
        mice=(1, 2, 6, 7, 10, 16, 22, 23),
        slices=4,
        trial=("epochs=2", "batch_size=8"),
        trials=4,
    ),
    "default": reduced(
        "24 mice, 6 slices a pair, an eighth of the report's widths, 12 epochs of 200 slices, 8 trials of 3 epochs",
        ("epochs=12", "draws=200"),
        slices=6,
        trial=("epochs=3", "batch_size=8", "draws=120"),
        trials=8,
    ),
    "full": Scale("24 mice, 30 slices, the report's widths, 200 epochs with early stopping, 50 trials of 5 epochs"),
}


def main() -> None:
    """Do what is left of the steps, in the report's order."""
    options = parse()
    scale, home = SCALES[options.scale], options.folder
    study, best = home / "mice.mri.zarr", home / "best.json"
    step(home / "scans/planted.json", make_colony, home / "scans", scale.mice, scale.slices)
    micromri("study", "build", home / "scans", study)
    curate(Study.open(study))
    micromri("study", "split", study, "--preset", "report")
    train(study, home / "runs/first", "--preset", "first-run", *settings(scale.first))
    space = ("--space", scale.space) if scale.space else ()
    trial = settings(("monitor=mse", *scale.trial))
    micromri("tune", study, home / "tuning", "--preset", "tuned", *space, *trial, "--trials", scale.trials)
    micromri("tune-report", home / "tuning", "--config", best, "--overwrite")
    tuned = ("--config", best, *settings(("draws=none", *scale.tuned)))
    train(study, home / "runs/tuned", *tuned)
    diffusion = (*tuned, *settings(("kind=apddm", "monitor=loss")))
    # The end of the path, with its noise, as augmentation; without the noise it would be the UNet again.
    simplified = settings(("apddm.parameterisation=simplified", "apddm.noiseless=0"))
    train(study, home / "runs/simplified", *diffusion, *simplified)
    train(study, home / "runs/apddm", *diffusion)
    models = [word for name in ("first", "tuned", "simplified", "apddm") for word in ("--model", best_of(home, name))]
    micromri("evaluate", study, *models, "--split", "test", "--out", home / "evaluation")
    write_page(home, scale.about)
    print(f"The page is {home / 'page.html'}.")


def micromri(*words: object) -> None:
    """Give a command, as a person would in a terminal."""
    print("$ micromri", *words, flush=True)
    subprocess.run([sys.executable, "-m", "napari_micromri.cli", *map(str, words)], check=True)  # noqa: S603 (no shell)


def settings(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Write settings as options of a command."""
    return tuple(word for text in texts for word in ("--set", text))


def step(made: Path, work: object, *arguments: object) -> None:
    """Do what isn't done: ``made`` is the last file that it writes."""
    if not made.exists():
        work(*arguments)


def curate(study: Study) -> None:
    """Exclude what is suspicious and crop to the animal, as a person would who follows every suggestion."""
    worst = [one for one in rank(study.pairs()) if one.score >= SUSPICIOUS]
    study.apply([Exclude(one.key, one.index, one.suggested_reason or "other") for one in worst])
    crops = {pair.key: suggest_crop(pair, study.scans(pair.key)[1].data) for pair in study.pairs()}
    study.apply([SetCrop(key, crop) for key, crop in crops.items()])
    print(f"{len(worst)} slices were excluded, and {len(crops)} pairs cropped, as suggested.")


def train(study: Path, run: Path, *options: object) -> None:
    """Begin a training, or resume it; one that is done is left as it is."""
    if not (run / "config.json").exists():
        micromri("train", study, run, *options)
    elif read_run(run).state != "done":
        micromri("resume", run)


def best_of(home: Path, name: str) -> Path:
    """Give the model of a run."""
    return home / "runs" / name / "best.safetensors"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything goes; given again, it is continued")
    scales = parser.add_mutually_exclusive_group()
    for name in ("quick", "full"):
        scales.add_argument(f"--{name}", dest="scale", action="store_const", const=name, help=SCALES[name].about)
    parser.set_defaults(scale="default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
