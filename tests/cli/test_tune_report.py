"""`micromri tune-report`, as a person types it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from napari_micromri.cli import main
from napari_micromri.cli.program import build_parser
from napari_micromri.training.config import make_config
from napari_micromri.tuning.reading import read_tuning
from tuning_samples import make_full_tuning, make_tuning


@pytest.fixture
def tuning(tmp_path: Path) -> Path:
    make_full_tuning(tmp_path / "tuning", trials=12)
    return tmp_path / "tuning"


def test_in_words_and_as_files(tmp_path: Path, tuning: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {name: tmp_path / name for name in ("page.html", "trials.csv", "best.json")}
    arguments = ["--html", str(files["page.html"]), "--csv", str(files["trials.csv"])]
    arguments += ["--config", str(files["best.json"])]
    assert main(["tune-report", str(tuning), *arguments]) == 0
    said = capsys.readouterr().out
    best = read_tuning(tuning).best_rows[0]
    assert f"Best: trial {best.number}, validation MSE" in said
    assert [line for line in said.splitlines() if line.startswith("Wrote")] == [
        f"Wrote {path}" for path in files.values()
    ]
    assert files["page.html"].read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with files["trials.csv"].open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 1 + 16
    assert make_config(None, files["best.json"]).learning_rate == best.parameters["learning_rate"]

    before = {path: path.read_bytes() for path in files.values()}
    assert main(["tune-report", str(tuning), *arguments]) == 2
    assert "already" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in files.values()} == before
    assert main(["tune-report", str(tuning), *arguments, "--overwrite"]) == 0


def test_only_json_is_printed(tmp_path: Path, tuning: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune-report", str(tuning), "--json", "--csv", str(tmp_path / "trials.csv")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"]["failed"] == 1
    assert found["best"][0]["number"] == read_tuning(tuning).best[0]
    assert (tmp_path / "trials.csv").is_file()


def test_the_settings_of_any_trial(tmp_path: Path, tuning: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "third.json"
    assert main(["tune-report", str(tuning), "--config", str(path), "--trial", "3"]) == 0
    rate = read_tuning(tuning).trials[3].parameters["learning_rate"]
    assert make_config(None, path).learning_rate == rate
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--config", "best.toml"], "Let its name end in .json"),
        (["--trial", "3"], "Give --config FILE.json, too"),
        (["--config", "best.json", "--trial", "99"], "There is no trial 99 in blobs; it has 16"),
        (["--html", "same.json", "--csv", "same.json"], "Two outputs have the same name"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path,
    tuning: Path,
    arguments: list[str],
    reason: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert main(["tune-report", str(tuning), *arguments]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_what_cannot_be_read_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = make_tuning(tmp_path / "tuning")
    assert main(["tune-report", str(tmp_path / "tuning"), "--config", str(tmp_path / "best.json")]) == 2
    assert "No trial of blobs is done yet" in capsys.readouterr().err
    sample.folder.journal.write_bytes(b"garbage\n")
    for where, reason in ((tmp_path / "tuning", "damaged in line 1"), (tmp_path, "holds no tuning")):
        assert main(["tune-report", str(where)]) == 2
        error = capsys.readouterr().err
        assert reason in error
        assert error.count("\n") == 1


def test_documented_commands_parse() -> None:
    text = (Path(__file__).parents[2] / "docs" / "tuning-report.md").read_text(encoding="utf-8")
    commands = re.findall(r"^micromri (.+)$", text, flags=re.MULTILINE)
    assert len(commands) > 5
    for command in commands:
        assert build_parser().parse_args(command.split()).run
