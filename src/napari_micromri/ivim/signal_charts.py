"""Signal quality (DSQ) as charts, tables and a picture: the source's figures 1 to 4. Without Qt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_micromri.charts import our_style
from napari_micromri.curves import Chart, Line, draw
from napari_micromri.errors import OutputExistsError, WriteError
from napari_micromri.io.atomic import atomic_output
from napari_micromri.io.csv_table import write_csv
from napari_micromri.ivim.signal import PARAMETERS
from napari_micromri.ivim.signal_quality import FEWEST

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from napari_micromri.ivim.signal_quality import SignalQuality
    from napari_micromri.ivim.signal_study import Look

    Row = dict[str, Any]

RED, BLUE, ORANGE, GREEN, PINK = "#d55e00", "#56b4e9", "#e69f00", "#009e73", "#cc79a7"
"""Told apart by colour-blind people as well (Okabe and Ito), on light and on dark."""

REPORT_FILES = ("plots.png", "epochs.csv", "bins.csv", "figures.csv")

COMPARED = (30, 50, 100)
"""Epochs whose bins are drawn together, as in the source."""


def charts(looks: Sequence[Look]) -> list[Chart]:
    """Draw a training: means over epochs, means by fitting error, errors over those at first, loss."""
    epochs = tuple(float(look.epoch) for look in looks)
    means = (
        Line("measured (Q_n)", RED, epochs, tuple(look.quality.q_n for look in looks)),
        Line("predicted (Q_p)", BLUE, epochs, tuple(look.quality.q_p for look in looks)),
    )
    return [
        Chart("1 Mean error of signals", "epoch", "fraction of S0", means),
        bin_chart({f"epoch {look.epoch}": look.quality for look in _compared(looks)}, title="2 By fitting error"),
        Chart("3 RMSE over that of the first look", "epoch", "ratio", tuple(_error_lines(looks, epochs))),
        Chart("4 Loss", "epoch", "loss", (Line("loss", BLUE, epochs, tuple(look.loss for look in looks)),), log=True),
    ]


def bin_chart(found: Mapping[str, SignalQuality], title: str = "By fitting error") -> Chart:
    """Draw the mean error of predicted signals (solid) and of measured ones (dashed) over the fitting error.

    Bins of few signals are left out, as for phenomenon 2.
    """
    lines = []
    for colour, (label, quality) in zip((ORANGE, BLUE, GREEN), found.items(), strict=False):
        bins = [b for b in quality.bins if b.count >= FEWEST]
        low = tuple(b.low for b in bins)
        lines.append(Line(label, colour, low, tuple(b.recon_error for b in bins)))
        lines.append(Line(f"{label}, measured", colour, low, tuple(b.noise for b in bins), dashed=True))
    return Chart(f"{title} (dashed: measured)", "fitting error from", "mean error", tuple(lines))


def epoch_rows(looks: Sequence[Look]) -> list[Row]:
    """Make a row for each look."""
    return [
        {"method": look.method, "epoch": look.epoch, "round": look.round, "loss": look.loss}
        | {f"rmse_{name}": value for name, value in look.rmse.items()}
        | {"rmse_training_signals": look.training_rmse}
        | figures(look.quality)
        for look in looks
    ]


def figures(quality: SignalQuality) -> Row:
    """Name the figures of all signals together."""
    names = ("count", "q_n", "q_p", "eq9", "eq14", "overshoot", "gap_trend")
    return {name: getattr(quality, name) for name in names}


def bin_rows(quality: SignalQuality, **before: Any) -> list[Row]:
    """Make a row for each bin of the fitting error."""
    return [before | vars(b) | {"gap": b.gap} for b in quality.bins]


def verdict(quality: SignalQuality) -> list[str]:
    """Say whether the two phenomena are there, and how far the source's equations hold."""
    than = "nearer to the clean ones than" if quality.phenomenon_1 else "no nearer to the clean ones than"
    shown = "unknown" if quality.gap_trend != quality.gap_trend else f"{quality.gap_trend:+.2f}"
    return [
        f"Phenomenon 1: predicted signals are {than} the measured ones (Q_p {quality.q_p:.3g}, Q_n {quality.q_n:.3g}).",
        f"Phenomenon 2: rank correlation of the gap with the fitting error {shown}.",
        f"Eq. 9 holds for {quality.eq9:.0%} of the signals, eq. 14 for {quality.eq14:.0%}.",
    ]


def write_study(folder: str | os.PathLike[str], looks: Sequence[Look], title: str, *, overwrite: bool = False) -> Path:
    """Write ``plots.png``, ``epochs.csv`` and ``bins.csv`` of a training into a new folder.

    Raises
    ------
    OutputExistsError, WriteError
        The folder is there already, or the operating system refused.
    """
    bins = [row for look in looks for row in bin_rows(look.quality, method=look.method, epoch=look.epoch)]
    tables = {"epochs": epoch_rows(looks), "bins": bins}
    return _write(folder, title, charts(looks), tables, overwrite=overwrite)


def write_comparison(
    folder: str | os.PathLike[str], quality: SignalQuality, title: str, *, overwrite: bool = False
) -> Path:
    """Write ``plots.png``, ``figures.csv`` and ``bins.csv`` of three scans; raises as `write_study`."""
    tables = {"figures": [figures(quality)], "bins": bin_rows(quality)}
    return _write(folder, title, [bin_chart({"predicted": quality})], tables, overwrite=overwrite)


def check_report_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Refuse a folder that a report must not replace.

    Raises
    ------
    OutputExistsError
        It is there, and ``overwrite`` is False.
    WriteError
        It is a file, or holds anything that isn't of a report.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise WriteError(f"{folder} is a file. Name a folder for the report.")
    if not overwrite:
        raise OutputExistsError(folder)
    others = sorted(file.name for file in folder.iterdir() if file.name not in REPORT_FILES)
    if others:
        raise WriteError(f"{folder} holds more than a report, such as {others[0]}. Choose another folder.")


def _write(
    folder: str | os.PathLike[str],
    title: str,
    drawn: Sequence[Chart],
    tables: Mapping[str, Sequence[Row]],
    *,
    overwrite: bool,
) -> Path:
    target = Path(folder)
    check_report_folder(target, overwrite=overwrite)
    with atomic_output(target, overwrite=overwrite) as temporary:
        temporary.mkdir()
        with our_style():
            draw(title, drawn).savefig(temporary / "plots.png", dpi=150)
        for name, rows in tables.items():
            with (temporary / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
                write_csv(stream, list(rows[0]), rows)
    return target


def _compared(looks: Sequence[Look]) -> list[Look]:
    return [look for look in looks if look.epoch in COMPARED] or list(looks[-1:])


def _error_lines(looks: Sequence[Look], epochs: tuple[float, ...]) -> list[Line]:
    def line(label: str, colour: str, values: list[float]) -> Line:
        return Line(label, colour, epochs, tuple(value / values[0] if values[0] else 1.0 for value in values))

    lines = [
        line(PARAMETERS[name].label, colour, [look.rmse[name] for look in looks])
        for name, colour in (("f", ORANGE), ("D", BLUE), ("Dp", GREEN))
    ]
    return [*lines, line("training signals", PINK, [look.training_rmse for look in looks])]
