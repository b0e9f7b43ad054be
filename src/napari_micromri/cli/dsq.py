"""`micromri dsq` and `dsq-simulate`: whether predictions are nearer to clean signals than noisy ones are, and where."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.cli.console import choose_scan, print_json, progress_bar
from napari_micromri.cli.ivim_train import add_phantom, make_phantom
from napari_micromri.words import counted

if TYPE_CHECKING:
    import argparse

    from napari_micromri.cli.console import Commands
    from napari_micromri.ivim.signal_quality import SignalQuality


def add_to(commands: Commands) -> None:
    """Add the commands to the program."""
    parser = commands.add_parser(
        "dsq",
        help="compare the quality of predicted and of noisy signals",
        description="Differences in signal quality of a clean, a noisy and a predicted (fitted, denoised) scan.",
        epilog="Examples:\n"
        "  micromri dsq clean.nii.gz noisy.nii.gz predicted.nii.gz\n"
        "  micromri dsq clean.nii.gz noisy.nii.gz predicted.nii.gz --edges 0 0.01 0.02 0.05 --json\n"
        "  micromri dsq clean.nii.gz noisy.nii.gz predicted.nii.gz --report quality/",
    )
    for name in ("clean", "noisy", "predicted"):
        parser.add_argument(name, metavar=name.upper(), help=f"the {name} scan")
    parser.add_argument("--edges", nargs="+", type=float, help="limits of the bins of the fitting error")
    parser.add_argument("--report", metavar="FOLDER", help="new folder for plots.png and tables as CSV")
    parser.add_argument("--overwrite", action="store_true", help="replace FOLDER")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    parser.set_defaults(run=run)
    simulate = commands.add_parser(
        "dsq-simulate",
        help="watch signal quality while a network trains on a phantom",
        description="Train an IVIM network on a phantom with known signals, and see how the quality of its signals "
        "changes: means over epochs and by fitting error, errors of the maps, losses.",
        epilog="Example:\n  micromri dsq-simulate quality/ --method cnn --snr 15",
    )
    simulate.add_argument("output", metavar="OUT", help="new folder for plots.png, epochs.csv and bins.csv")
    simulate.add_argument("--overwrite", action="store_true", help="replace OUT")
    simulate.add_argument("--method", choices=("cnn", "si_cnn"), default="cnn", help="default %(default)s")
    simulate.add_argument("--epochs", type=int, default=150, help="default %(default)s")
    add_phantom(simulate, size=32, noise="gaussian")
    simulate.set_defaults(run=run_simulate)


def run(options: argparse.Namespace) -> int:
    """Compare and print."""
    from napari_micromri.io import open_scan
    from napari_micromri.ivim.signal_quality import compare_scans

    paths = (options.clean, options.noisy, options.predicted)
    found = compare_scans(*(choose_scan(open_scan(path), None, path) for path in paths), edges=options.edges)
    if options.report:
        from napari_micromri.ivim.signal_charts import write_comparison

        write_comparison(options.report, found, "Differences in signal quality", overwrite=options.overwrite)
    if options.json:
        print_json(to_json(found))
    else:
        print("\n".join(_lines(found)))
    return 0


def run_simulate(options: argparse.Namespace) -> int:
    """Train, watch, write."""
    from napari_micromri.ivim.signal_charts import check_report_folder, verdict, write_study
    from napari_micromri.ivim.signal_study import begin, watch

    check_report_folder(Path(options.output), overwrite=options.overwrite)  # before minutes of training
    made = make_phantom(options)
    learning = begin(made, options.method, epochs=options.epochs, seed=options.seed)
    looks = []
    with progress_bar("Training", "epoch") as progress:
        for look in watch(learning, made, epochs=options.epochs):
            progress(look.epoch, options.epochs)
            looks.append(look)
    title = f"Signal quality of {options.method} at SNR {options.snr:g}"
    write_study(options.output, looks, title, overwrite=options.overwrite)
    print("\n".join([*verdict(looks[-1].quality), f"Wrote {Path(options.output) / 'plots.png'}"]))
    return 0


def to_json(found: SignalQuality) -> dict[str, object]:
    """Make a JSON-like object; what is infinite or not a number becomes null."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return None if isinstance(value, float) and not abs(value) < float("inf") else value

    figures = asdict(found) | {"phenomenon_1": found.phenomenon_1, "gap_trend": found.gap_trend}
    return {key: plain(value) for key, value in figures.items()}


def _lines(found: SignalQuality) -> list[str]:
    verb = "better" if found.phenomenon_1 else "not better"
    lines = [
        f"{counted(found.count, 'signal')}: mean noise Q_n {found.q_n:.4g}, mean reconstruction error Q_p "
        f"{found.q_p:.4g}: the prediction is {verb} than the measurement",
        f"nearer to the clean signal (eq. 9): {100 * found.eq9:.1f} %; eq. 14 holds for {100 * found.eq14:.1f} %",
        f"{'fitting error':<17}  {'signals':>8}   {'noise':<9}  {'recon error':<11}  gap",
    ]
    for b in found.bins:
        high = "..." if b.high == float("inf") else f"{b.high:.4g}"
        noise, error, gap = (f"{b.noise:.4g}", f"{b.recon_error:.4g}", f"{b.gap:+.4g}") if b.count else "---"
        lines.append(f"{f'{b.low:.4g} - {high}':<17}  {b.count:8}   {noise:<9}  {error:<11}  {gap}")
    if found.missing:
        lines.append(f"Warning: {found.missing} signals were left out, since one of the three is missing")
    return lines
