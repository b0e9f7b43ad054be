"""Signal quality while a network trains, and its charts, tables and page."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_micromri.cli import main
from napari_micromri.curves import Chart, Line, draw
from napari_micromri.errors import CancelledError, InputError, OutputExistsError, WriteError
from napari_micromri.io import save_scan
from napari_micromri.ivim.mouse import mouse
from napari_micromri.ivim.signal_charts import bin_chart, charts, verdict, write_study
from napari_micromri.ivim.signal_quality import signal_quality
from napari_micromri.ivim.signal_study import begin, watch
from napari_micromri.ivim.simulation import phantoms
from napari_micromri.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL = {"features": 8, "batch": 1}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def seen():
    made = phantoms(2, 15, size=12)
    learning = begin(made, "si_cnn", epochs=12, **SMALL)
    return made, learning, list(watch(learning, made, epochs=12))


def test_a_training_is_looked_at_on_the_way_and_at_its_end(seen) -> None:
    made, learning, looks = seen
    assert [look.epoch for look in looks] == [5, 10, 12]
    assert looks[-1].round > 0  # the warm-up takes a third of the epochs at most
    # S0 is 1 in these phantoms, so the clean signals need no scale
    measured = made.signals / made.signals[0]
    maps, predicted = (tensor.numpy() for tensor in learning.predict())
    assert looks[-1].quality.q_n == pytest.approx(np.abs(measured - made.clean).mean(), rel=1e-4)
    assert looks[-1].quality.q_p == pytest.approx(np.abs(np.moveaxis(predicted, 1, 0) - made.clean).mean(), rel=1e-4)
    assert looks[-1].rmse["f"] == pytest.approx(np.sqrt(np.mean((maps[:, 1] - made.truth["f"]) ** 2)), rel=1e-4)
    targets = np.moveaxis(learning.targets.numpy(), 1, 0)
    assert looks[-1].training_rmse == pytest.approx(np.sqrt(np.mean((targets - made.clean) ** 2)), rel=1e-4)
    assert looks[0].training_rmse != looks[-1].training_rmse  # si_cnn moves what it learns from


def test_outside_the_body_nothing_counts() -> None:
    made = mouse(1, 30, size=24)
    learning = begin(made, epochs=5, **SMALL)
    [look] = watch(learning, made, epochs=5)
    body = np.isfinite(made.truth["D"])
    assert look.quality.count <= body.sum() * len(made.b_values)
    assert all(math.isfinite(value) for value in look.rmse.values())


def test_a_training_can_be_stopped_and_needs_an_epoch_to_look_at() -> None:
    made = phantoms(1, 15, size=8)
    with pytest.raises(CancelledError):
        list(watch(begin(made, **SMALL), made, should_stop=lambda: True))
    with pytest.raises(InputError, match="epochs"):
        begin(made, epochs=1)


def test_the_charts_show_what_was_seen(seen) -> None:
    looks = seen[2]
    means, by_error, errors, loss = charts(looks)
    assert means.lines[1].y == tuple(look.quality.q_p for look in looks)
    assert errors.lines[0].y == pytest.approx([look.rmse["f"] / looks[0].rmse["f"] for look in looks])
    assert loss.lines[0].x == (5, 10, 12)
    assert by_error.lines[0].label == "epoch 12"  # none of 30, 50 and 100 was reached


def test_bins_of_few_signals_are_not_drawn() -> None:
    clean = np.zeros(100)
    noisy = np.full(100, 0.1)
    predicted = np.where(np.arange(100) < 5, 0.1, 0.0)  # five have no fitting error
    found = signal_quality(clean, noisy, predicted, edges=[0, 0.05])
    recon, noise = bin_chart({"x": found}).lines
    assert (recon.x, recon.y) == ((0.05,), (0.0,))
    assert noise.y == pytest.approx((0.1,))
    assert noise.dashed
    assert any("unknown" in line for line in verdict(found))


def test_a_study_is_written_whole_and_replaces_nothing_unasked(seen, tmp_path: Path) -> None:
    looks = seen[2]
    folder = write_study(tmp_path / "out", looks, "A study")
    rows = table(folder / "epochs.csv")
    assert [float(row["q_p"]) for row in rows] == [look.quality.q_p for look in looks]
    bins = table(folder / "bins.csv")
    assert sum(int(row["count"]) for row in bins if row["epoch"] == "12") == looks[-1].quality.count
    assert (folder / "plots.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputExistsError):
        write_study(folder, looks, "again")


def test_what_is_drawn_are_the_numbers_of_the_lines() -> None:
    lines = (Line("<one>", "#000000", (0.0, 1.0), (0.125, 0.25)), Line("same", "#000000", (0.0,), (1.0,), dashed=True))
    chart = Chart("T", "x", "y", lines, log=True)
    [axes] = draw("all", [chart]).axes
    assert [tuple(drawn.get_ydata()) for drawn in axes.lines] == [line.y for line in lines]
    assert [drawn.get_linestyle() for drawn in axes.lines] == ["-", "--"]
    assert axes.get_yscale() == "log"
    assert "&lt;one&gt;" in chart.heading
    assert "same" not in chart.heading  # its colour is named already


def test_the_commands_write_a_report(make_scan: Callable[..., Scan], tmp_path: Path, capsys) -> None:
    clean = make_scan((2, 24, 20))
    paths = [str(save_scan(Scan(clean.read() + k, clean.info), tmp_path / f"{k}.nii.gz")) for k in (0, 4, 1)]
    assert main(["dsq", *paths, "--report", str(tmp_path / "report")]) == 0
    assert float(table(tmp_path / "report" / "figures.csv")[0]["q_n"]) == pytest.approx(4, rel=1e-4)
    command = ["dsq-simulate", str(tmp_path / "sim"), "--epochs", "5", "--slices", "1", "--size", "8"]
    assert main(command) == 0
    assert len(table(tmp_path / "sim" / "epochs.csv")) == 1
    assert main(command) == 2
    assert "sim" in capsys.readouterr().err


def test_a_report_replaces_reports_only(seen, tmp_path: Path) -> None:
    """--overwrite took the whole folder away, with the scans that were compared in it."""
    looks = seen[2]
    folder = write_study(tmp_path / "out", looks, "A study")
    write_study(folder, looks, "again", overwrite=True)
    (folder / "clean.nii.gz").touch()
    with pytest.raises(WriteError, match=r"clean\.nii\.gz"):
        write_study(folder, looks, "again", overwrite=True)
    assert main(["dsq-simulate", str(folder), "--epochs", "5", "--slices", "1", "--size", "8", "--overwrite"]) == 2
    assert (folder / "clean.nii.gz").exists()
    with pytest.raises(WriteError, match="is a file"):
        write_study(folder / "clean.nii.gz", looks, "again", overwrite=True)
