"""`micromri ivim-train` and `ivim-simulate`: train an IVIM network on scans; phantoms with known maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_micromri.cli.ivim import add_b_values, add_bounds
from napari_micromri.errors import InputError

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands
    from napari_micromri.ivim.simulation import Simulated


def add_to(commands: Commands) -> None:
    """Add the commands to the program."""
    train = commands.add_parser(
        "ivim-train",
        help="train an IVIM network on diffusion series",
        description="Train the network of 'cnn' or 'si_cnn' on all slices of scans with the same b-values.",
        epilog="Examples:\n"
        "  micromri ivim-train dwi.nii.gz runs/ivim --method si_cnn --detach\n"
        "  micromri watch runs/ivim\n"
        "  micromri ivim other.nii.gz maps/ --method si_cnn --model runs/ivim/model.safetensors",
    )
    train.add_argument("scans", nargs="+", metavar="SCAN", help="diffusion series to train on")
    train.add_argument("run_folder", metavar="RUN", help="new folder for the training")
    train.add_argument("--method", choices=("cnn", "si_cnn"), default="si_cnn", help="default %(default)s")
    add_b_values(train)
    add_bounds(train)
    train.add_argument("--epochs", type=int, help="for 'cnn'; for 'si_cnn' the longest warm-up (default 150)")
    train.add_argument("--batch", type=int, help="slices per step (default 5)")
    train.add_argument("--learning-rate", type=float, help="default 0.001")
    train.add_argument("--alpha", type=float, help="for 'si_cnn': how far signals move (default 0.1)")
    train.add_argument("--rounds", type=int, help="for 'si_cnn': rounds of improvement, at most (default 80)")
    train.add_argument("--seed", type=int, help="default 0")
    train.add_argument("--detach", action="store_true", help="train in the background")
    train.add_argument("--overwrite", action="store_true", help="replace the training that is in RUN")
    train.set_defaults(run=run_train)
    simulate = commands.add_parser(
        "ivim-simulate",
        help="simulate a diffusion series with known maps",
        description="Simulate slices of random regions: a noisy and a clean series, and their true maps.",
        epilog="Example:\n  micromri ivim-simulate phantom/ --snr 15 --noise rician",
    )
    simulate.add_argument("output", metavar="OUT", help="new folder for noisy.nii.gz, clean.nii.gz, D.nii.gz, ...")
    add_phantom(simulate, size=48, noise="rician")
    simulate.set_defaults(run=run_simulate)


def add_phantom(parser: argparse.ArgumentParser, *, size: int, noise: str) -> None:
    """Add what is simulated."""
    parser.add_argument("--snr", type=float, default=15, help="S0 over sigma (default %(default)s)")
    parser.add_argument("--mouse", action="store_true", help="a digital mouse with a tumour instead of random regions")
    parser.add_argument("--slices", type=int, default=8, help="default %(default)s")
    parser.add_argument("--size", type=int, default=size, help="rows and columns (default %(default)s)")
    parser.add_argument("--noise", choices=("rician", "gaussian"), default=noise, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")


def make_phantom(options: argparse.Namespace) -> Simulated:
    """Simulate it."""
    from napari_micromri.ivim.mouse import mouse
    from napari_micromri.ivim.simulation import phantoms

    simulated = mouse if options.mouse else phantoms
    return simulated(options.slices, options.snr, size=options.size, noise=options.noise, seed=options.seed)


def run_train(options: argparse.Namespace) -> int:
    """Make the folder, and train here or in the background."""
    from napari_micromri.cli.ivim import given_b_values
    from napari_micromri.cli.train import work_on
    from napari_micromri.ivim.estimators.learning import LearningSettings
    from napari_micromri.ivim.signal import Bounds
    from napari_micromri.ivim.training_job import IVIM_TRAINING, create_training

    names = ("epochs", "batch", "learning_rate", "alpha", "rounds", "seed")
    chosen = {name: value for name in names if (value := getattr(options, name)) is not None}
    for name in ("alpha", "rounds"):
        if name in chosen and options.method != "si_cnn":
            raise InputError(f"--{name} is for si_cnn, not for '{options.method}'.")
    b_values = given_b_values(options)
    scans = [{"path": str(Path(path).resolve()), "b_values": b_values} for path in options.scans]
    settings = LearningSettings(method=options.method, **chosen)
    bounds = Bounds.parse(options.bounds or "")
    folder = create_training(scans, options.run_folder, settings, bounds, overwrite=options.overwrite)
    return work_on(IVIM_TRAINING, folder, detach=options.detach)


def run_simulate(options: argparse.Namespace) -> int:
    """Simulate and save."""
    from napari_micromri.io import save_scan
    from napari_micromri.io.atomic import atomic_output
    from napari_micromri.scan import Scan, ScanInfo

    made = make_phantom(options)
    info = ScanInfo(name="IVIM phantom", axes="bzyx", voxel_size=(1.0, 0.2, 0.2), b_values=made.b_values)
    plain = ScanInfo(name="true map", axes="zyx", voxel_size=info.voxel_size)
    with atomic_output(options.output) as temporary:
        temporary.mkdir()
        save_scan(Scan(np.float32(1000) * made.signals, info), temporary / "noisy.nii.gz")
        save_scan(Scan(np.float32(1000) * made.clean, info), temporary / "clean.nii.gz")
        for name, values in made.truth.items():
            factor = np.float32(1000 if name == "S0" else 1)
            save_scan(Scan(factor * values, plain), temporary / f"{name}.nii.gz")
    print(f"Wrote a phantom with {options.slices} slices at SNR {options.snr:g} into {options.output}")
    return 0
